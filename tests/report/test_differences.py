"""Every arm minus the control: the numbers of the folder, and the p of the best of many."""

import json
from pathlib import Path

import pytest

from emovlm.report.answers import best_of_all, difference
from emovlm.report.contrast import answers_of, statistics_of
from emovlm.report.differences import against_control
from emovlm.report.folders import load
from emovlm.report.numbers import bracket, chance, signed
from emovlm.report.records import METRICS

from . import folders_made_up as made_up

KEY = "test-likelihood"


def test_every_arm_has_its_difference_interval_and_p(tmp_path: Path) -> None:
    study = load(made_up.study(tmp_path, arms=("natural", "class_balanced", "square_root"), per_class=15))
    found = against_control(study, KEY)
    assert found is not None
    assert found.control == "natural"
    assert [arm for arm, _ in found.lines] == ["zero_shot", "class_balanced", "square_root"]
    value = {arm.name: arm.runs[0].evaluations[KEY].scores for arm in study.arms}
    answers = answers_of(study.arms, KEY)
    statistics = statistics_of(study.arms[0].runs[0].evaluations[KEY])
    for arm, cells in found.lines:
        for metric, (_, shown, below) in zip(METRICS, cells, strict=True):
            assert shown == signed(value[arm][metric].value - value["natural"][metric].value)
            one = difference(answers, arm, "natural", statistics[metric])
            joint = best_of_all(answers, "natural", statistics[metric])
            assert one.p is not None
            assert one.p <= joint[arm] + 0.02, "the best of many is never the more certain, but for the draws"
            assert below == (bracket(one, signed), f"p {chance(one.p)}", f"best of 3: p {chance(joint[arm])}")
    assert "On the same 105 clips" in found.note
    assert "Westfall and Young" in found.note


def test_arms_with_other_numbers_of_seeds_have_an_interval_and_no_p(tmp_path: Path) -> None:
    study = load(made_up.study(tmp_path, arms=("natural", "class_balanced"), seeds=(0, 1), per_class=15))
    found = against_control(study, KEY)
    assert found is not None
    lines = dict(found.lines)
    _, _, (interval, p, joint) = lines["zero_shot"][0]
    assert interval.startswith("[")
    assert (p, joint) == ("", "")
    assert lines["class_balanced"][0][2][1].startswith("p ")
    assert lines["class_balanced"][0][2][2] == "", "one arm has no best of many"
    assert "No p: there is nothing to swap" in found.note
    assert "Westfall" not in found.note


def test_a_tail_without_clips_has_no_difference(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced", "square_root"), per_class=6)
    for report in folder.glob("*/seed0/report.json"):
        predictions = report.parent / "eval" / KEY / "predictions.jsonl"
        header, *rows = predictions.read_text().splitlines()
        lines = [json.loads(row) for row in rows]
        lines = [line | {"target": None} if line["target"] in ("fear", "disgust") else line for line in lines]
        predictions.write_text("\n".join([header, *map(json.dumps, lines)]) + "\n")
    found = against_control(load(folder), KEY)
    assert found is not None
    assert {cells[3][1:] for _, cells in found.lines} == {("-", ("", "", ""))}
    assert "-" not in {cells[1][1] for _, cells in found.lines}


@pytest.mark.parametrize("kind", ["run", "no control"])
def test_without_a_control_there_is_nothing_to_subtract(tmp_path: Path, kind: str) -> None:
    if kind == "run":
        folder = made_up.run(tmp_path / "run", per_class=3)
    else:
        folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), per_class=3)
        report = json.loads((folder / "report.json").read_text())
        (folder / "report.json").write_text(json.dumps(report | {"control": None}))
    assert against_control(load(folder), KEY) is None
