"""Spans of a clip, by a jump and by walking; and times that packets tell wrongly."""

import functools
from fractions import Fraction

import numpy as np
import pytest

from emovlm.frames import decode, video
from emovlm.frames.policy import uniform

from .made_up_videos import corners, grey, indices_of, write_video

FINE = {"crf": "5"}


def every(times_s_T, span_s):
    return np.arange(len(times_s_T))


def read(path, choose=every, **asked):
    return decode.read([str(path)], choose, max_pixels=10**6, **asked)


LONG = {
    "j.mp4": ("libx264", "yuv420p", {"g": "25", "bf": "3", **FINE}),
    "j.mkv": ("libx264", "yuv420p", {"g": "25", **FINE}),
    "j.ts": ("libx264", "yuv420p", {"g": "25", "bf": "3", **FINE}),
    "j.avi": ("mpeg4", "yuv420p", {"g": "25", "bf": "2", "qmin": "1", "qmax": "1"}),
    "j.gif": ("gif", "rgb24", {}),
}


@pytest.fixture(scope="module", params=list(LONG))
def long_clip(request, tmp_path_factory):
    codec, pix_fmt, options = LONG[request.param]
    frames = [grey(index % 40) for index in range(200)]
    pix_fmt = "rgb8" if codec == "gif" else pix_fmt
    return write_video(
        tmp_path_factory.mktemp("long") / request.param, frames, codec=codec, pix_fmt=pix_fmt, options=options
    )


@pytest.mark.parametrize(
    ("start_s", "end_s", "first", "num"),
    [(1.0, 1.5, 20, 10), (6.02, 6.5, 121, 9), (9.9, None, 198, 2), (None, 0.25, 0, 5), (7.0, 7.001, 140, 1)],
)
def test_spans_count_from_the_first_frame_of_the_file(long_clip, start_s, end_s, first, num):
    clip = read(long_clip, start_s=start_s, end_s=end_s)
    np.testing.assert_allclose(clip.times_s_T, (first + np.arange(num)) / 20, atol=1e-9)
    tolerance = 1 if long_clip.suffix == ".gif" else 0
    difference = np.array(indices_of(clip.frames_THWC)) - (first + np.arange(num)) % 40
    assert np.max(np.abs(difference)) <= tolerance


def test_a_jump_gives_the_same_pixels_as_decoding_from_the_start(long_clip, monkeypatch):
    jumped = read(long_clip, start_s=6.3, end_s=7.0)
    monkeypatch.setattr(video, "JUMP_AFTER_S", float("inf"))
    walked = read(long_clip, start_s=6.3, end_s=7.0)
    assert np.array_equal(jumped.frames_THWC, walked.frames_THWC)
    assert np.array_equal(jumped.times_s_T, walked.times_s_T)


def test_a_span_between_two_frames_shows_the_one_on_display(tmp_path):
    path = write_video(
        tmp_path / "held.mp4", [grey(index) for index in range(6)], pts=[0, 1, 2, 20, 21, 60], options=FINE
    )
    clip = read(path, start_s=1.5, end_s=2.5)
    assert indices_of(clip.frames_THWC) == [4]
    assert clip.times_s_T.tolist() == [1.05]


def test_a_span_behind_the_end_is_refused(long_clip):
    with pytest.raises(decode.ClipError, match=r"no frame can be seen from 12\.0 s to .*ends at 10\.000 s"):
        read(long_clip, start_s=12.0, end_s=13.0)


def test_guessed_times_that_are_wrong_cost_a_pass_and_change_nothing(long_clip, monkeypatch):
    right = read(long_clip, functools.partial(uniform, keep=7))

    def misled(path, asked_s):
        seen = video.Visible(Fraction(1, 20), pts_T=list(range(0, 400, 3)), end_pts=400)
        return seen

    monkeypatch.setattr(video, "_guess", misled)
    again = read(long_clip, functools.partial(uniform, keep=7))
    assert np.array_equal(right.frames_THWC, again.frames_THWC)
    assert np.array_equal(right.times_s_T, again.times_s_T)


@pytest.mark.parametrize("span", [(2.0, 1.0), (-1.0, 1.0), (1.0, 1.0)])
def test_an_empty_span_is_refused(tmp_path, span):
    path = write_video(tmp_path / "a.mp4", [corners()] * 3)
    with pytest.raises(decode.ClipError, match="is empty or begins before"):
        read(path, start_s=span[0], end_s=span[1])
