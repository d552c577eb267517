"""Photographs: orientation marks, every pixel format, animated ones, and what is refused."""

import functools

import numpy as np
import pytest
from PIL import Image

from emovlm.frames import decode, pictures
from emovlm.frames.policy import uniform

from .made_up_videos import colours_of, corners, grey, write_video


def every(times_s_T, span_s):
    return np.arange(len(times_s_T))


def read(*paths, choose=every, max_pixels=10**6, **asked):
    return decode.read([str(path) for path in paths], choose, max_pixels=max_pixels, **asked)


def save(path, pixels, mode=None, **options):
    picture = Image.fromarray(pixels)
    (picture if mode is None else picture.convert(mode)).save(path, **options)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tiff", "a.webp", "a.gif", "a.ppm"])
def test_one_picture(tmp_path, name):
    clip = read(save(tmp_path / name, corners()))
    assert clip.frames_THWC.shape == (1, 48, 64, 3)
    assert colours_of(clip.frames_THWC[0]) == ["red", "green", "blue", "yellow"]
    assert (clip.timed, clip.num_visible, clip.times_s_T.tolist()) == (False, 1, [0.0])


def test_several_pictures_keep_their_order_and_have_no_seconds(tmp_path):
    paths = [save(tmp_path / f"{index}.png", grey(index)) for index in range(8)]
    clip = read(*paths, choose=functools.partial(uniform, keep=2))
    assert clip.frames_THWC[:, 0, 0, 0].tolist() == [10 + 6 * 2, 10 + 6 * 6]
    assert (clip.timed, clip.times_s_T.tolist(), clip.num_visible) == (False, [2.0, 6.0], 8)


@pytest.mark.parametrize(
    ("mark", "colours"),
    [
        (1, ["red", "green", "blue", "yellow"]),
        (2, ["green", "red", "yellow", "blue"]),
        (3, ["yellow", "blue", "green", "red"]),
        (6, ["blue", "red", "yellow", "green"]),  # to be shown turned by a quarter, clockwise
        (8, ["green", "yellow", "red", "blue"]),
    ],
)
@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_orientation_marks_are_applied(tmp_path, mark, colours, kind):
    exif = Image.Exif()
    exif[0x0112] = mark
    clip = read(save(tmp_path / f"a.{kind}", corners(), exif=exif))
    assert colours_of(clip.frames_THWC[0]) == colours
    assert clip.frames_THWC.shape[1:3] == ((64, 48) if mark >= 5 else (48, 64))


def test_pixel_formats(tmp_path):
    ramp = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    for name in ("a.png", "a.tiff"):
        found = read(save(tmp_path / name, ramp)).frames_THWC[0, :, :, 0]
        assert found.tolist() == np.arange(256).reshape(16, 16).tolist()
    for mode, name in (("L", "l.png"), ("P", "p.png"), ("1", "1.png"), ("CMYK", "c.jpg"), ("LA", "la.png")):
        clip = read(save(tmp_path / name, np.full((16, 16, 3), 255, np.uint8), mode))
        assert clip.frames_THWC.shape == (1, 16, 16, 3)
        assert clip.frames_THWC.min() >= 250, mode


def test_transparent_pixels_show_white_and_not_what_lies_beneath(tmp_path):
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[:4] = [10, 20, 30, 255]
    for picture, name in ((Image.fromarray(rgba), "a.png"), (Image.fromarray(rgba).quantize(4), "p.png")):
        picture.save(tmp_path / name)
        frame = read(tmp_path / name).frames_THWC[0]
        assert frame[6, 6].tolist() == [255, 255, 255]
        assert frame[1, 1].tolist() == [10, 20, 30]


def test_pixels_without_a_range_are_refused(tmp_path):
    save(tmp_path / "f.tiff", np.ones((4, 4), np.float32))
    save(tmp_path / "i.tiff", np.full((4, 4), 1 << 20, np.int32))
    for name in ("f.tiff", "i.tiff"):
        with pytest.raises(decode.ClipError, match=rf"{name}: has .* pixels without a known range"):
            read(tmp_path / name)


def test_content_and_not_the_name_tells_a_picture_from_a_video(tmp_path):
    save(tmp_path / "still.png", corners())
    (tmp_path / "still.png").rename(tmp_path / "still.mp4")
    assert not read(tmp_path / "still.mp4").timed
    write_video(tmp_path / "moving.mp4", [corners()] * 3).rename(tmp_path / "moving.jpg")
    assert read(tmp_path / "moving.jpg").timed


def test_an_mpeg_video_is_no_picture(tmp_path):
    path = write_video(tmp_path / "a.mpg", [corners()] * 25, codec="mpeg2video")
    assert not pictures.is_picture(str(path))
    assert read(path).num_visible >= 24


def test_an_animated_picture_is_a_clip_with_times(tmp_path):
    frames = [Image.fromarray(grey(5 * index)) for index in range(4)]
    for name in ("a.gif", "a.png"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=200)
        clip = read(tmp_path / name)
        assert clip.timed
        np.testing.assert_allclose(clip.times_s_T, [0, 0.2, 0.4, 0.6], atol=1e-6)


def test_an_animated_webp_is_refused_with_the_remedy(tmp_path):
    frames = [Image.fromarray(grey(5 * index)) for index in range(4)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], duration=200)
    with pytest.raises(decode.ClipError, match=r"a\.webp: is an animated WebP.*convert it to \.mp4"):
        read(tmp_path / "a.webp")


@pytest.mark.parametrize("kind", ["jpg", "png", "tiff", "bmp"])
def test_a_truncated_picture_is_refused(tmp_path, kind):
    path = save(tmp_path / f"a.{kind}", np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(decode.ClipError, match=rf"a\.{kind}: cannot be "):
        read(path)


def test_several_pages_are_refused(tmp_path):
    pages = [Image.fromarray(corners())] * 2
    pages[0].save(tmp_path / "a.tiff", save_all=True, append_images=pages[1:])
    with pytest.raises(decode.ClipError, match="holds several pages"):
        read(tmp_path / "a.tiff")


def test_a_missing_picture_among_several_is_named(tmp_path):
    first = save(tmp_path / "1.png", corners())
    with pytest.raises(decode.ClipError, match=r"2\.png: no such file"):
        read(first, tmp_path / "2.png")


def test_pictures_of_one_clip_have_one_shape(tmp_path):
    small, large = save(tmp_path / "1.png", corners()), save(tmp_path / "2.png", corners((128, 96)))
    assert read(small, large).frames_THWC.shape == (2, 48, 64, 3)
    with pytest.raises(decode.ClipError, match=r"3\.png: is 64x64 and the clip's first picture"):
        read(small, save(tmp_path / "3.png", corners((64, 64))))


def test_the_pixel_budget_shrinks_and_never_enlarges(tmp_path):
    path = save(tmp_path / "a.png", corners((128, 64)))
    assert read(path, max_pixels=2048).frames_THWC.shape == (1, 32, 64, 3)
    assert read(path, max_pixels=10**9).frames_THWC.shape == (1, 64, 128, 3)


def test_pictures_have_no_clock_to_ask_a_span_of(tmp_path):
    with pytest.raises(decode.ClipError, match="no clock"):
        read(save(tmp_path / "a.png", corners()), start_s=1.0)


@pytest.fixture
def film(tmp_path):
    """Ten frames at 200 a second: frame k is shown from k / 200 s, so that the film ends at .05 s."""
    return [save(tmp_path / f"{index}.png", grey(index)) for index in range(10)]


def shades(clip):
    return [(int(shade) - 10) // 6 for shade in clip.frames_THWC[:, 0, 0, 0]]


def test_pictures_with_an_fps_are_a_film(film):
    clip = read(*film, fps=200, choose=functools.partial(uniform, keep=2))
    assert (clip.timed, clip.num_visible, shades(clip)) == (True, 10, [2, 7])
    np.testing.assert_allclose(clip.times_s_T, [0.010, 0.035])
    times_s_T, span_s, timed = decode.glance([str(path) for path in film], fps=200)
    np.testing.assert_allclose(times_s_T, np.arange(10) / 200)
    assert (span_s, timed) == ((0.0, 0.05), True)


@pytest.mark.parametrize(
    ("start_s", "end_s", "found"),
    [
        (0.010, 0.025, [2, 3, 4]),
        (0.012, 0.025, [3, 4]),
        (0.012, 0.014, [2]),  # none begins in it: the one on display
        (None, 0.011, [0, 1, 2]),
        (0.041, None, [9]),
        (0.046, 9.0, [9]),
    ],
)
def test_a_span_of_a_film_of_pictures(film, start_s, end_s, found):
    clip = read(*film, fps=200, start_s=start_s, end_s=end_s)
    assert (shades(clip), clip.num_visible) == (found, len(found))
    np.testing.assert_allclose(clip.times_s_T, np.array(found) / 200)


def test_a_span_after_the_last_picture_is_refused(film):
    with pytest.raises(decode.ClipError, match=r"at 200 a second the last of the 10 ends at 0\.050 s"):
        read(*film, fps=200, start_s=0.05)
