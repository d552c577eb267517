"""`emovlm compare`: paired by id, by subject, and silent about nothing that differs."""

import re

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from emovlm import UserError
from emovlm.cli import app
from emovlm.evaluate import predictions as border
from emovlm.evaluate.predictions import Predictions
from emovlm.report.compare import compare

CLASSES = ["happy", "sad", "fear"]


def write(folder, skill, *, num_subjects=12, seed=0, ids=None, **protocol):
    """A run's test predictions: 3 x num_subjects clips, each right with probability `skill`."""
    rng = np.random.default_rng(seed)
    rows = []
    for s in range(num_subjects):
        for c, target in enumerate(CLASSES):
            answer = c if rng.random() < skill else (c + 1) % 3
            rows.append(
                {
                    "id": f"{s}-{target}",
                    "target": target,
                    "subject": f"p{s}" if num_subjects else None,
                    "scores": np.eye(3)[answer].tolist(),
                    "parsed": None,
                }
            )
    rows = [row for row in rows if ids is None or row["id"] in ids]
    header = {"classes": CLASSES, "scorer": "likelihood", "split": "test", "prior": None}
    header["protocol"] = {"frames": {"keep": 8}, "scorer": "likelihood", "score": "sum", **protocol}
    border.write(folder / "eval" / "test-likelihood" / "predictions.jsonl", Predictions(header, rows))
    return folder


def shown(folders):
    table, notes = compare(folders)
    console = Console(width=200, record=True)
    console.print(table)
    return console.export_text(), notes


def test_a_clear_difference_and_none(tmp_path):
    weak, strong = write(tmp_path / "weak", 0.4), write(tmp_path / "strong", 0.95, seed=1)
    text, notes = shown([weak, strong])
    uar = next(line for line in text.splitlines() if " UAR " in line).split("│")
    assert float(uar[5]) == pytest.approx(float(uar[4]) - float(uar[3]), abs=0.0011)
    assert float(uar[7]) < 0.01
    assert any("p: the answers swapped by subject" in note for note in notes)
    assert not any("Optimistic" in note for note in notes)
    assert any("Fewer than three seeds" in note for note in notes)

    twin = write(tmp_path / "twin", 0.4)
    text, _ = shown([weak, twin])
    uar = next(line for line in text.splitlines() if " UAR " in line).split("│")
    assert (float(uar[5]), float(uar[7])) == (0, 1)


def test_an_arm_is_a_folder_of_seeds_and_several_rivals_share_one_test(tmp_path):
    for arm, skill in (("natural", 0.5), ("balanced", 0.8), ("root", 0.7)):
        for seed in range(3):
            write(tmp_path / arm / f"seed{seed}", skill, seed=seed + 10)
    text, notes = shown([tmp_path / arm for arm in ("natural", "balanced", "root")])
    lines = [line.split("│") for line in text.splitlines() if " UAR " in line]
    assert len(lines) == 2
    assert all(float(line[8]) >= float(line[7]) - 0.01 for line in lines)  # joint p is never the smaller
    assert not any("Fewer than three seeds" in note for note in notes)


def test_other_clips_are_refused_and_another_protocol_is_said(tmp_path):
    first = write(tmp_path / "first", 0.5)
    fewer = write(tmp_path / "fewer", 0.5, ids=["0-happy", "0-sad"])
    with pytest.raises(UserError, match=r"other clips, labels or classes .*2 clips against 36"):
        compare([first, fewer])
    other = write(tmp_path / "other", 0.5, frames={"keep": 4})
    assert any("differs in frames: {'keep': 4}, not {'keep': 8}" in note for note in compare([first, other])[1])
    with pytest.raises(UserError, match="at least two"):
        compare([first])
    with pytest.raises(UserError, match="given twice"):
        compare([first, first])


def test_the_command(tmp_path):
    folders = [str(write(tmp_path / name, skill)) for name, skill in (("a", 0.5), ("b", 0.9))]
    result = CliRunner().invoke(app, ["compare", *folders])
    assert result.exit_code == 0, result.output
    assert "McNemar assumes independent clips" in " ".join(result.output.split())
    (tmp_path / "empty").mkdir()
    assert "holds no evaluated run" in str(
        CliRunner().invoke(app, ["compare", folders[0], str(tmp_path / "empty")]).exception
    )


def test_too_few_subjects_give_no_interval_and_none_clips_that_are_optimistic(tmp_path):
    folders = [write(tmp_path / name, 0.6, num_subjects=4, seed=k) for k, name in enumerate("ab")]
    text, notes = shown(folders)
    assert "[" not in text
    assert any(note.startswith("No interval: a class has clips of fewer than 5 subjects.") for note in notes)
    for folder in folders:
        path = folder / "eval/test-likelihood/predictions.jsonl"
        path.write_text(re.sub(r'"subject": "p\d+"', '"subject": null', path.read_text()))
    text, notes = shown(folders)
    assert "[" in text
    assert any("Optimistic: the subjects are not known" in note for note in notes)


def test_different_numbers_of_seeds_have_no_p(tmp_path):
    for seed in range(3):
        write(tmp_path / "trained" / f"seed{seed}", 0.8, seed=seed)
    text, notes = shown([write(tmp_path / "zero_shot", 0.4), tmp_path / "trained"])
    uar = next(line for line in text.splitlines() if " UAR " in line).split("│")
    assert [cell.strip() for cell in uar[7:9]] == ["-", "-"]
    assert any("No p: there is nothing to swap" in note for note in notes)
    assert any("Fewer than three seeds" in note for note in notes)


def test_folds_of_a_seed_are_pooled(tmp_path):
    ids = [[f"{s}-{c}" for s in range(12) if s % 2 == fold for c in CLASSES] for fold in range(2)]
    for arm, skill in (("natural", 0.4), ("balanced", 0.9)):
        for fold in range(2):
            write(tmp_path / arm / f"fold{fold + 1}" / "seed0", skill, ids=ids[fold], fold=fold + 1)
        write(tmp_path / "whole" / arm, skill)
    whole = [tmp_path / "whole" / arm for arm in ("natural", "balanced")]
    numbers = [
        re.findall(r"[\d.]+", line.split("│", 2)[2])
        for text, _ in (shown([tmp_path / "natural", tmp_path / "balanced"]), shown(whole))
        for line in text.splitlines()
        if "UAR" in line
    ]
    assert numbers[0] == numbers[1]
