"""The terminal's table says what the page says."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from emovlm.report.folders import load
from emovlm.report.tables import brief, head_to_tail, number, print_table, rows, signed

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
        for cell in row.cells.values():
            assert brief(cell.value) in text
            assert f"[{brief(cell.low)}, {brief(cell.high)}]" in text
    assert "control" in text
    assert "untrained" in text
    flat = " ".join(text.split())
    assert "Tail by training clips: fear 39, disgust 6." in flat
    assert "One seed: a demonstration, not a claim of significance." in flat
    assert "class_balanced minus natural" in flat


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
    assert [evaluation.classes[c] for c in head_to_tail(evaluation)][-2:] == ["fear", "disgust"]


@pytest.mark.parametrize(("value", "plain", "with_sign"), [(0.5, "0.500", "+0.500"), (float("nan"), "-", "-")])
def test_numbers(value: float, plain: str, with_sign: str) -> None:
    assert number(value) == plain
    assert signed(value) == with_sign
