"""Clips that people filmed: H.264 and HEVC, odd rates, sound first, an edit list; and real photographs."""

import csv
import functools
import os
from pathlib import Path

import numpy as np
import pytest

from emovlm.frames import decode
from emovlm.frames.policy import uniform

SHARED = Path(os.environ.get("EMOVLM_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
needs_clips = pytest.mark.skipif(not (SHARED / "clips").is_dir(), reason=f"no clips in {SHARED} (EMOVLM_SHARED_DATA)")
needs_faces = pytest.mark.skipif(not (SHARED / "london_faces").is_dir(), reason=f"no london_faces in {SHARED}")
eight = functools.partial(uniform, keep=8)


@needs_clips
@pytest.mark.parametrize(
    ("name", "num_visible", "seconds"),
    [
        ("crying_laughing.mp4", 472, 19.686),
        ("face_noface.mov", 169, 6.402),
        ("no_face.mp4", 95, 4.015),  # the header says 98: an edit list hides three
        ("noface_face.mov", 169, 6.379),
        ("single_face.mp4", 72, 2.4),
    ],
)
def test_clips(name, num_visible, seconds):
    spans = []

    def choose(times_s_T, span_s):
        spans.append(span_s)
        return eight(times_s_T, span_s)

    clip = decode.read([str(SHARED / "clips" / name)], choose, max_pixels=100352)
    assert clip.num_visible == num_visible
    assert spans[-1][1] == pytest.approx(seconds, abs=0.02)
    assert clip.frames_THWC.shape[0] == 8
    assert clip.frames_THWC[0].size <= 3 * 100352
    np.testing.assert_allclose(clip.times_s_T, (np.arange(8) + 0.5) * seconds / 8, atol=0.03)
    assert np.std(clip.frames_THWC) > 20  # a picture, not a grey field


@needs_clips
def test_a_span_of_a_real_clip_is_the_same_by_jump_and_by_walking(monkeypatch):
    from emovlm.frames import video

    for name in ("crying_laughing.mp4", "noface_face.mov"):
        path = [str(SHARED / "clips" / name)]
        jumped = decode.read(path, eight, start_s=4.6, end_s=5.1, max_pixels=20000)
        monkeypatch.setattr(video, "JUMP_AFTER_S", float("inf"))
        walked = decode.read(path, eight, start_s=4.6, end_s=5.1, max_pixels=20000)
        monkeypatch.undo()
        assert np.array_equal(jumped.frames_THWC, walked.frames_THWC), name
        assert np.array_equal(jumped.times_s_T, walked.times_s_T), name


@needs_faces
def test_every_photograph():
    with open(SHARED / "london_faces" / "metadata.csv", encoding="utf-8", newline="") as file:
        names = [row["file_name"] for row in csv.DictReader(file)]
    assert len(names) == 204
    for name in names:
        clip = decode.read([str(SHARED / "london_faces" / name)], eight, max_pixels=100352)
        assert clip.frames_THWC.shape == (1, 224, 224, 3)
        assert not clip.timed
