"""Several runs on one page: the first is the control, and what cannot be compared is refused in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from emovlm import UserError
from emovlm.cli import app
from emovlm.frames.clip import Clip
from emovlm.report.page import write
from emovlm.report.side_by_side import load, page_of
from emovlm.report.stamps import seeds_stamp, stamps

from . import folders_made_up as made_up

KEY = "test-likelihood"


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    arms = ("natural", "class_balanced", "zero_shot")
    return [made_up.run(tmp_path / "runs" / arm, arm=arm, per_class=10) for arm in arms]


def change(folder: Path, name: str, **values) -> None:
    report = json.loads((folder / "report.json").read_text())
    report["evaluations"][KEY] |= values
    (folder / name).write_text(json.dumps(report))


def test_the_first_is_the_control_and_what_recipes_differ_in_is_said(runs: list[Path]) -> None:
    study = load(runs)
    assert [(arm.name, arm.control, arm.zero_shot) for arm in study.arms] == [
        ("natural", True, False),
        ("class_balanced", False, False),
        ("zero_shot", False, True),
    ]
    assert [arm.overrides for arm in study.arms] == [
        (),
        ("sampler.strategy=class_balanced",),
        ("sampler.strategy=zero_shot",),
    ]
    page = write(study, page_of(study)).read_text(encoding="utf-8")
    assert page_of(study) == runs[0].parent / "compared.html"
    assert "Every run minus the control" in page
    assert "Compared: natural (the control), class_balanced and zero_shot." in page
    assert "sampler.strategy=class_balanced" in page
    assert "emovlm train runs/class_balanced/recipe.yaml\nemovlm evaluate runs/zero_shot/recipe.yaml\n" in page
    assert "emovlm report runs/natural runs/class_balanced runs/zero_shot" in page
    assert str(runs[0].parent.parent) not in page


def test_where_runs_looked_at_other_frames_those_of_the_control_are_shown(runs: list[Path]) -> None:
    for run, times_s in zip(runs, ([0.5], [1.0], [0.25, 0.75]), strict=True):
        path = run / "eval" / KEY / "predictions.jsonl"
        header, *lines = [json.loads(line) for line in path.read_text().splitlines()]
        header["protocol"]["frames"] = {"keep": len(times_s)}
        rows = [line | {"media": ["clip.mp4"], "times_s": times_s} for line in lines]
        path.write_text("".join(json.dumps(line) + "\n" for line in [header, *rows]))
        report = json.loads((run / "report.json").read_text())
        report["evaluations"][KEY]["protocol"]["frames"] = header["protocol"]["frames"]
        (run / "report.json").write_text(json.dumps(report))

    def read(media, choose, **_):
        assert choose(np.array([0.25, 0.5, 0.75, 1.0]), (0.0, 1.0)).tolist() == [1], "half a second, as the control"
        return Clip(np.zeros((1, 8, 8, 3), np.uint8), np.array([0.5]), True, 1)

    study = load(runs)
    page = write(study, page_of(study), read=read).read_text(encoding="utf-8")
    assert "the frames are those of natural" in page
    assert '<p class="note">scorer likelihood; score sum; frames not the same in all.' in page
    assert "keep 2 (zero_shot); keep 1 (natural, class_balanced)" in page


def test_one_folder_is_read_as_before(runs: list[Path]) -> None:
    study = load(runs[:1])
    assert study.kind == "run"
    assert page_of(study) == runs[0] / "report.html"


def test_a_folder_of_seeds_is_one_arm_and_names_are_as_long_as_needed(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), seeds=(0, 1), per_class=5)
    study = load([folder / "natural", folder / "class_balanced"])
    assert [[run.seed for run in arm.runs] for arm in study.arms] == [[0, 1], [0, 1]]
    assert "2 seeds (0, 1)" in seeds_stamp(study)
    assert page_of(study) == folder / "compared.html"
    single = load([folder / "natural/seed0", folder / "class_balanced/seed0"])
    assert [arm.name for arm in single.arms] == ["natural/seed0", "class_balanced/seed0"]
    mixed = load([folder / "natural", folder / "class_balanced/seed0"])
    assert "have different seeds" in seeds_stamp(mixed)
    other = load([folder / "natural/seed0", folder / "class_balanced/seed1"])
    assert seeds_stamp(other).startswith("One seed")


def test_folds_of_a_seed_are_pooled(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), folds=3, per_class=12)
    study = load([folder / "natural", folder / "class_balanced"])
    assert study.num_folds == 3
    assert study.arms[0].runs[0].evaluations[KEY].num_clips == 7 * 12


def test_other_clips_labels_or_classes_are_refused(runs: list[Path], tmp_path: Path) -> None:
    fewer = made_up.run(tmp_path / "fewer", per_class=9)
    with pytest.raises(UserError, match=r"other clips, labels or classes than .* \(63 clips against 70\)"):
        load([runs[0], fewer])
    renamed = made_up.run(tmp_path / "renamed", per_class=10, classes=("joy", *made_up.CLASSES[1:]))
    with pytest.raises(UserError, match="other clips, labels or classes"):
        load([runs[0], renamed])
    predictions = runs[1] / "eval" / KEY / "predictions.jsonl"
    header, first, rest = predictions.read_text().split("\n", 2)
    predictions.write_text("\n".join([header, json.dumps(json.loads(first) | {"target": "sad"}), rest]))
    with pytest.raises(UserError, match="other clips, labels or classes"):
        load(runs)


def test_what_is_no_run_is_refused(runs: list[Path], tmp_path: Path) -> None:
    study = made_up.study(tmp_path, arms=("natural", "class_balanced"), per_class=3)
    with pytest.raises(UserError, match="is a study, which has a page of its own"):
        load([runs[0], study])
    with pytest.raises(UserError, match="is given twice"):
        load([runs[0], runs[1], runs[1] / "../class_balanced"])
    with pytest.raises(UserError, match="no such folder"):
        load([runs[0], tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no evaluated run"):
        load([runs[0], tmp_path / "empty"])
    report = json.loads((runs[1] / "report.json").read_text())
    report["evaluations"] = {"test-generation": report["evaluations"][KEY]}
    (runs[1] / "report.json").write_text(json.dumps(report))
    with pytest.raises(UserError, match=r"no evaluation that all runs have \(natural: test-likelihood; class_bal"):
        load(runs)


def test_another_tail_is_stamped_and_its_recalls_are_not_subtracted(runs: list[Path]) -> None:
    assert not any("tail" in stamp for stamp in stamps(load(runs), KEY))
    change(runs[1], "report.json", tail=["sad", "fear"])
    study = load(runs)
    assert (
        "The tail is not the same classes (natural, zero_shot: disgust, fear; class_balanced: fear, sad): "
        "tail recalls are not of one kind."
    ) in stamps(study, KEY)
    page = write(study, page_of(study)).read_text(encoding="utf-8")
    section = page[page.index('id="differences"') : page.index('id="recall"')]
    assert section.count('data-title="Tail recall">-<') == 2


def test_the_command(runs: list[Path], tmp_path: Path) -> None:
    given = ["report", *map(str, runs[:2])]
    shown = CliRunner().invoke(app, [*given, "--out", str(tmp_path / "new/my.html")])
    assert shown.exit_code == 0, shown.output
    assert "2 runs side by side" in (tmp_path / "new/my.html").read_text(encoding="utf-8")
    assert not (runs[0].parent / "compared.html").exists()
    assert not (runs[0] / "report.html").exists()
    refused = CliRunner().invoke(app, [*given, "--format", "md", "--out", str(tmp_path)])
    assert isinstance(refused.exception, UserError)
    assert "cannot be written" in str(refused.exception)
