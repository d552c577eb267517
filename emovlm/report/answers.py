"""The answers of arms to the same clips, their differences and means over seeds, and what is resampled for them.

N: clips, in the order of their ids. R: runs of an arm, one a seed. D: draws. K: scores. C, P: see
metrics/recognition.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emovlm import UserError
from emovlm.evaluate.predictions import Predictions
from emovlm.evaluate.summary import INTERVALS
from emovlm.metrics import comparison, recognition, uncertainty
from emovlm.metrics.uncertainty import Statistic
from emovlm.metrics.units import units

NUM_DRAWS = 1000


@dataclass(frozen=True)
class Difference:
    """One arm minus another, each a mean over seeds. nan, or None, where there is none."""

    value: float
    low: float
    high: float
    p: float | None


@dataclass(frozen=True)
class Answers:
    """by_arm: arm -> answers_RN, class indices, -1 for an unreadable answer. subjects_N: None where one is missing."""

    classes: list[str]
    targets_N: np.ndarray
    by_arm: Mapping[str, np.ndarray]
    subjects_N: list[str] | None

    @property
    def unit(self) -> str:
        """What an interval may resample, see `uncertainty.interval_unit`."""
        return uncertainty.interval_unit(self.targets_N, self.subjects_N)

    def tables(self, arm: str) -> np.ndarray:
        """counts_RCP"""
        return np.stack(
            [recognition.confusion(self.targets_N, answers_N, len(self.classes)) for answers_N in self.by_arm[arm]]
        )

    def mean(self, arm: str, statistic: Statistic) -> float:
        """The arm's score: the mean over its seeds."""
        return float(np.mean(statistic(self.tables(arm))))

    def same_seeds(self, first: str, second: str) -> bool:
        """Whether both have as many seeds, without which there is nothing to swap between them."""
        return len(self.by_arm[first]) == len(self.by_arm[second])


def match(arms: Mapping[str, Sequence[tuple[Path, Predictions]]]) -> Answers:
    """The labelled clips of all runs by id; each run comes with its place, for the error.

    Raises UserError where clips, labels or classes differ.
    """
    (reference_place, reference), *_ = next(iter(arms.values()))
    first = _labelled(reference)
    targets = {row_id: row["target"] for row_id, (row, _) in first.items()}
    by_arm = {}
    for name, runs in arms.items():
        answers = []
        for place, run in runs:
            found = _labelled(run)
            if run.classes != reference.classes or {i: row["target"] for i, (row, _) in found.items()} != targets:
                raise UserError(
                    f"{place}: other clips, labels or classes than {reference_place} ({len(found)} clips against "
                    f"{len(first)}); evaluate both on the same rows"
                )
            answers.append([found[row_id][1] for row_id in first])
        by_arm[name] = np.array(answers)
    index = {name: c for c, name in enumerate(reference.classes)}
    subjects: list[Any] = [row.get("subject") for row, _ in first.values()]
    targets_N = np.array([index[target] for target in targets.values()])
    return Answers(reference.classes, targets_N, by_arm, subjects if all(subjects) else None)


def difference(answers: Answers, first: str, second: str, statistic: Statistic) -> Difference:
    """first - second with its interval over subjects and seeds, and the p of swapping the answers of whole subjects.

    Where subjects are not known both take clips for independent. Where a class has clips of too few of them there is no
    interval; swapping is right for any number. It needs as many seeds on both sides.
    """
    pair = (answers.targets_N, answers.by_arm[first], answers.by_arm[second], statistic)
    value = answers.mean(first, statistic) - answers.mean(second, statistic)
    if np.isnan(value):
        return Difference(np.nan, np.nan, np.nan, None)
    low = high = np.nan
    num_classes, clusters_N = len(answers.classes), answers.subjects_N
    if answers.unit != uncertainty.NO_INTERVAL:
        spread = comparison.crossed(*pair, clusters_N=clusters_N, num_classes=num_classes, num_draws=NUM_DRAWS)
        low, high = spread.low, spread.high
    if not answers.same_seeds(first, second):
        return Difference(value, low, high, None)
    tested = comparison.permutation(*pair, clusters_N=clusters_N, num_classes=num_classes, num_draws=NUM_DRAWS)
    return Difference(value, low, high, tested.p)


def best_of_all(answers: Answers, control: str, statistic: Statistic) -> dict[str, float]:
    """Arm -> its p where the best of several is picked afterwards, of those with as many seeds as the control.

    Empty where fewer than two have, or the score is not defined.
    """
    equal = [name for name in answers.by_arm if name != control and answers.same_seeds(name, control)]
    if len(equal) < 2 or np.isnan(answers.mean(control, statistic)):
        return {}
    found = comparison.max_statistic(
        answers.targets_N,
        {name: answers.by_arm[name] for name in (control, *equal)},
        control,
        statistic,
        clusters_N=answers.subjects_N,
        num_classes=len(answers.classes),
        num_draws=NUM_DRAWS,
    )
    return {name: one.p for name, one in found.items()}


def seed_mean_interval(answers: Answers, arm: str, statistic: Statistic, seed: int = 0) -> tuple[np.ndarray, ...]:
    """(low_K, high_K) of the arm's mean over seeds; subjects and seeds are resampled as in `comparison.crossed`.

    statistic: counts_DCP -> values_DK. nan where there is no interval.
    """
    if answers.unit == uncertainty.NO_INTERVAL:
        nothing_K = np.full(statistic(answers.tables(arm)).shape[-1], np.nan)
        return nothing_K, nothing_K
    drawn = units(answers.targets_N, answers.by_arm[arm], len(answers.classes), answers.subjects_N)
    random, num_seeds = np.random.default_rng(seed), len(answers.by_arm[arm])
    means = []
    for num in drawn.chunks(NUM_DRAWS):
        weights_DU, _ = drawn.resample(num, random, redraw=answers.subjects_N is not None)
        values_RDK = np.stack([statistic(drawn.stack(weights_DU @ table_UK)) for table_UK in drawn.tables_R])
        chosen_RD = random.integers(num_seeds, size=(num_seeds, num))
        means.append(values_RDK[chosen_RD, np.arange(num)].mean(axis=0))
    return uncertainty.interval(np.concatenate(means))


def resampled(answers: Answers) -> str:
    """What the intervals of `seed_mean_interval` are over, in words."""
    if answers.unit == uncertainty.NO_INTERVAL:
        return INTERVALS[uncertainty.NO_INTERVAL]
    what, optimistic = ("subjects", "") if answers.subjects_N else ("clips", "; optimistic")
    return f"95 % bootstrap over {what} and seeds, {NUM_DRAWS} draws{optimistic}"


def basis(answers: Answers, first: str, second: str) -> str:
    """What an interval and a p of `difference` rest on, in words."""
    several = max(len(answers.by_arm[name]) for name in (first, second)) > 1
    unit = "clip" if answers.subjects_N is None else "subject"
    words = [f"Interval: 95 %, {unit}s{' and seeds' if several else ''} resampled ({NUM_DRAWS} draws)."]
    if answers.unit == uncertainty.NO_INTERVAL:
        words = [f"No interval: a class has clips of fewer than {uncertainty.MIN_SUBJECTS} subjects."]
    if answers.same_seeds(first, second):
        words.append(f"p: the answers swapped by {unit} ({NUM_DRAWS} draws).")
    else:
        words.append("No p: there is nothing to swap between arms with different numbers of seeds.")
    if answers.subjects_N is None:
        words.append("Optimistic: the subjects are not known, so clips of one person are taken as independent.")
    return " ".join(words)


def _labelled(run: Predictions) -> dict[str, tuple[dict[str, Any], int]]:
    """id -> (row, answer) of the labelled rows, in the order of the ids."""
    pairs = zip(run.rows, run.predicted_N().tolist(), strict=True)
    return {row["id"]: (row, answer) for row, answer in sorted(pairs, key=lambda pair: pair[0]["id"]) if row["target"]}
