"""Class by class and group by group: text, ready for the page. C: classes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from emovlm.metrics.recognition import GROUPS
from emovlm.report.numbers import Line, bracket, mean, number
from emovlm.report.records import FURTHER, Arm, Evaluation, Study
from emovlm.report.tables import Cell, Row

TITLES = {"weighted_f1": "Weighted F1", "many": "Many", "medium": "Medium", "few": "Few"}
COLUMNS = ("group", "clips", "answered", "precision", "recall", "F1")


@dataclass(frozen=True)
class ClassTable:
    """`lines`: a class, from head to tail, and a text for each of COLUMNS; means over seeds."""

    arm: str
    lines: tuple[tuple[str, tuple[str, ...]], ...]


def class_table(arm: Arm, row: Row, key: str) -> ClassTable | None:
    """None where the files have no precision."""
    evaluations = [run.evaluations[key] for run in arm.runs]
    first = evaluations[0]
    if not all(one.precision_C and one.f1_C and one.groups_C for one in evaluations):
        return None
    lines = []
    for c in first.head_to_tail:
        recall = row.recall_C[c]
        cells = (
            first.groups_C[c],
            f"{first.support_C[c]}",
            f"{mean(one.predicted_C[c] for one in evaluations):.0f}",
            number(mean(one.precision_C[c] for one in evaluations)),
            "-" if recall is None else number(recall.value),
            number(mean(one.f1_C[c] for one in evaluations)),
        )
        lines.append((first.classes[c], cells))
    return ClassTable(arm.name, tuple(lines))


def further(study: Study, rows: Sequence[Row], key: str) -> list[Line]:
    """What stands beside the main scores, as far as any arm has it; the same titles for every arm."""
    shown = [name for name in FURTHER if any(name in row.cells for row in rows)]
    single = [title for title, of in _SINGLE.items() if any(of(one) is not None for one in _evaluations(study, key))]
    if not shown and not single:
        return []
    found = []
    for row in rows:
        evaluations = [run.evaluations[key] for run in study.arm(row.arm).runs]
        cells = [(TITLES[name], *_cell(row.cells.get(name))) for name in shown]
        cells += [(title, number(mean(_SINGLE[title](one) for one in evaluations)), ()) for title in single]
        found.append((row.arm, cells))
    return found


def group_rule(study: Study, key: str) -> str | None:
    """Which classes are in which group, and the rule of the cut; None where the files have no groups."""
    evaluation = study.arms[0].runs[0].evaluations[key]
    if not evaluation.groups_C:
        return None
    listed = []
    for group in GROUPS:
        inside = [c for c in evaluation.head_to_tail if evaluation.groups_C[c] == group]
        names = ", ".join(f"{evaluation.classes[c]} {evaluation.train_counts_C[c]}" for c in inside)
        listed.append(f"{group}: {names or 'no class'}")
    rule = "by thirds of the classes in order of training clips, the fewest and the most as many as a third (rounded)"
    if cuts := evaluation.protocol.get("cuts"):
        rule = f"given: many from {cuts[0]} training clips on, few below {cuts[1]}"
    return f"Groups are the mean recall of their classes. The cut is {rule}; {'; '.join(listed)}."


def _evaluations(study: Study, key: str) -> list[Evaluation]:
    return [run.evaluations[key] for arm in study.arms for run in arm.runs]


def _cell(cell: Cell | None) -> tuple[str, tuple[str, ...]]:
    return ("-", ()) if cell is None else (number(cell.value), (bracket(cell, number),))


# Scores without an interval.
_SINGLE: dict[str, Callable[[Evaluation], float | None]] = {
    "Top-2": lambda one: one.top2,
    "KL to votes": lambda one: one.soft and one.soft.kl,
    "Cosine to votes": lambda one: one.soft and one.soft.cosine,
}
