"""`emovlm compare`: runs on the same clips against the first one, by tests that know who is in the clips.

A side is a run, or a folder of runs that differ in their seed. N: clips in the order of their ids. R: runs of a side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from emovlm import UserError
from emovlm.evaluate import predictions as border
from emovlm.evaluate.predictions import Predictions
from emovlm.metrics import comparison, recognition, uncertainty

STATISTICS = {"WAR": recognition.war, "UAR": recognition.uar, "Macro-F1": recognition.macro_f1}
# What may differ between runs that are compared on purpose, and must be said.
MAY_DIFFER = ("frames", "question", "prompt_hash", "scorer", "score", "synonyms", "model", "selected_on")


@dataclass(frozen=True)
class Side:
    name: str
    runs: tuple[Predictions, ...]


@dataclass(frozen=True)
class Matched:
    """The answers of all sides on the same clips. subjects_N: None where a clip has no subject."""

    classes: list[str]
    targets_N: np.ndarray
    answers: dict[str, np.ndarray]
    subjects_N: list[str] | None
    notes: tuple[str, ...]


def compare(folders: Sequence[Path], key: str | None = None) -> tuple[Table, list[str]]:
    """(one line a side and statistic against the first side, notes on what the numbers rest on). UserError."""
    if len(folders) < 2:
        raise UserError("compare: needs at least two run folders; the first one is what the others are compared with")
    key = key or _shared_key(folders)
    matched = match([_side(folder, key) for folder in folders])
    return _table(matched, key), [*matched.notes, *_notes(matched)]


def match(sides: Sequence[Side]) -> Matched:
    """Clips by id, those without a label left out. Raises UserError where the clips, labels or classes differ."""
    names = [side.name for side in sides]
    if len(set(names)) < len(names):
        raise UserError(f"compare: {', '.join(names)}: a folder is given twice")
    reference = sides[0].runs[0]
    first = _labelled(reference)
    answers: dict[str, np.ndarray] = {}
    notes: list[str] = []
    for side in sides:
        rows = []
        for run in side.runs:
            found = _labelled(run)
            targets = {row_id: row["target"] for row_id, (row, _) in found.items()}
            if run.classes != reference.classes or targets != {i: row["target"] for i, (row, _) in first.items()}:
                raise UserError(
                    f"compare: {side.name}: other clips, labels or classes than {names[0]} ({len(targets)} clips "
                    f"against {len(first)}); evaluate both on the same rows"
                )
            notes += _differences(reference, run, side.name)
            rows.append([found[row_id][1] for row_id in first])
        answers[side.name] = np.array(rows)
    index = {name: c for c, name in enumerate(reference.classes)}
    subjects = [row.get("subject") for row, _ in first.values()]
    return Matched(
        reference.classes,
        np.array([index[row["target"]] for row, _ in first.values()]),
        answers,
        subjects if all(subjects) else None,
        tuple(dict.fromkeys(notes)),
    )


def _table(matched: Matched, key: str) -> Table:
    control, *others = matched.answers
    clusters, num_classes = _clusters(matched), len(matched.classes)
    shown = Table(title=f"{key}, {len(matched.targets_N)} clips, against {control}", title_justify="left")
    for column in ("run", "score", control, "run's", "difference", "95 % interval", "p", "p (best of all)", "McNemar"):
        shown.add_column(column, justify="left" if column in ("run", "score") else "right")
    settings: dict[str, Any] = {"clusters_N": clusters, "num_classes": num_classes}
    for title, statistic in STATISTICS.items():
        joint = comparison.max_statistic(matched.targets_N, matched.answers, control, statistic, **settings)
        for name in others:
            pair = (matched.targets_N, matched.answers[name], matched.answers[control], statistic)
            single = comparison.permutation(*pair, **settings)
            spread = comparison.crossed(*pair, **settings)
            shown.add_row(
                name,
                title,
                f"{_mean(matched, control, statistic):.3f}",
                f"{_mean(matched, name, statistic):.3f}",
                f"{single.difference:+.3f}",
                f"[{spread.low:+.3f}, {spread.high:+.3f}]".replace("[", "\\["),
                f"{single.p:.3f}",
                f"{joint[name].p:.3f}" if len(others) > 1 else "-",
                _mcnemar(matched, name, control) if title == "WAR" else "-",
            )
    return shown


def _mcnemar(matched: Matched, name: str, control: str) -> str:
    first_RN, second_RN = matched.answers[name], matched.answers[control]
    if len(first_RN) > 1 or len(second_RN) > 1:
        return "-"
    return f"{comparison.mcnemar(matched.targets_N, first_RN[0], second_RN[0]).p:.3f}"


def _mean(matched: Matched, name: str, statistic: uncertainty.Statistic) -> float:
    tables = [recognition.confusion(matched.targets_N, row_N, len(matched.classes)) for row_N in matched.answers[name]]
    return float(np.mean(statistic(np.stack(tables))))


def _clusters(matched: Matched) -> list[str] | None:
    unit = uncertainty.interval_unit(matched.targets_N, matched.subjects_N)
    return matched.subjects_N if unit == uncertainty.BY_SUBJECT else None


def _notes(matched: Matched) -> list[str]:
    seeds = sorted({len(rows) for rows in matched.answers.values()})
    notes = [
        f"p: answers swapped between the runs by {'subject' if _clusters(matched) else 'clip'}; "
        f"interval: {'subjects' if _clusters(matched) else 'clips'} and seeds resampled ({seeds} seeds a side)."
    ]
    if matched.subjects_N is None:
        notes.append("Optimistic: the clips name no subjects, so they are taken as independent.")
    elif _clusters(matched) is None:
        notes.append("Optimistic: a class has fewer than five subjects, so clips are taken as independent.")
    if max(seeds) < 3:
        notes.append("Fewer than three seeds: no claim about the method, only about these trained models.")
    notes.append("McNemar assumes independent clips and speaks of WAR alone.")
    return notes


def _differences(reference: Predictions, run: Predictions, name: str) -> list[str]:
    """One line for each part of the protocol in which a run differs from the first; another split is refused."""
    ours, theirs = reference.header["protocol"], run.header["protocol"]
    if reference.header["split"] != run.header["split"]:
        raise UserError(f"compare: {name}: the {run.header['split']} split against {reference.header['split']}")
    return [
        f"{name} differs in {part}: {theirs.get(part)!r}, not {ours.get(part)!r}"
        for part in MAY_DIFFER
        if ours.get(part) != theirs.get(part)
    ]


def _labelled(run: Predictions) -> dict[str, tuple[dict[str, Any], int]]:
    pairs = zip(run.rows, run.predicted_N().tolist(), strict=True)
    return {row["id"]: (row, answer) for row, answer in sorted(pairs, key=lambda pair: pair[0]["id"]) if row["target"]}


def _side(folder: Path, key: str) -> Side:
    return Side(str(folder), tuple(border.read(run / "eval" / key / "predictions.jsonl") for run in _runs(folder)))


def _runs(folder: Path) -> list[Path]:
    """The folder itself, or the runs in it."""
    if (folder / "eval").is_dir():
        return [folder]
    found = sorted(path.parent for path in folder.glob("*/eval"))
    if not found:
        raise UserError(
            f"compare: {folder}: holds no evaluated run; give a run folder, or an arm's folder with its seeds"
        )
    return found


def _shared_key(folders: Sequence[Path]) -> str:
    keys = [{path.parent.name for path in run.glob("eval/*/predictions.jsonl")} for f in folders for run in _runs(f)]
    shared = sorted(set.intersection(*keys), key=lambda key: (not key.startswith("test-"), key))
    if not shared:
        raise UserError(f"compare: no evaluation that all runs have ({', '.join(sorted(set.union(*keys)))})")
    return shared[0]
