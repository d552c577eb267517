"""The main table: one row an arm, the same numbers in the terminal and on the page."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from emovlm.evaluate.pooling import MEAN, POOLED
from emovlm.report.answers import Difference
from emovlm.report.calibration import calibrated
from emovlm.report.collapse import NO_CLASS, collapsed
from emovlm.report.contrast import Contrast, arm_scores, contrast
from emovlm.report.numbers import bracket, brief, chance, mean, signed
from emovlm.report.records import METRICS, Arm, Score, Study
from emovlm.report.stamps import seeds_stamp, stamps

TITLES = {"war": "WAR", "uar": "UAR", "macro_f1": "Macro-F1", "tail_recall": "Tail recall"}


@dataclass(frozen=True)
class Cell:
    """A score of an arm: its mean over seeds, the 95 % interval, the least and the largest seed, the mean of folds.

    nan: there is none.
    """

    value: float
    low: float
    high: float
    minimum: float
    maximum: float
    mean_of_folds: float


@dataclass(frozen=True)
class Row:
    """`cells`: by the name of the score, METRICS and those of FURTHER that the files have. `recall_C`: see Evaluation.

    resampled: what the intervals are over. unreadable, cut_off (by the token limit; None: not known): over all seeds.
    """

    arm: str
    marks: tuple[str, ...]  # "control", "untrained"
    num_seeds: int
    cells: dict[str, Cell]
    recall_C: list[Score | None]
    resampled: str
    unreadable: int
    cut_off: int | None


def rows(study: Study, key: str) -> list[Row]:
    """One row an arm, zero-shot first, the others in the study's order."""
    table = []
    for arm in ordered_arms(study):
        evaluations = [run.evaluations[key] for run in arm.runs]
        found = arm_scores(arm, key)
        cells = {}
        for name, score in found.scores.items():
            seeds = [one.scores[name].value for one in evaluations]
            folds = [one.mean_of_folds[name] for one in evaluations if name in one.mean_of_folds]
            cells[name] = Cell(score.value, score.low, score.high, min(seeds), max(seeds), mean(folds))
        cut_off = [one.cut_off for one in evaluations if one.cut_off is not None]
        table.append(
            Row(
                arm.name,
                marks(arm),
                len(arm.runs),
                cells,
                found.recall_C,
                found.resampled,
                sum(one.unreadable for one in evaluations),
                sum(cut_off) if cut_off else None,
            )
        )
    return table


def ordered_arms(study: Study) -> list[Arm]:
    """Zero-shot first: it is where every arm started."""
    return sorted(study.arms, key=lambda arm: not arm.zero_shot)


def marks(arm: Arm) -> tuple[str, ...]:
    return (("untrained",) if arm.zero_shot else ()) + (("control",) if arm.control else ())


def scored_on(study: Study, key: str) -> str:
    """The evaluation, and whether it is of all folds together."""
    return f"{key}, {POOLED} ({study.num_folds})" if study.num_folds > 1 else key


def folds_line(study: Study, key: str) -> str | None:
    """What the second number of a study with folds is, or why there is none."""
    if study.num_folds == 1:
        return None
    if all(run.evaluations[key].mean_of_folds for arm in study.arms for run in arm.runs):
        return f"Values are {POOLED}; {MEAN}: the mean of each fold's own score."
    return f"Values are {POOLED}. No {MEAN}: a fold lacks a class, or tests one subject."


def counts_line(study: Study, key: str, listed: Sequence[Row]) -> str:
    """What the numbers rest on: clips of the split by class, which classes are the tail, what was resampled."""
    evaluation = study.arms[0].runs[0].evaluations[key]
    order = evaluation.head_to_tail
    support = ", ".join(f"{evaluation.classes[c]} {evaluation.support_C[c]}" for c in order)
    tail = ", ".join(
        f"{evaluation.classes[c]} {evaluation.train_counts_C[c]}"
        for c in order
        if evaluation.classes[c] in evaluation.tail
    )
    folds = " (mean over folds)" if study.num_folds > 1 else ""
    present = ""
    if evaluation.num_classes_present < len(evaluation.classes):
        present = f" Means are over the {evaluation.num_classes_present} classes present of {len(evaluation.classes)}."
    left_out = f" {evaluation.num_unlabelled} without a label are left out." if evaluation.num_unlabelled else ""
    return (
        f"{evaluation.num_clips} {evaluation.split} clips ({support}).{left_out} "
        f"Tail by training clips{folds}: {tail}.{present} Brackets: {interval_words(listed)}."
    )


def interval_words(listed: Sequence[Row]) -> str:
    """What was resampled for the intervals of the rows; arm by arm where it differs."""
    by_words: dict[str, list[str]] = {}
    for row in listed:
        by_words.setdefault(row.resampled, []).append(row.arm)
    if len(by_words) == 1:
        return next(iter(by_words))
    return "; ".join(f"{', '.join(arms)}: {words}" for words, arms in by_words.items())


def terminal_table(study: Study, key: str, listed: Sequence[Row]) -> Table:
    """The main table for a terminal of 80 columns."""
    table = Table(
        box=SIMPLE_HEAD,
        title=f"{study.name}: {scored_on(study, key)}",
        title_style="bold",
        title_justify="left",
        show_lines=False,
        pad_edge=False,
    )
    table.add_column("arm", overflow="fold")
    for title in TITLES.values():
        table.add_column(title, justify="right", no_wrap=True)
    shows_unreadable = any(row.unreadable or row.cut_off for row in listed)
    if shows_unreadable:
        table.add_column("unread.", justify="right")
    for row in listed:
        mark = f"\n[dim]{', '.join(row.marks)}[/dim]" if row.marks else ""
        unreadable = [_unreadable(row)] if shows_unreadable else []
        table.add_row(escape(row.arm) + mark, *(_terminal_cell(row, metric) for metric in METRICS), *unreadable)
    return table


def print_table(study: Study, console: Console | None = None, key: str | None = None) -> None:
    """The table, what its numbers rest on, the named contrast, and the stamps.

    key: an evaluation, by default the first on the test split.
    """
    console = console or Console()
    key = key or study.evaluation_keys()[0]
    listed = rows(study, key)
    console.print(terminal_table(study, key, listed))
    console.print(escape(counts_line(study, key, listed)), style="dim", highlight=False)
    folds = folds_line(study, key)
    if folds:
        console.print(escape(folds), style="dim", highlight=False)
    named = contrast(study, key)
    if named:
        console.print(escape(contrast_line(named)), highlight=False)
    for line in evidence_lines(study, key):
        console.print(escape(line), style="dim", highlight=False)
    for stamp in stamps(study, key):
        console.print(escape(stamp), style="bold red", highlight=False)
    console.print(escape(seeds_stamp(study)), style="bold", highlight=False)


def evidence_lines(study: Study, key: str) -> list[str]:
    """Classes that an arm never answers, and its calibration; the page has more."""
    arms = ordered_arms(study)
    never = [f"{one.arm} {one.never}" for arm in arms if (one := collapsed(arm, key)) and one.never != NO_CLASS]
    ece = [f"{one.arm} {one.ece} ({one.perfect_ece})" for arm in arms if (one := calibrated(arm, key))]
    lines = [f"Never answered: {'; '.join(never)}."] if never else []
    return lines + ([f"ECE, and of a perfectly calibrated model: {', '.join(ece)}."] if ece else [])


def contrast_line(named: Contrast) -> str:
    parts = [f"{TITLES[metric]} {_difference(found)}" for metric, found in named.differences.items()]
    return f"{named.first} minus {named.second}: {'; '.join(parts)}. {named.basis}"


def _difference(found: Difference) -> str:
    tested = "" if found.p is None else f" p {chance(found.p)}"
    return " ".join(part for part in (signed(found.value), bracket(found, signed)) if part) + tested


def _terminal_cell(row: Row, metric: str) -> str:
    cell = row.cells[metric]
    # No bold for the best of a column: the best of many arms needs more than its own interval.
    below = [bracket(cell, brief)]
    if row.num_seeds > 1:
        below.append(f"{brief(cell.minimum)}-{brief(cell.maximum)}")
    if not np.isnan(cell.mean_of_folds):
        below.append(f"folds {brief(cell.mean_of_folds)}")
    return "\n".join([brief(cell.value), *(f"[dim]{escape(line)}[/dim]" for line in below if line)])


def _unreadable(row: Row) -> str:
    return f"{row.unreadable}\n[dim]{row.cut_off} cut[/dim]" if row.cut_off else str(row.unreadable)
