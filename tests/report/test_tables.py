"""The terminal's table says what the page says."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from emovlm.report.folders import load
from emovlm.report.numbers import brief, chance, mean, number, signed
from emovlm.report.page import write_page
from emovlm.report.records import METRICS
from emovlm.report.stamps import stamps
from emovlm.report.tables import print_table, rows

from . import folders_made_up as made_up


def shown(folder: Path, width: int = 80) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    print_table(load(folder), console)
    return console.export_text()


def test_the_table_fits_eighty_columns_and_has_every_number(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path)
    text = shown(folder)
    assert max(map(len, text.splitlines())) <= 80
    study = load(folder)
    for row in rows(study, "test-likelihood"):
        assert row.arm in text
        for cell in map(row.cells.__getitem__, METRICS):
            assert brief(cell.value) in text
            assert f"[{brief(cell.low)}, {brief(cell.high)}]" in text
    assert "control" in text
    assert "untrained" in text
    flat = " ".join(text.split())
    assert "Tail by training clips: fear 39, disgust 6." in flat
    assert "One seed: a demonstration, not a claim of significance." in flat
    assert "class_balanced minus natural" in flat
    assert "Brackets: 95 % bootstrap over subjects, 1000 draws." in flat
    assert "Interval: 95 %, subjects resampled (1000 draws). p: the answers swapped by subject" in flat
    assert "Never answered: zero_shot disgust." in flat
    entry = study.arm("natural").runs[0].evaluations["test-likelihood"]
    assert entry.calibration is not None
    assert f"natural {entry.calibration.ece:.3f} ({entry.calibration.expected_ece:.3f})" in flat


def test_markup_in_a_class_name_is_text(tmp_path: Path) -> None:
    names = ("[bold]x", "[/]", "c", "d", "e", "f", "g")
    text = shown(made_up.study(tmp_path, classes=names, arms=("natural", "class_balanced"), per_class=3), width=200)
    assert "[bold]x 3" in text
    assert "[/] 3" in text


def test_two_seeds_are_too_few_for_a_claim(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path, seeds=(0, 1), arms=("natural", "class_balanced"), per_class=5)
    assert "At least three are needed before a claim." in " ".join(shown(folder).split())


def test_classes_run_from_head_to_tail(tmp_path: Path) -> None:
    evaluation = load(made_up.run(tmp_path / "run")).arms[0].runs[0].evaluations["test-likelihood"]
    assert [evaluation.classes[c] for c in evaluation.head_to_tail][-2:] == ["fear", "disgust"]


def test_of_classes_with_as_many_clips_the_tail_is_last(tmp_path: Path) -> None:
    """The figures tint the right end as the tail."""
    folder = made_up.run(tmp_path / "run", per_class=3)
    report = json.loads((folder / "report.json").read_text())
    report["evaluations"]["test-likelihood"] |= {"train_counts": [44] * 7, "tail": ["happy", "sad"]}
    (folder / "report.json").write_text(json.dumps(report))
    evaluation = load(folder).arms[0].runs[0].evaluations["test-likelihood"]
    assert [evaluation.classes[c] for c in evaluation.head_to_tail] == [*made_up.CLASSES[2:], "happy", "sad"]


@pytest.mark.parametrize(("value", "plain", "with_sign"), [(0.5, "0.500", "+0.500"), (float("nan"), "-", "-")])
def test_numbers(value: float, plain: str, with_sign: str) -> None:
    assert number(value) == plain
    assert signed(value) == with_sign


def test_a_p_is_never_written_as_zero_and_a_mean_leaves_out_what_is_not_there() -> None:
    assert (chance(0.0004), chance(0.012)) == ("<0.001", "0.012")
    assert mean([0.5, None, 0.7]) == pytest.approx(0.6)
    assert number(mean([None])) == "-"


def test_folds_are_pooled_and_their_mean_stands_below(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), seeds=(0, 1), folds=3)
    text = shown(folder)
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith("sampling: test-likelihood, pooled over folds (3)")
    natural = next(row for row in rows(load(folder), "test-likelihood") if row.arm == "natural")
    by_fold = [
        json.loads((folder / f"natural/fold{fold}/seed{seed}/report.json").read_text())["evaluations"]
        for fold in (1, 2, 3)
        for seed in (0, 1)
    ]
    mean_of_folds = sum(one["test-likelihood"]["macro_f1"]["value"] for one in by_fold) / 6
    assert natural.cells["macro_f1"].mean_of_folds == pytest.approx(mean_of_folds)
    assert f"folds {brief(mean_of_folds)}" in text
    flat = " ".join(text.split())
    assert "Values are pooled over folds; mean of folds: the mean of each fold's own score." in flat
    assert "Brackets: zero_shot: 95 % bootstrap over subjects, 1000 draws; natural, class_balanced: 95 % boo" in flat
    assert "over subjects and seeds, 1000 draws." in flat


def test_one_subject_a_fold_has_no_mean_of_folds(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), folds=12, per_class=12)
    flat = " ".join(shown(folder).split())
    assert "No mean of folds: a fold lacks a class, or tests one subject." in flat
    assert "folds ." not in flat


def test_without_subjects_enough_there_is_no_bracket(tmp_path: Path) -> None:
    text = shown(made_up.study(tmp_path, arms=("natural", "class_balanced"), per_class=3))
    assert "[" not in text
    flat = " ".join(text.split())
    assert "Brackets: none: a class has clips of fewer than 5 subjects." in flat
    assert "No interval: a class has clips of fewer than 5 subjects. p: the answers swapped by subject" in flat


def test_answers_that_were_cut_off_are_counted_apart(tmp_path: Path) -> None:
    folder = made_up.run(tmp_path / "run", per_class=5)
    report = json.loads((folder / "report.json").read_text())
    report["evaluations"]["test-likelihood"] |= {"unreadable": 3, "cut_off": 2}
    (folder / "report.json").write_text(json.dumps(report))
    lines = [line.split() for line in shown(folder).splitlines()]
    assert any(line[-1:] == ["3"] for line in lines)
    assert any(line[-2:] == ["2", "cut"] for line in lines)


def change_training(folder: Path, **values) -> None:
    report = json.loads((folder / "report.json").read_text())
    report["train"] |= values
    (folder / "report.json").write_text(json.dumps(report))


def test_a_loss_with_the_natural_prior_is_stamped_with_its_arms(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), per_class=3)
    change_training(folder / "natural/seed0", loss_prior=None)
    assert stamps(load(folder), "test-likelihood") == []
    change_training(folder / "class_balanced/seed0", loss_prior="natural")
    stamp = (
        "The loss was given the natural class prior, not that of the planned stream: class_balanced. "
        "Where the sampler or class weights rebalance as well, this corrects twice."
    )
    assert stamps(load(folder), "test-likelihood") == [stamp]
    assert stamp in " ".join(shown(folder).split())
    assert f'<span class="stamp bad">{stamp}</span>' in write_page(folder).read_text(encoding="utf-8")


def test_a_resume_on_different_data_is_stamped_with_its_run(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), seeds=(0, 1), per_class=3)
    change_training(folder / "natural/seed1", different_data=["step 20: num_rows 480 then, 470 now"])
    stamp = "Resumed on different data: natural, seed 1, step 20: num_rows 480 then, 470 now."
    assert stamps(load(folder), "test-likelihood") == [stamp]
    assert stamp in " ".join(shown(folder).split())
    assert f'<span class="stamp bad">{stamp}</span>' in write_page(folder).read_text(encoding="utf-8")


def test_every_such_resume_of_a_single_run_is_stamped(tmp_path: Path) -> None:
    folder = made_up.run(tmp_path / "run", per_class=3)
    changes = ["step 2: seed 0 then, 1 now", "step 4: seed 1 then, 2 now"]
    change_training(folder, different_data=changes)
    expected = [f"Resumed on different data: natural, {one}." for one in changes]
    assert stamps(load(folder), "test-likelihood") == expected


def test_a_folder_from_before_the_stamps_has_none(tmp_path: Path) -> None:
    folder = made_up.run(tmp_path / "run", per_class=3)
    report = json.loads((folder / "report.json").read_text())
    for key in ("loss_prior", "different_data"):
        del report["train"][key]
    (folder / "report.json").write_text(json.dumps(report))
    assert stamps(load(folder), "test-likelihood") == []
