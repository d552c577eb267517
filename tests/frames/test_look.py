"""From a row to a clip through the named policy."""

import sys
from fractions import Fraction
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from emovlm import UserError
from emovlm.frames import look as looking

from .made_up_videos import colours_of, corners, grey, indices_of, write_video


def frames(pick="uniform", **args):
    return SimpleNamespace(pick=pick, args=args, max_pixels=10**6, crop="none", crop_margin=0.0, cache=None)


@pytest.fixture
def row(tmp_path):
    path = write_video(tmp_path / "a.mp4", [grey(index) for index in range(20)], options={"crf": "5"})
    return {"id": "1", "media": [str(path)], "label": 3, "apex_s": 0.3, "onset_s": None, "start_s": None}


@pytest.fixture
def own_policy(monkeypatch):
    """A module `mine` whose policy records what it is given and returns what the test says."""
    module = ModuleType("mine")
    seen = {}

    def pick(times_s_T, span_s, *, answer, annotations=None, key=None, thumbnails=None):
        seen.update(annotations=annotations, key=key)
        return np.array(answer) if answer is not None else None

    module.pick = pick
    monkeypatch.setitem(sys.modules, "mine", module)
    monkeypatch.setattr(looking.lookup, "resolve", lambda home, name: pick)
    return seen


def test_uniform_with_its_argument(row):
    clip = looking.look(row, frames(keep=2), (0, 0, "1"))
    assert indices_of(clip.frames_THWC) == [5, 15]
    np.testing.assert_allclose(clip.times_s_T, [0.25, 0.75])


def test_the_rows_span_is_looked_at(row):
    clip = looking.look(row | {"start_s": 0.5, "end_s": 0.7}, frames(keep=8), (0, 0, "1"))
    assert indices_of(clip.frames_THWC) == [10, 11, 12, 13]


def test_a_policy_sees_annotations_and_key_but_no_label(row, own_policy):
    clip = looking.look(row, frames("mine:pick", answer=[1, 4]), (7, 2, "1"))
    assert indices_of(clip.frames_THWC) == [1, 4]
    assert own_policy == {"annotations": {"apex_s": 0.3}, "key": (7, 2, "1")}


def test_a_policy_that_looks_sees_small_grey_frames(row, monkeypatch):
    seen = []

    def pick(times_s_T, span_s, *, annotations=None, key=None, thumbnails):
        seen.append((times_s_T, thumbnails))
        return np.argsort(thumbnails.mean(axis=(1, 2)))[-2:]

    monkeypatch.setattr(looking.lookup, "resolve", lambda home, name: pick)
    clip = looking.look(row, frames("mine:pick"), None)
    assert indices_of(clip.frames_THWC) == [18, 19]  # the two brightest
    times_s_T, thumbnails_THW = seen[-1]
    assert thumbnails_THW.shape == (20, 48, 64)
    assert [round((level - 10) / 6) for level in thumbnails_THW.mean(axis=(1, 2))] == list(range(20))
    assert len(times_s_T) == 20


def test_a_policy_that_looks_is_not_asked_about_times_that_are_wrong(tmp_path, monkeypatch):
    """Packets of hidden frames mislead the guess: here they tell of three frames too many."""
    from emovlm.frames import video

    path = write_video(tmp_path / "b.mp4", [grey(index) for index in range(12)], options={"crf": "5"})
    monkeypatch.setattr(video, "_guess", lambda path, asked_s: video.Visible(Fraction(1, 20), 0, 15, list(range(15))))

    def pick(times_s_T, span_s, *, annotations=None, key=None, thumbnails):
        assert len(times_s_T) == len(thumbnails) == 12
        return np.array([3, 11])

    monkeypatch.setattr(looking.lookup, "resolve", lambda home, name: pick)
    clip = looking.look({"id": "1", "media": [str(path)]}, frames("mine:pick"), None)
    assert indices_of(clip.frames_THWC) == [3, 11]


def test_a_policy_that_does_not_look_costs_one_pass(row, monkeypatch):
    passes = []
    monkeypatch.setattr(looking.caches, "read", lambda *args, **more: passes.append(more))
    looking.look(row, frames(keep=2), None)
    looking.look(row, frames("segment_random", keep=2), (0, 0, "1"))
    looking.look(row, frames("segment_random", keep=2), None)
    assert [one["every"] for one in passes] == [False, True, False]
    passes.clear()
    with pytest.raises(AttributeError):  # what was read is None here
        looking.look(row, frames("keyframes", keep=2), None)
    assert passes == [{"max_pixels": looking.THUMBNAIL_PIXELS, "rough": True}]


def test_the_row_is_named_where_a_policy_refuses_it(row):
    with pytest.raises(UserError, match=r"row 1: frames\.pick: no apex_s"):
        looking.look(row | {"apex_s": None}, frames("apex"), None)


def test_the_part_that_the_recipe_crops(tmp_path):
    path = write_video(tmp_path / "c.mp4", [corners((128, 96))] * 4, options={"crf": "5"}, rotation=90)
    turned = looking.look({"id": "1", "media": [str(path)]}, frames(keep=1), None)
    assert turned.crop is None
    asked = frames(keep=1)
    asked.crop, asked.crop_margin = "box", 0.0
    for place, box in enumerate(([0, 0, 0.5, 0.5], [0.5, 0, 1, 0.5], [0, 0.5, 0.5, 1], [0.5, 0.5, 1, 1])):
        clip = looking.look({"id": "1", "media": [str(path)], "box": box}, asked, None)
        assert clip.frames_THWC.shape == (1, 64, 48, 3)  # a quarter of the upright 96 x 128
        assert set(colours_of(clip.frames_THWC[0])) == {colours_of(turned.frames_THWC[0])[place]}
        assert clip.crop == tuple(box)
    asked.max_pixels = 64 * 48
    row = {"id": "1", "media": [str(path)], "box": [0, 0, 0.5, 0.5]}
    assert looking.look(row, asked, None).frames_THWC.shape == (1, 64, 48, 3)  # the budget goes to what is shown
    asked.max_pixels = 16 * 12
    small = looking.look(row, asked, None)
    assert small.frames_THWC.shape == (1, 16, 12, 3)
    assert set(colours_of(small.frames_THWC[0])) == {colours_of(turned.frames_THWC[0])[0]}


def test_a_crop_of_pictures(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(corners((128, 96))).save(path)
    asked = frames(keep=1)
    asked.crop, asked.crop_margin = "box", 0.0
    row = {"id": "1", "media": [str(path)], "box": [0.5, 0, 1, 0.5]}
    clip = looking.look(row, asked, None)
    assert clip.frames_THWC.shape == (1, 48, 64, 3)
    assert colours_of(clip.frames_THWC[0]) == ["green"] * 4
    assert clip.crop == (0.5, 0, 1, 0.5)
    asked.max_pixels = 12 * 16
    clip = looking.look(row, asked, None)
    assert clip.frames_THWC.shape == (1, 12, 16, 3)
    assert colours_of(clip.frames_THWC[0]) == ["green"] * 4


@pytest.mark.parametrize("answer", [None, [], [2, 1], [1, 1], [20], [-1], [0.5], [[1]]])
def test_a_policy_that_breaks_its_contract_is_named(row, own_policy, answer):
    with pytest.raises(UserError, match=r"frames\.pick: mine:pick gave .* for 20 frames"):
        looking.look(row, frames("mine:pick", answer=answer), (0, 0, "1"))
