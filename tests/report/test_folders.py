"""A folder which lacks something: one line that names the file, the fault and the remedy."""

import json
from pathlib import Path

import pytest

from emovlm import UserError
from emovlm.report.folders import load, load_predictions

from . import folders_made_up as made_up


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return made_up.study(tmp_path, arms=("natural", "class_balanced"), per_class=3)


def test_a_study_is_read(study: Path) -> None:
    found = load(study)
    assert [arm.name for arm in found.arms] == ["natural", "class_balanced", "zero_shot"]
    assert [arm.control for arm in found.arms] == [True, False, False]
    assert found.contrast == ("class_balanced", "natural")
    assert found.seeds == (0,)
    assert found.recipe_name == "recipes/demo/tiny.yaml"
    run = found.arm("natural").runs[0]
    assert run.ledger is not None
    assert sum(run.ledger.drawn_C) == 60 * 16
    classes, rows = load_predictions(run, "test-likelihood")
    assert classes == made_up.CLASSES
    assert [row.id for row in rows[:2]] == ["test/0000", "test/0001"]


def test_a_line_separator_inside_a_string_does_not_cut_the_line(study: Path) -> None:
    path = study / "natural/seed0/eval/test-likelihood/predictions.jsonl"
    lines = path.read_text(encoding="utf-8").split("\n")
    lines[1] = json.dumps(json.loads(lines[1]) | {"text": "so\u2028what"}, ensure_ascii=False)
    path.write_text("\n".join(lines), encoding="utf-8")
    assert len(load_predictions(load(study).arm("natural").runs[0], "test-likelihood")[1]) == 21


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("report.json", None, r"sampling/report\.json: no such file; run the study"),
        ("natural/seed0/report.json", None, r"natural/seed0/report\.json: no such file"),
        ("natural/seed0/report.json", '{"name": "x"}', r"natural/seed0/report\.json: 'evaluations' is missing"),
        ("natural/seed0/report.json", "{\n,", r"natural/seed0/report\.json:2: not JSON"),
        ("natural/seed0/recipe.yaml", None, r"recipe\.yaml: no such file"),
        ("natural/seed0/ledger.json", "{}", r"ledger\.json: 'classes' is missing"),
        ("natural/seed0/log.jsonl", '{"step": 1}\n{"st', r"log\.jsonl:2: not JSON"),
        ("report.json", '{"arms": [], "control": null}', r"no arm in 'arms'"),
    ],
)
def test_what_is_missing_or_broken_is_named(study: Path, file: str, content: str | None, message: str) -> None:
    (study / file).unlink()
    if content is not None:
        (study / file).write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        load(study)
    assert "\n" not in str(caught.value)


def test_a_contrast_with_an_unknown_arm(study: Path) -> None:
    report = json.loads((study / "report.json").read_text())
    (study / "report.json").write_text(json.dumps(report | {"contrast": ["clas_balanced", "natural"]}))
    with pytest.raises(UserError, match="'clas_balanced' is named as control or contrast but is no arm; arms: natural"):
        load(study)


def test_arms_on_other_clips_are_refused(study: Path) -> None:
    file = study / "natural/seed0/report.json"
    report = json.loads(file.read_text())
    report["evaluations"]["test-likelihood"]["support"][0] += 1
    file.write_text(json.dumps(report))
    with pytest.raises(UserError, match="has other classes or clips than"):
        load(study)


def test_runs_without_a_shared_evaluation_are_refused(study: Path) -> None:
    file = study / "natural/seed0/report.json"
    report = json.loads(file.read_text())
    report["evaluations"] = {"validation-likelihood": report["evaluations"]["test-likelihood"]}
    file.write_text(json.dumps(report))
    with pytest.raises(UserError, match="no evaluation that every run has"):
        load(study)
