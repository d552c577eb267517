"""Two runs, or an arm and its rivals, on the same clips: is the difference more than chance? Pure; seeds are arguments.

The answers of an arm are answers_RN, one row a trained seed (a single run: answers_N), and its score is the mean over
the seeds. -1 is an unreadable answer, wrong for every class. A statistic is a score of recognition.py with one value a
table: `uar`, `macro_f1`, `war`.

N: clips. R: seeds of an arm. A: arms beside the control. U: kinds of units. D: draws. C, P: see recognition.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binomtest

from emovlm.metrics.uncertainty import Statistic, interval
from emovlm.metrics.units import units

# Two ways to the same sum of floats may differ in the last digits; a tie counts as reached.
TIE = 1e-12


class Difference(NamedTuple):
    """first - second, and the probability of one at least as large in size where the two do not differ."""

    difference: float
    p: float


class Discordant(NamedTuple):
    """Clips only the first got right, clips only the second got right, and McNemar's p."""

    num_first: int
    num_second: int
    p: float


class CrossedInterval(NamedTuple):
    """first - second with its 95 % interval; num_redrawn: draws thrown away because they had lost a class."""

    difference: float
    low: float
    high: float
    num_redrawn: int


def permutation(
    targets_N: Any,
    first_RN: Any,
    second_RN: Any,
    statistic: Statistic,
    *,
    clusters_N: Any = None,
    num_classes: int | None = None,
    num_draws: int = 1000,
    seed: int = 0,
) -> Difference:
    """Paired randomisation test, two-sided: if the arms do not differ, swapping their answers changes nothing.

    Each draw swaps, by the throw of a coin, the answers of all seeds on all clips of a cluster (the subject of each
    clip; None: on a clip). Clip by clip it is valid only where clips are independent: the clips of one person favour
    the same arm, and it then rejects far too often.
    It speaks of these trained runs on new subjects; `crossed` also of newly trained runs.
    p = (1 + draws that reach the difference) / (1 + draws), never 0 (Phipson and Smyth 2010).
    """
    arms = {"first": first_RN, "second": second_RN}
    return max_statistic(
        targets_N,
        arms,
        "second",
        statistic,
        clusters_N=clusters_N,
        num_classes=num_classes,
        num_draws=num_draws,
        seed=seed,
    )["first"]


def max_statistic(
    targets_N: Any,
    answers_by_arm: Mapping[str, Any],
    control: str,
    statistic: Statistic,
    *,
    clusters_N: Any = None,
    num_classes: int | None = None,
    num_draws: int = 1000,
    seed: int = 0,
) -> dict[str, Difference]:
    """Each arm minus the control, with p under the distribution of the largest difference over all arms.

    The best of ten arms that are all no better than the control has p below .05 in far more than one case of twenty if
    tested alone. Here a draw swaps the same clusters between the control and every arm, as the arms hang together
    through the control, and keeps the largest absolute difference (Westfall and Young 1993; Nichols and Holmes 2002).
    With one arm it is `permutation`. All arms have as many seeds.
    """
    names = [name for name in answers_by_arm if name != control]
    answers_ARN = [np.atleast_2d(answers_by_arm[name]) for name in (control, *names)]
    num_seeds = len(answers_ARN[0])
    assert {len(answers_RN) for answers_RN in answers_ARN} == {num_seeds}, "as many seeds in every arm"
    swapped = units(targets_N, np.concatenate(answers_ARN), num_classes, clusters_N)
    random = np.random.default_rng(seed)

    def differences_DA(swaps_DU: np.ndarray) -> np.ndarray:
        by_seed = []
        for r in range(num_seeds):
            control_UK, *arms_AUK = swapped.tables_R[r::num_seeds]
            whole_AK = [swapped.times_U[None] @ arm_UK for arm_UK in (control_UK, *arms_AUK)]
            columns = []
            for arm_UK, whole_K in zip(arms_AUK, whole_AK[1:], strict=True):
                moved_DK = swaps_DU @ (control_UK - arm_UK)
                arm_D = statistic(swapped.stack(whole_K + moved_DK))
                columns.append(arm_D - statistic(swapped.stack(whole_AK[0] - moved_DK)))
            by_seed.append(np.stack(columns, axis=1))
        return np.mean(by_seed, axis=0)

    observed_A = differences_DA(np.zeros((1, len(swapped.times_U)), dtype=np.int64))[0]
    assert np.isfinite(observed_A).all(), "the statistic is not defined on these clips"
    largest_D = np.concatenate(
        [
            np.abs(differences_DA(random.binomial(swapped.times_U, 0.5, size=(num, len(swapped.times_U))))).max(axis=1)
            for num in swapped.chunks(num_draws)
        ]
    )
    p_A = (1 + (largest_D[:, None] >= np.abs(observed_A) - TIE).sum(axis=0)) / (1 + num_draws)
    return {name: Difference(float(d), float(p)) for name, d, p in zip(names, observed_A, p_A, strict=True)}


def mcnemar(targets_N: Any, first_N: Any, second_N: Any) -> Discordant:
    """Exact McNemar test of WAR, two-sided: of the clips only one run got right, is half the first's?

    It assumes independent clips, which several clips of a person are not, and it says nothing about UAR or macro-F1:
    `permutation` does, by subject. p is 1 where the runs are right on the same clips.
    """
    targets_N, first_N, second_N = (np.asarray(array) for array in (targets_N, first_N, second_N))
    assert targets_N.shape == first_N.shape == second_N.shape == (targets_N.size,), "one answer a clip from both runs"
    num_first = int(((first_N == targets_N) & (second_N != targets_N)).sum())
    num_second = int(((first_N != targets_N) & (second_N == targets_N)).sum())
    p = float(binomtest(num_first, num_first + num_second).pvalue) if num_first + num_second else 1.0
    return Discordant(num_first, num_second, p)


def crossed(
    targets_N: Any,
    first_RN: Any,
    second_RN: Any,
    statistic: Statistic,
    *,
    clusters_N: Any = None,
    num_classes: int | None = None,
    num_draws: int = 1000,
    seed: int = 0,
) -> CrossedInterval:
    """95 % interval of first - second over newly trained seeds and new subjects at once.

    Each draw resamples the subjects (clips, without clusters), the same for every run, and the seeds of each arm apart
    (Owen 2007, the pigeonhole bootstrap). The arms may have different numbers of seeds. With R seeds their spread is
    seen too small by (R - 1) / R: three seeds show two thirds of it, one seed none.
    A draw of subjects that loses a class is drawn again, as in `uncertainty.draw_tables`.
    """
    first_RN, second_RN = np.atleast_2d(first_RN), np.atleast_2d(second_RN)
    drawn = units(targets_N, np.concatenate([first_RN, second_RN]), num_classes, clusters_N)
    random, cut = np.random.default_rng(seed), len(first_RN)

    def scores_DR(weights_DU: np.ndarray) -> np.ndarray:
        return np.stack([statistic(drawn.stack(weights_DU @ table_UK)) for table_UK in drawn.tables_R], axis=1)

    def seed_mean_D(values_DR: np.ndarray) -> np.ndarray:
        chosen_DR = random.integers(values_DR.shape[1], size=values_DR.shape)
        return np.take_along_axis(values_DR, chosen_DR, axis=1).mean(axis=1)

    differences, num_redrawn = [], 0
    for num in drawn.chunks(num_draws):
        weights_DU, redrawn = drawn.resample(num, random, redraw=clusters_N is not None)
        values_DR = scores_DR(weights_DU)
        differences.append(seed_mean_D(values_DR[:, :cut]) - seed_mean_D(values_DR[:, cut:]))
        num_redrawn += redrawn
    observed_R = scores_DR(drawn.times_U[None])[0]
    low, high = interval(np.concatenate(differences))
    return CrossedInterval(float(observed_R[:cut].mean() - observed_R[cut:].mean()), low, high, num_redrawn)
