"""What is cut out of a clip, and that it is one and the same part from its first frame to its last."""

import os
from pathlib import Path

import numpy as np
import pytest

from emovlm import UserError
from emovlm.frames import boxes, crop, faces
from emovlm.frames.cache import Cache, Part
from emovlm.frames.crop import Cut, cut_of

CLIPS = Path(os.environ.get("EMOVLM_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data")) / "clips"
needs_clips = pytest.mark.skipif(not CLIPS.is_dir(), reason=f"no {CLIPS} (EMOVLM_SHARED_DATA)")
needs_landmarker = pytest.mark.skipif(not faces.installed(), reason=f"no face landmarker: {faces.INSTALL}")
PART = Part(["nowhere.mp4"])


def write_track(path, *lines, header="time_s,left,top,right,bottom"):
    path.write_text("\n".join([header, *lines]) + "\n")
    return str(path)


def test_none_is_all_of_it():
    assert cut_of({"id": "1", "box": [0.1, 0.1, 0.2, 0.2]}, PART, "none", 0.0, None) == Cut(None)


def test_a_box_with_its_margin():
    row = {"id": "1", "box": [0.2, 0.4, 0.4, 0.8]}
    assert cut_of(row, PART, "box", 0.5, None).box == pytest.approx((0.1, 0.2, 0.5, 1.0))


def test_a_track_is_one_box_for_the_clip(tmp_path):
    track = write_track(tmp_path / "t.csv", "0,.1,.1,.2,.2", "1,.3,.1,.4,.2", "2,.3,.5,.4,.6", "3,0,0,1,1")
    row = {"id": "1", "track": track, "box": [0, 0, 1, 1]}

    def found(**span):
        return cut_of(row | span, PART, "box", 0.0, None).box

    assert found(end_s=3.0) == pytest.approx((0.1, 0.1, 0.4, 0.6))
    # From 1.5 s the box of 1 s still holds; what comes at or after the end does not count.
    assert found(start_s=1.5, end_s=2.5) == pytest.approx((0.3, 0.1, 0.4, 0.6))
    assert found(start_s=1.5, end_s=2.0) == pytest.approx((0.3, 0.1, 0.4, 0.2))
    assert found(start_s=1.0, end_s=2.0) == pytest.approx((0.3, 0.1, 0.4, 0.2))
    assert found() == (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, r"row 1: frames\.crop=box needs a box or a track"),
        ({"box": [10, 20, 50, 60]}, "row 1: box .* as shares from 0 to 1"),
        ({"box": [0.5, 0.1, 0.4, 0.2]}, "left, top, right, bottom"),
        ({"track": "nowhere.csv"}, r"nowhere\.csv: the track cannot be read"),
    ],
)
def test_a_box_that_is_none(row, said):
    with pytest.raises(UserError, match=said):
        cut_of({"id": "1"} | row, PART, "box", 0.25, None)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "the track has no box"),
        (["0,.1,.1,.2"], r":2: five numbers"),
        (["0,.1,.1,.2,.2", "x,.1,.1,.2,.2"], r":3: five numbers"),
        (["0,10,10,20,20"], r":2: left, top, right, bottom must be shares"),
        (["1,.1,.1,.2,.2", "1,.1,.1,.2,.2"], r":3: time_s 1\.0 does not come after 1\.0"),
    ],
)
def test_a_track_that_is_none(tmp_path, lines, said):
    with pytest.raises(UserError, match=said):
        crop.read_track(write_track(tmp_path / "t.csv", *lines))


def test_a_track_needs_its_first_line(tmp_path):
    with pytest.raises(UserError, match="its first line must be time_s,left,top,right,bottom"):
        crop.read_track(write_track(tmp_path / "t.csv", "0,.1,.1,.2,.2", header="t,x,y,w,h"))


def test_a_track_that_ends_before_the_span(tmp_path):
    late = write_track(tmp_path / "t.csv", "5,.1,.1,.2,.2")
    with pytest.raises(UserError, match=r"row 1: the track .* has no box from 1\.0 to 2\.0 s"):
        cut_of({"id": "1", "track": late, "start_s": 1.0, "end_s": 2.0}, PART, "box", 0.0, None)


@needs_clips
@needs_landmarker
def test_the_face_of_a_clip_is_in_its_cut_at_all_times():
    part = Part([str(CLIPS / "single_face.mp4")])
    cut = cut_of({"id": "1"}, part, "face", 0.25, None)
    assert cut.box is not None
    left, top, right, bottom = cut.box
    # By eye, in 640 x 360: the face from about x 215 to 370 and y 85 to 295.
    assert left == pytest.approx(0.3, abs=0.08)
    assert right == pytest.approx(0.62, abs=0.08)
    assert 0.05 < top < 0.3
    assert 0.85 < bottom <= 1
    assert boxes.union([cut.box, cut.eyes]) == cut.box
    tight = cut_of({"id": "1"}, part, "face", 0.0, None)
    assert boxes.widened(tight.box, 0.25) == pytest.approx(cut.box)


@needs_clips
@needs_landmarker
def test_without_a_face_nothing_is_cut():
    assert cut_of({"id": "1"}, Part([str(CLIPS / "no_face.mp4")]), "face", 0.25, None) == Cut(None)


@needs_clips
@needs_landmarker
def test_a_face_is_looked_for_once(tmp_path, monkeypatch):
    cache = Cache(tmp_path, 1e9)
    parts = [Part([str(CLIPS / name)], end_s=1.0) for name in ("single_face.mp4", "no_face.mp4")]
    cold = [cut_of({"id": "1"}, part, "face", 0.25, cache) for part in parts]
    monkeypatch.setattr(faces, "reader", None)
    assert [cut_of({"id": "1"}, part, "face", 0.25, cache) for part in parts] == cold
    with pytest.raises(TypeError):
        cut_of({"id": "1"}, Part(parts[0].media, end_s=2.0), "face", 0.25, cache)


def test_the_eyes_are_blanked_where_they_are_in_the_cut():
    thumbnails = np.ones((2, 10, 10), np.float32)
    assert crop.without_eyes(thumbnails, Cut((0.2, 0.2, 0.8, 0.8))) is thumbnails
    # Eyes from .4 to .6 and .3 to .4 of the picture are .33 to .67 and .17 to .33 of the cut, a tenth wider each way.
    blanked = crop.without_eyes(thumbnails, Cut((0.2, 0.2, 0.8, 0.8), (0.4, 0.3, 0.6, 0.4)))
    assert np.argwhere(blanked[0] == 0).min(axis=0).tolist() == [1, 3]
    assert np.argwhere(blanked[0] == 0).max(axis=0).tolist() == [3, 6]
    assert (blanked[0] == 0).sum() == 3 * 4
    assert thumbnails.min() == 1
