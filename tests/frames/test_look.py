"""From a row to a clip through the named policy."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from emovlm import UserError
from emovlm.frames import look as looking

from .made_up_videos import grey, indices_of, write_video


def frames(pick="uniform", **args):
    return SimpleNamespace(pick=pick, args=args, max_pixels=10**6)


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


@pytest.mark.parametrize("answer", [None, [], [2, 1], [1, 1], [20], [-1], [0.5], [[1]]])
def test_a_policy_that_breaks_its_contract_is_named(row, own_policy, answer):
    with pytest.raises(UserError, match=r"frames\.pick: mine:pick gave .* for 20 frames"):
        looking.look(row, frames("mine:pick", answer=answer), (0, 0, "1"))
