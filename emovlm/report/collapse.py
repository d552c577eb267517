"""Does an arm answer with a few head classes only? Text, ready for the page. C: classes. P: answers."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from emovlm.metrics.collapse import swallowed
from emovlm.report.numbers import mean, number
from emovlm.report.records import Arm, Collapse, Evaluation

NO_CLASS = "no class"
AGAINST = {"training_share": "training share", "word_frequency": "frequency of the word in text"}


@dataclass(frozen=True)
class Collapsed:
    """Means over seeds. `correlations`: rho and p for each of AGAINST, their range where seeds differ."""

    arm: str
    evenness: str
    kl: str
    never: str
    swallowed: tuple[str, ...]
    correlations: tuple[tuple[str, str], ...]
    num_classes: int


def collapsed(arm: Arm, key: str) -> Collapsed | None:
    """None where the files know nothing of it."""
    evaluations = [run.evaluations[key] for run in arm.runs]
    found = [one.collapse for one in evaluations if one.collapse]
    if len(found) < len(evaluations):
        return None
    against = [[known for one in found if (known := one.recall_against.get(name))] for name in AGAINST]
    return Collapsed(
        arm.name,
        number(mean(one.evenness for one in found)),
        number(mean(one.kl_to_truth for one in found)),
        _never(found, evaluations[0].classes),
        _swallowed(evaluations),
        tuple((_range(one.rho for one in seeds), _range(one.p for one in seeds)) for seeds in against),
        evaluations[0].num_classes_present,
    )


def correlation_note(num_classes: int) -> str:
    """What stands beside every such correlation."""
    bar = ", and |rho| must reach .79 for p < .05" if num_classes == 7 else ""
    return (
        f"With {num_classes} classes a correlation proves little: classes differ in more than this one thing{bar}. "
        "Spearman's rho with the recalls; p over orders of the classes."
    )


def _never(seeds: list[Collapse], classes: Iterable[str]) -> str:
    listed = []
    for name in classes:
        num = sum(name in one.never_predicted for one in seeds)
        if num:
            listed.append(name if num == len(seeds) else f"{name} ({num} of {len(seeds)} seeds)")
    return ", ".join(listed) or NO_CLASS


def _swallowed(evaluations: list[Evaluation]) -> tuple[str, ...]:
    """Rarest class first; counts summed over seeds, as in the confusion matrix."""
    first = evaluations[0]
    counts_CC = np.sum([one.confusion for one in evaluations], axis=0)
    unreadable_C = np.array(first.support_C) * len(evaluations) - counts_CC.sum(axis=1)
    counts_CP = np.column_stack([counts_CC, unreadable_C])
    is_tail_C = np.array([name in first.tail for name in first.classes])
    found = sorted(swallowed(counts_CP, is_tail_C), key=lambda one: first.train_counts_C[one.tail])
    return tuple(
        f"{first.classes[one.tail]}: "
        + ("none as a class outside the tail" if one.head is None else f"{one.share:.0%} as {first.classes[one.head]}")
        for one in found
    )


def _range(values: Iterable[float | None]) -> str:
    known = sorted(number(value) for value in values if value is not None)
    if not known:
        return "-"
    return known[0] if known[0] == known[-1] else f"{known[0]} to {known[-1]}"
