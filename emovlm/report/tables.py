"""The main table: one row an arm, the same numbers in the terminal and on the page."""

from dataclasses import dataclass

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from emovlm.report.contrast import Contrast, contrast, seed_mean_intervals
from emovlm.report.records import METRICS, Arm, Evaluation, Study

TITLES = {"war": "WAR", "uar": "UAR", "macro_f1": "Macro-F1", "tail_recall": "Tail recall"}


@dataclass(frozen=True)
class Cell:
    """A metric of an arm: its mean over seeds, the 95 % interval over clips, the least and the largest seed."""

    value: float
    low: float
    high: float
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Row:
    arm: str
    marks: tuple[str, ...]  # "control", "untrained"
    num_seeds: int
    cells: dict[str, Cell]
    unreadable: int  # over all seeds


def rows(study: Study, key: str) -> list[Row]:
    """One row an arm, zero-shot first, the others in the study's order."""
    table = []
    for arm in ordered_arms(study):
        evaluations = [run.evaluations[key] for run in arm.runs]
        if len(evaluations) == 1:
            intervals = {m: (evaluations[0].scores[m].low, evaluations[0].scores[m].high) for m in METRICS}
        else:
            intervals = seed_mean_intervals(arm, key)
        cells = {}
        for metric in METRICS:
            values = _values(arm, key, metric)
            cells[metric] = Cell(float(np.mean(values)), *intervals[metric], min(values), max(values))
        table.append(Row(arm.name, marks(arm), len(arm.runs), cells, sum(one.unreadable for one in evaluations)))
    return table


def ordered_arms(study: Study) -> list[Arm]:
    """Zero-shot first: it is where every arm started."""
    return sorted(study.arms, key=lambda arm: not arm.zero_shot)


def marks(arm: Arm) -> tuple[str, ...]:
    return (("untrained",) if arm.zero_shot else ()) + (("control",) if arm.control else ())


def head_to_tail(evaluation: Evaluation) -> list[int]:
    """Class indices from the most to the fewest training clips; ties keep the order of the classes."""
    counts = evaluation.train_counts_C
    return sorted(range(len(counts)), key=lambda c: -counts[c])


def seeds_stamp(study: Study) -> str:
    seeds = study.seeds
    if all(arm.zero_shot for arm in study.arms):
        return "Untrained: there is no seed to vary."
    if len(seeds) <= 1:
        return "One seed: a demonstration, not a claim of significance."
    listed = ", ".join(map(str, seeds))
    few = " At least three are needed before a claim." if len(seeds) < 3 else ""
    return f"{len(seeds)} seeds ({listed}); a value is the mean over seeds.{few}"


def selection_stamp(study: Study, key: str) -> str | None:
    """A warning where a checkpoint or a setting was chosen on the split that is reported."""
    split = key.split("-", 1)[0]
    chosen = [arm.name for arm in study.arms if any(run.selected_on == split for run in arm.runs)]
    if not chosen:
        return None
    return f"Selected on the {split} split: {', '.join(chosen)}. These scores are optimistic and are no evidence."


def steps_stamp(study: Study) -> str | None:
    """A warning where trained arms took different numbers of optimiser steps."""
    steps = {arm.name: int(run.train["num_steps"]) for arm in study.arms for run in arm.runs if run.train}
    if len(set(steps.values())) <= 1:
        return None
    listed = ", ".join(f"{name} {count}" for name, count in steps.items())
    return f"The arms took different numbers of optimiser steps ({listed}): the comparison is not at equal cost."


def prior_stamp(study: Study) -> str | None:
    """A warning where the loss was given the natural prior in place of the one that the optimiser saw."""
    asked = [a.name for a in study.arms if any(r.train and r.train.get("loss_prior") == "natural" for r in a.runs)]
    if not asked:
        return None
    return (
        f"The loss was given the natural class prior, not that of the planned stream: {', '.join(asked)}. "
        "Where the sampler or class weights rebalance as well, this corrects twice."
    )


def data_stamps(study: Study) -> list[str]:
    """A warning for every resume that went on with other rows, or another order of them, than it began with."""
    found = []
    for arm in study.arms:
        for run in arm.runs:
            name = arm.name if len(arm.runs) == 1 else f"{arm.name}, seed {run.seed}"
            changes = (run.train or {}).get("different_data") or ()
            found += [f"Resumed on different data: {name}, {change}." for change in changes]
    return found


def stamps(study: Study, key: str) -> list[str]:
    """Everything that a reader must know before believing the numbers."""
    single = (selection_stamp(study, key), steps_stamp(study), prior_stamp(study))
    return [stamp for stamp in single if stamp] + data_stamps(study)


def counts_line(study: Study, key: str) -> str:
    """What the numbers rest on: clips of the split by class, and which classes are the tail."""
    evaluation = study.arms[0].runs[0].evaluations[key]
    order = head_to_tail(evaluation)
    support = ", ".join(f"{evaluation.classes[c]} {evaluation.support_C[c]}" for c in order)
    tail = ", ".join(
        f"{evaluation.classes[c]} {evaluation.train_counts_C[c]}"
        for c in order
        if evaluation.classes[c] in evaluation.tail
    )
    present = ""
    if evaluation.num_classes_present < len(evaluation.classes):
        present = f" Means are over the {evaluation.num_classes_present} classes present of {len(evaluation.classes)}."
    left_out = f" {evaluation.num_unlabelled} without a label are left out." if evaluation.num_unlabelled else ""
    return (
        f"{evaluation.num_clips} {evaluation.split} clips ({support}).{left_out} "
        f"Tail by training clips: {tail}.{present} Brackets: {evaluation.interval}."
    )


def terminal_table(study: Study, key: str | None = None) -> Table:
    """The main table for a terminal of 80 columns. `key`: an evaluation, by default the first on the test split."""
    key = key or study.evaluation_keys()[0]
    table = Table(
        box=SIMPLE_HEAD,
        title=f"{study.name}: {key}",
        title_style="bold",
        title_justify="left",
        show_lines=False,
        pad_edge=False,
    )
    table.add_column("arm", overflow="fold")
    for title in TITLES.values():
        table.add_column(title, justify="right", no_wrap=True)
    listed = rows(study, key)
    if any(row.unreadable for row in listed):
        table.add_column("unread.", justify="right")
    for row in listed:
        mark = f"\n[dim]{', '.join(row.marks)}[/dim]" if row.marks else ""
        unreadable = [str(row.unreadable)] if any(other.unreadable for other in listed) else []
        table.add_row(escape(row.arm) + mark, *(_terminal_cell(row, metric) for metric in METRICS), *unreadable)
    return table


def print_table(study: Study, console: Console | None = None, key: str | None = None) -> None:
    """The table, the counts behind it, the stamps and the named contrast."""
    console = console or Console()
    key = key or study.evaluation_keys()[0]
    console.print(terminal_table(study, key))
    console.print(escape(counts_line(study, key)), style="dim", highlight=False)
    named = contrast(study, key)
    if named:
        console.print(escape(contrast_line(named)), highlight=False)
    for stamp in stamps(study, key):
        console.print(escape(stamp), style="bold red", highlight=False)
    console.print(escape(seeds_stamp(study)), style="bold", highlight=False)


def contrast_line(named: Contrast) -> str:
    parts = [
        f"{TITLES[metric]} {signed(score.value)} [{signed(score.low)}, {signed(score.high)}]"
        for metric, score in named.differences.items()
    ]
    return f"{named.first} minus {named.second}, paired by clip: {'; '.join(parts)}."


def number(value: float) -> str:
    """Three decimals; a dash where there is nothing to show (no clip of any such class)."""
    return "-" if np.isnan(value) else f"{value:.3f}"


def brief(value: float) -> str:
    """Like `number`, without the leading 0: four intervals side by side leave a terminal little room."""
    return number(value).removeprefix("0")


def signed(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:+.3f}"


def _terminal_cell(row: Row, metric: str) -> str:
    cell = row.cells[metric]
    # No bold for the best of a column: the best of many arms needs more than its own interval.
    lines = [brief(cell.value), f"[dim]\\[{brief(cell.low)}, {brief(cell.high)}][/dim]"]
    if row.num_seeds > 1:
        lines.append(f"[dim]{brief(cell.minimum)}-{brief(cell.maximum)}[/dim]")
    return "\n".join(lines)


def _values(arm: Arm, key: str, metric: str) -> list[float]:
    return [run.evaluations[key].scores[metric].value for run in arm.runs]
