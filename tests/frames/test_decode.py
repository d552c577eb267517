"""Real containers made here: what is visible, when, which way up, and what is refused."""

import functools
import itertools
from fractions import Fraction

import numpy as np
import pytest

from emovlm import UserError
from emovlm.frames import decode
from emovlm.frames.policy import uniform

from .made_up_videos import colours_of, corners, grey, indices_of, write_sound, write_video

GREYS = [grey(index) for index in range(30)]
FINE = {"crf": "5"}


def every(times_s_T, span_s):
    return np.arange(len(times_s_T))


def read(path, choose=every, **asked):
    return decode.read([str(path)], choose, max_pixels=asked.pop("max_pixels", 10**6), **asked)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "options"),
    [
        ("a.mp4", "libx264", "yuv420p", {"bf": "3", **FINE}),
        ("a.mkv", "libx264", "yuv420p", FINE),
        ("hevc.mov", "libx265", "yuv420p", {"x265-params": "log-level=none:bframes=3"}),
        ("a.webm", "libvpx-vp9", "yuv420p", FINE),
        ("vp8.webm", "libvpx", "yuv420p", {"crf": "4", "b": "2M"}),
        ("a.avi", "mpeg4", "yuv420p", {"bf": "2", "qmin": "1", "qmax": "1"}),
        ("h264.avi", "libx264", "yuv420p", {"bf": "3", **FINE}),
        ("a.ts", "libx264", "yuv420p", FINE),
        ("a.gif", "gif", "rgb8", {}),
        ("odd.mkv", "libx264", "yuv444p", FINE),
    ],
)
def test_every_frame_in_order_with_its_time(tmp_path, name, codec, pix_fmt, options):
    size = (63, 47) if name == "odd.mkv" else (64, 48)
    frames = [grey(index, size) for index in range(30)]
    clip = read(write_video(tmp_path / name, frames, codec=codec, pix_fmt=pix_fmt, options=options))
    assert clip.frames_THWC.shape == (30, size[1], size[0], 3)
    assert clip.frames_THWC.dtype == np.uint8
    tolerance = 2 if name.endswith("gif") else 1  # the GIF's palette has 8 levels of red and green
    assert np.max(np.abs(np.array(indices_of(clip.frames_THWC)) - np.arange(30))) <= tolerance - 1
    np.testing.assert_allclose(clip.times_s_T, np.arange(30) / 20, atol=1e-9)
    assert (clip.timed, clip.num_visible) == (True, 30)


def test_frames_hidden_by_an_edit_list_are_not_there(tmp_path):
    path = write_video(tmp_path / "cut.mp4", GREYS, pts=list(range(-10, 20)), options={"bf": "2", **FINE})
    clip = read(path)
    assert indices_of(clip.frames_THWC) == list(range(10, 30))
    assert clip.times_s_T[0] == 0
    assert clip.num_visible == 20


def test_variable_rate_chooses_by_time(tmp_path):
    path = write_video(tmp_path / "vfr.mp4", GREYS[:6], pts=[0, 1, 2, 20, 21, 60], options=FINE)
    clip = read(path, functools.partial(uniform, keep=2))  # 0 to 3.05 s or later: middles near 0.8 and 2.3 s
    assert indices_of(clip.frames_THWC) == [3, 5]
    np.testing.assert_allclose(clip.times_s_T, [1.0, 3.0])


def test_frames_dropped_from_an_avi_leave_their_time(tmp_path):
    pts = [0, 1, 5, 6, 7, 12]
    path = write_video(tmp_path / "a.avi", GREYS[:6], pts=pts, codec="mpeg4", options={"qmin": "1", "qmax": "1"})
    clip = read(path)
    assert indices_of(clip.frames_THWC) == list(range(6))
    np.testing.assert_allclose(clip.times_s_T, np.array(pts) / 20)


def test_a_late_start_is_time_zero(tmp_path):
    for name in ("a.mkv", "a.ts", "a.mp4"):
        clip = read(write_video(tmp_path / name, GREYS, pts=list(range(100, 130)), options=FINE))
        np.testing.assert_allclose(clip.times_s_T, np.arange(30) / 20, atol=1e-9)


def test_frames_without_times_are_refused(tmp_path):
    with pytest.raises(decode.ClipError, match=r"raw\.h264: its frames have no times \(a raw stream\?\)"):
        read(write_video(tmp_path / "raw.h264", GREYS))


@pytest.mark.parametrize("audio", ["first", "last"])
def test_sound_moves_nothing(tmp_path, audio):
    path = write_video(tmp_path / "sound.mp4", GREYS, audio=audio, audio_s=4.0, options=FINE)
    spans = []
    clip = read(path, lambda times_s_T, span_s: spans.append(span_s) or every(times_s_T, span_s))
    assert indices_of(clip.frames_THWC) == list(range(30))
    assert spans[-1] == pytest.approx((0.0, 1.5))  # 30 frames at 20 a second, though the sound goes on


def test_a_cover_picture_is_no_stream(tmp_path):
    path = write_video(tmp_path / "cover.mp4", GREYS, cover=True, options=FINE)
    assert indices_of(read(path).frames_THWC) == list(range(30))


@pytest.mark.parametrize(
    ("rotation", "shape", "colours"),
    [
        (0, (48, 64), ["red", "green", "blue", "yellow"]),
        (90, (64, 48), ["green", "yellow", "red", "blue"]),  # counterclockwise
        (180, (48, 64), ["yellow", "blue", "green", "red"]),
        (-90, (64, 48), ["blue", "red", "yellow", "green"]),
    ],
)
def test_rotation_marks_are_applied(tmp_path, rotation, shape, colours):
    clip = read(write_video(tmp_path / "turned.mp4", [corners()] * 3, rotation=rotation))
    assert clip.frames_THWC.shape[1:3] == shape
    assert colours_of(clip.frames_THWC[0]) == colours


def test_an_odd_rotation_is_refused(tmp_path):
    with pytest.raises(decode.ClipError, match=r"odd\.mp4: its rotation mark is no quarter turn"):
        read(write_video(tmp_path / "odd.mp4", [corners()] * 3, rotation=45))


@pytest.mark.parametrize(("aspect", "shape"), [(Fraction(2), (48, 128)), (Fraction(1, 2), (48, 32))])
def test_pixels_become_square(tmp_path, aspect, shape):
    clip = read(write_video(tmp_path / "wide.mp4", [corners()] * 3, pixel_aspect=aspect))
    assert clip.frames_THWC.shape[1:3] == shape
    assert colours_of(clip.frames_THWC[0]) == ["red", "green", "blue", "yellow"]


def test_pixel_aspect_comes_before_rotation(tmp_path):
    clip = read(write_video(tmp_path / "both.mp4", [corners()] * 3, pixel_aspect=Fraction(2), rotation=90))
    assert clip.frames_THWC.shape[1:3] == (128, 48)


def test_the_pixel_budget(tmp_path):
    clip = read(write_video(tmp_path / "big.mp4", [corners((128, 64))] * 2), max_pixels=2048)
    assert clip.frames_THWC.shape[1:3] == (32, 64)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "full_range"),
    [
        ("a.mp4", "libx264", "yuv420p", False),
        ("b.mp4", "libx264", "yuvj420p", False),
        ("c.webm", "libvpx-vp9", "yuv420p", True),
    ],
)
def test_black_is_black_and_white_is_white(tmp_path, name, codec, pix_fmt, full_range):
    for level in (0, 255):
        frame = np.full((48, 64, 3), level, np.uint8)
        clip = read(write_video(tmp_path / name, [frame] * 2, codec=codec, pix_fmt=pix_fmt, full_range=full_range))
        assert abs(int(clip.frames_THWC.min()) - level) <= 2
        assert abs(int(clip.frames_THWC.max()) - level) <= 2


def sound_only(path):
    import av

    with av.open(str(path), "w") as container:
        write_sound(container, container.add_stream("aac", rate=48000), 0.5)


def text(path):
    path.write_text("this is no video\n" * 50)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("missing.mp4", lambda path: None, "no such file"),
        ("empty.mp4", lambda path: path.write_bytes(b""), "is empty (0 bytes)"),
        ("folder.mp4", lambda path: path.mkdir(), "is a folder"),
        ("sound.mp4", sound_only, "audio only; a clip needs a moving picture"),
        ("text.mp4", text, "cannot be opened as a video"),
        ("text.txt", text, "is a text file or a play list"),
        ("empty.jpg", lambda path: path.write_bytes(b""), "is empty (0 bytes)"),
    ],
)
def test_what_is_no_clip_is_named_in_one_line(tmp_path, name, make, message):
    make(tmp_path / name)
    with pytest.raises(UserError) as caught:
        read(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_several_videos_are_no_clip(tmp_path):
    path = str(write_video(tmp_path / "a.mp4", [corners()] * 2))
    with pytest.raises(decode.ClipError, match="one video, or one or more pictures"):
        decode.read([path, path], every, max_pixels=10**6)


def test_a_clip_that_takes_too_long_is_named(tmp_path, monkeypatch):
    path = write_video(tmp_path / "slow.mp4", [corners()] * 5)
    monkeypatch.setattr("emovlm.frames.container.monotonic", itertools.count(0, 50).__next__)  # 50 s a look
    with pytest.raises(decode.ClipError, match=r"slow\.mp4: took more than 120 s"):
        read(path)
