"""A folder which lacks something: one line that names the file, the fault and the remedy."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from emovlm import UserError
from emovlm.report.folders import load, load_predictions
from emovlm.report.prose import protocol
from emovlm.report.records import FURTHER, METRICS
from emovlm.report.stamps import stamps

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


def test_a_folder_from_before_is_read_without_what_it_lacks(tmp_path: Path) -> None:
    folder = made_up.run(tmp_path / "run", per_class=5, full=True)
    now = load(folder).arms[0].runs[0].evaluations["test-likelihood"]
    assert now.collapse is not None
    assert now.calibration is not None
    assert now.look is not None
    assert set(now.scores) == {*METRICS, *FURTHER}
    then = load(made_up.before(folder)).arms[0].runs[0].evaluations["test-likelihood"]
    assert (then.collapse, then.calibration, then.look, then.orders, then.soft, then.agreement) == (None,) * 6
    assert (then.precision_C, then.f1_C, then.groups_C) == ((), (), ())
    assert then.scores == {name: now.scores[name] for name in METRICS}
    assert then.recall_C == now.recall_C


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"look": {"altered": {}}},
            r"report\.json: evaluations\.test-likelihood\.look\.ignores_video is missing; run",
        ),
        (
            {"orders": {"num_orders": "four", "flip_rate": 0.1}},
            r"orders\.num_orders is 'four': input should be a valid i",
        ),
        ({"precision": [0.5]}, r"test-likelihood\.precision: 1 entries for 7 classes"),
    ],
)
def test_what_is_broken_in_an_evaluation_is_named(tmp_path: Path, values: dict, message: str) -> None:
    folder = made_up.run(tmp_path / "run", per_class=5)
    report = json.loads((folder / "report.json").read_text())
    report["evaluations"]["test-likelihood"] |= values
    (folder / "report.json").write_text(json.dumps(report))
    with pytest.raises(UserError, match=message) as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_a_number_without_interval_is_read(tmp_path: Path) -> None:
    found = load(made_up.run(tmp_path / "run", per_class=3)).arms[0].runs[0].evaluations["test-likelihood"]
    assert found.interval.startswith("none: ")
    assert 0 < found.scores["uar"].value < 1
    assert np.isnan([found.scores["uar"].low, found.scores["uar"].high]).all()


def test_folds_are_pooled_into_one_run_a_seed(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), seeds=(0, 1), folds=3, per_class=12)
    study = load(folder)
    natural = study.arm("natural")
    assert study.num_folds == 3
    assert [run.seed for run in natural.runs] == [0, 1]
    assert len(natural.parts) == 6
    found = natural.runs[0].evaluations["test-likelihood"]
    own = [part.evaluations["test-likelihood"] for part in natural.runs[0].parts]
    assert found.num_clips == sum(one.num_clips for one in own) == 84
    assert np.array_equal(found.confusion, np.sum([one.confusion for one in own], axis=0))
    assert found.mean_of_folds["uar"] == pytest.approx(np.mean([one.scores["uar"].value for one in own]))
    assert len(load_predictions(natural.runs[0], "test-likelihood")[1]) == 84


def test_one_fold_alone_is_not_pooled(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), folds=3, per_class=12)
    report = json.loads((folder / "report.json").read_text())
    for arm in report["arms"]:
        arm["runs"] = [run for run in arm["runs"] if run["fold"] == 2]
    (folder / "report.json").write_text(json.dumps(report))
    study = load(folder)
    assert study.num_folds == 1
    assert study.arm("natural").runs[0].evaluations["test-likelihood"].mean_of_folds == {}


def test_a_warning_about_one_fold_names_it(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), folds=2, per_class=12)
    place = folder / "natural/fold2/seed0/report.json"
    report = json.loads(place.read_text())
    report["selected_on"] = "test"
    report["train"]["different_data"] = ["step 20: num_rows 480 then, 470 now"]
    place.write_text(json.dumps(report))
    found = stamps(load(folder), "test-likelihood")
    assert found[0].startswith("Selected on the test split: natural.")
    assert found[1] == "Resumed on different data: natural/fold2/seed0, step 20: num_rows 480 then, 470 now."


def test_runs_without_a_shared_evaluation_are_refused(study: Path) -> None:
    file = study / "natural/seed0/report.json"
    report = json.loads(file.read_text())
    report["evaluations"] = {"validation-likelihood": report["evaluations"]["test-likelihood"]}
    file.write_text(json.dumps(report))
    with pytest.raises(UserError, match="no evaluation that every run has"):
        load(study)


def test_an_arm_scored_otherwise_stands_beside_the_others(tmp_path):
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), per_class=3)
    report = json.loads((folder / "report.json").read_text())
    arms = {arm["name"]: arm for arm in report["arms"]}
    natural, zero_shot = (folder / arms[name]["runs"][0]["folder"] for name in ("natural", "zero_shot"))
    run = json.loads((natural / "report.json").read_text())
    other = "test-likelihood-batch_prior"  # here: what zero-shot answered
    run["evaluations"][other] = json.loads((zero_shot / "report.json").read_text())["evaluations"]["test-likelihood"]
    (natural / "report.json").write_text(json.dumps(run))
    shutil.copytree(zero_shot / "eval" / "test-likelihood", natural / "eval" / other)
    for arm in report["arms"]:
        arm["evaluation"] = "test-likelihood"
    report["arms"].append({**arms["natural"], "name": "adjusted", "evaluation": other})
    (folder / "report.json").write_text(json.dumps(report))

    found = load(folder)
    shown = {arm.name: arm.runs[0].evaluations["test-likelihood"] for arm in found.arms}
    scores = {name: [one.scores[metric].value for metric in METRICS] for name, one in shown.items()}
    assert scores["adjusted"] == scores["zero_shot"] != scores["natural"]
    answers = {arm.name: load_predictions(arm.runs[0], "test-likelihood")[1] for arm in found.arms}
    assert answers["adjusted"] == answers["zero_shot"] != answers["natural"]
    where = dict(protocol(found, "test-likelihood"))["evaluation"]
    assert where.endswith(f"; {other} (adjusted)")
