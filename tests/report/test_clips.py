"""Which clips the page shows."""

import json
from pathlib import Path

import pytest

from emovlm.report.clips import NUM_HARDEST, hardest, strips
from emovlm.report.folders import load
from emovlm.report.page import write_page
from emovlm.report.records import Prediction

from . import folders_made_up as made_up

KEY = "test-likelihood"


def prediction(row_id: str, target: str | None, *scores: float) -> Prediction:
    return Prediction(row_id, target, (), scores, (), None, None, None, 0)


def no_media(*_, **__):
    raise AssertionError("these clips have no media")


def test_hardest_is_the_lowest_probability_of_the_true_class() -> None:
    """Softmax by hand: log 9 against 0 gives .9 and .1; an even pair .5. Only differences of scores count."""
    rows = [
        prediction("right", "a", 2.1972, 0.0),  # .9
        prediction("wrong", "b", 2.1972, 0.0),  # .1
        prediction("even", "a", -70.0, -70.0),  # .5
        prediction("also wrong", "a", 5.0, 5.0 + 2.1972),  # .1: a tie, by id
        prediction("no label", None, 0.0, 9.0),
        prediction("written", "b"),
    ]
    found = hardest({row.id: row for row in rows}, ["a", "b"])
    assert found == ["also wrong", "wrong", "even", "right"]
    assert NUM_HARDEST == 4


@pytest.mark.parametrize(("control", "judge"), [("class_balanced", "class_balanced"), (None, "natural")])
def test_the_control_is_the_judge_and_without_one_the_first_trained_arm(tmp_path: Path, control, judge) -> None:
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), per_class=8)
    report = json.loads((folder / "report.json").read_text())
    (folder / "report.json").write_text(json.dumps(report | {"control": control}))
    _, strip = strips(load(folder), KEY, no_media)
    assert strip.heading == "Hardest clips"
    assert f"to which {judge} gave the lowest probability" in strip.rule
    shares = [
        next(bar.share for bar in answer.bars if bar.is_target)
        for clip in strip.clips
        for answer in clip.answers
        if answer.arm == judge
    ]
    assert len(shares) == NUM_HARDEST
    assert shares == sorted(shares)
    assert len({answer.arm for answer in strip.clips[0].answers}) == 3


def test_a_scorer_without_scores_has_no_hardest_clips(tmp_path: Path) -> None:
    folder = made_up.run(tmp_path / "run", per_class=4, full=True)
    assert [strip.name for strip in strips(load(folder), "test-generation-synonyms", no_media)] == ["clips"]
    page = write_page(folder, key="test-generation-synonyms").read_text(encoding="utf-8")
    assert 'id="clips"' in page
    assert 'id="hardest"' not in page
