"""Does an arm answer with a few head classes only? Text, ready for the page. C: classes. P: answers."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from emovlm.metrics.collapse import swallowed
from emovlm.report.numbers import Line, Textual, mean, number, signed
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


def worded(arm: Arm, key: str) -> Line | None:
    """What a rare word in place of a frequent one does to UAR and to each recall, head to tail; None: not scored."""
    evaluations = [run.evaluations[key] for run in arm.runs]
    words = [one.words for one in evaluations if one.words and one.words.keys() >= {"frequent", "rare"}]
    if len(words) < len(evaluations):
        return None
    frequent, rare = ([one[kind] for one in words] for kind in ("frequent", "rare"))
    cells = [_change("UAR", mean(one.uar for one in frequent), mean(one.uar for one in rare))]
    for c in evaluations[0].head_to_tail:
        recalls = (mean(one.recall[c] for one in kind) for kind in (frequent, rare))
        cells.append(_change(evaluations[0].classes[c], *recalls))
    return arm.name, cells


def words_note(evaluation: Evaluation) -> str | None:
    """Which words they are; None where none were scored."""
    if not evaluation.words:
        return None
    frequent, rare = (evaluation.words[kind].words for kind in ("frequent", "rare"))
    pairs = [f"{frequent[name]} and {rare[name]}" for name in evaluation.classes if frequent[name] != rare[name]]
    single = [name for name in evaluation.classes if frequent[name] == rare[name]]
    unchanged = f" One word alone: {', '.join(single)}." if single else ""
    return (
        "Correlation is no cause, so the same clips were scored with every class under its most frequent and under its "
        f"rarest word ({'; '.join(pairs) or 'no class has two'}). Shown: recall with the rare word minus recall with "
        f"the frequent one.{unchanged}"
    )


def _change(title: str, frequent: float, rare: float) -> Textual:
    return title, signed(rare - frequent), (f"{number(frequent)} to {number(rare)}",)


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
