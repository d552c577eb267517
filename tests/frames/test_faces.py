"""Faces of real clips, and who is followed."""

import functools
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emovlm import UserError
from emovlm.frames import decode, faces
from emovlm.frames.faces import Face, one_person
from emovlm.frames.policy import uniform

ROOT = Path(__file__).parents[2]
CLIPS = Path(os.environ.get("EMOVLM_SHARED_DATA", ROOT.parent / "shared" / "data")) / "clips"
needs_clips = pytest.mark.skipif(not CLIPS.is_dir(), reason=f"no {CLIPS} (EMOVLM_SHARED_DATA)")
needs_landmarker = pytest.mark.skipif(not faces.installed(), reason=f"no face landmarker: {faces.INSTALL}")


def face(left, top, right, bottom):
    return Face((left, top, right, bottom), (left, top, right, top), {})


BIG, SMALL = face(0.1, 0.1, 0.6, 0.6), face(0.7, 0.1, 0.9, 0.3)
MOVED = face(0.15, 0.1, 0.65, 0.6)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([[], []], [None, None]),
        ([[SMALL, BIG], [MOVED, SMALL]], [BIG, MOVED]),  # the order in which faces are found means nothing
        ([[BIG], [], [MOVED]], [BIG, None, MOVED]),  # out of sight for a frame
        # Areas .25 against .04 a frame: seven sightings of the small face outweigh one of the big one.
        ([[BIG, SMALL], *[[SMALL]] * 6], [SMALL] * 7),
        ([[BIG, SMALL], *[[SMALL]] * 5], [BIG, *[None] * 5]),  # .25 against .24
    ],
)
def test_one_person_is_followed(seen, expected):
    assert one_person(seen) == expected


def test_two_people_who_stand_close_do_not_change_places():
    # The face of frame 1 overlaps both of frame 0 (.6 and 1): the best pair is taken first.
    left, right = face(0.1, 0, 0.5, 1), face(0.2, 0, 0.6, 1)
    assert one_person([[left, right], [right]]) == [right, right]
    assert one_person([[right, left], [right]]) == [right, right]
    assert one_person([[left], [left, right]]) == [left, left]


def test_after_a_cut_it_is_another_person():
    assert one_person([[BIG], [BIG], [SMALL], [SMALL]]) == [BIG, BIG, None, None]


def frames_of(name, keep):
    read = decode.read([str(CLIPS / name)], functools.partial(uniform, keep=keep), max_pixels=100_000)
    return read.frames_THWC


@needs_clips
@needs_landmarker
def test_a_smile_that_grows():
    found = faces.reader().read(frames_of("single_face.mp4", 6))
    smiles = [face.blendshapes["mouthSmileLeft"] for face in found]
    assert smiles[0] < 0.1
    assert smiles[-1] > 0.7
    left, top, right, bottom = found[0].box
    assert 0 < left < right < 1
    assert 0 < top < bottom < 1
    eyes = found[0].eyes
    assert left < eyes[0] < eyes[2] < right
    assert top < eyes[1] < eyes[3] < (top + bottom) / 2
    assert len(found[0].blendshapes) == 51


@needs_clips
@needs_landmarker
def test_no_face_is_none_and_no_guess():
    assert faces.reader().read(frames_of("no_face.mp4", 4)) == [None] * 4
    found = faces.reader().read(frames_of("face_noface.mov", 8))
    assert [face is not None for face in found] == [True] * 3 + [False] * 5


@needs_clips
@needs_landmarker
def test_a_worker_does_not_inherit_a_dead_reader():
    frames_THWC = frames_of("single_face.mp4", 1)
    assert faces.reader().read(frames_THWC)[0] is not None
    worker = multiprocessing.get_context("fork").Process(target=_read, args=(frames_THWC,))
    worker.start()
    worker.join(timeout=60)
    worker.kill()
    assert worker.exitcode == 0


def _read(frames_THWC):
    assert faces.reader().read(frames_THWC)[0] is not None


def test_without_the_landmarker_the_remedy_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(faces.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"emovlm\[face\]"):
        faces.FaceReader()
    assert not faces.installed()


@needs_landmarker
def test_a_model_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"no such model file"):
        faces.FaceReader(tmp_path / "none.task")


@needs_landmarker
def test_nothing_is_said_at_the_exit_of_python():
    code = "import numpy as np; from emovlm.frames import faces; kept = faces.FaceReader(); "
    code += "kept.read(np.zeros((1, 64, 64, 3), np.uint8)); faces.reader().read(np.zeros((1, 64, 64, 3), np.uint8))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout + done.stderr == ""


@needs_landmarker
def test_no_remarks_of_the_library(capfd):
    reader = faces.FaceReader()
    reader.read(np.zeros((1, 64, 64, 3), np.uint8))
    reader.close()
    assert capfd.readouterr().err == ""
