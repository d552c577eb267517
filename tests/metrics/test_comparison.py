"""Comparisons: numbers by hand, and error rates in simulations where the truth is known.

In `people` the arms do not differ, but each has its own skill with each person: clips of a person hang together.
"""

import itertools

import numpy as np
import pytest

from emovlm.metrics import recognition as r
from emovlm.metrics import units
from emovlm.metrics.comparison import crossed, max_statistic, mcnemar, permutation

NUM_WORLDS = 200
DRAWS = {"num_draws": 99}


def people(seed, num_arms, effect=0.0, num_subjects=24, num_clips=8):
    """targets_N, subject_N and answers_N of each arm; `effect` is added to the skill of the first."""
    random = np.random.default_rng(seed)
    subject = np.repeat(np.arange(num_subjects), num_clips)
    targets = np.arange(len(subject)) % 3
    answers = []
    for arm in range(num_arms):
        skill = np.clip(random.beta(1, 1, num_subjects) + (effect if arm == 0 else 0), 0, 1)[subject]
        wrong = (targets + random.integers(1, 3, len(targets))) % 3
        answers.append(np.where(random.random(len(targets)) < skill, targets, wrong))
    return targets, subject, answers


def test_all_swaps_by_hand():
    # Two subjects, first right on all four clips, second on none: of the four swaps two give +-1, two give 0.
    targets, subject = np.array([0, 1, 0, 1]), np.array(["a", "a", "b", "b"])
    found = permutation(targets, targets, 1 - targets, r.uar, clusters_N=subject, num_draws=4000)
    assert found.difference == 1
    assert found.p == pytest.approx(1 / 2, abs=0.03)
    # By clip 2 of 16.
    assert permutation(targets, targets, 1 - targets, r.uar, num_draws=4000).p == pytest.approx(2 / 16, abs=0.02)


@pytest.mark.parametrize("statistic", [r.uar, r.macro_f1])
@pytest.mark.parametrize("by_subject", [True, False])
def test_p_is_that_of_all_swaps_of_rows(statistic, by_subject):
    targets, subject, (first, second) = people(5, 2, num_subjects=5, num_clips=2)
    cluster = subject if by_subject else np.arange(10)
    score = lambda answers: statistic(r.confusion(targets, answers, 3))  # noqa: E731
    observed = score(first) - score(second)
    reached = []
    for coins in itertools.product([False, True], repeat=cluster.max() + 1):
        swap = np.array(coins)[cluster]
        one, other = np.where(swap, second, first), np.where(swap, first, second)
        reached.append(abs(score(one) - score(other)) >= abs(observed) - 1e-12)
    found = permutation(
        targets, first, second, statistic, clusters_N=subject if by_subject else None, num_classes=3, num_draws=5000
    )
    assert found.difference == pytest.approx(observed)
    assert found.p == pytest.approx(np.mean(reached), abs=0.03)


def test_swapping_people_keeps_the_error_rate_and_swapping_clips_does_not():
    worlds = [people(seed, 2) for seed in range(NUM_WORLDS)]
    by_person = np.array([permutation(t, *arms, r.uar, clusters_N=s, **DRAWS).p for t, s, arms in worlds])
    by_clip = np.array([permutation(t, *arms, r.uar, **DRAWS).p for t, _, arms in worlds])
    by_mcnemar = np.array([mcnemar(t, *arms).p for t, _, arms in worlds])
    for level in (0.05, 0.2, 0.5, 0.8):  # uniform, within three standard errors
        spread = 3 * np.sqrt(level * (1 - level) / NUM_WORLDS)
        assert (by_person <= level).mean() == pytest.approx(level, abs=spread)
    assert (by_clip <= 0.05).mean() > 0.2
    assert (by_mcnemar <= 0.05).mean() > 0.2


def test_where_clips_are_independent_swapping_clips_keeps_the_error_rate():
    worlds = [people(seed, 2, num_subjects=90, num_clips=1) for seed in range(NUM_WORLDS)]
    p = np.array([permutation(t, *arms, r.macro_f1, **DRAWS).p for t, _, arms in worlds])
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / NUM_WORLDS))


def test_a_true_difference_is_found():
    p = [
        permutation(targets, *arms, r.uar, clusters_N=subject, **DRAWS).p
        for targets, subject, arms in (people(seed, 2, effect=0.4) for seed in range(30))
    ]
    assert np.mean(np.array(p) <= 0.05) > 0.9
    assert min(p) == 1 / 100  # never 0


def test_the_same_answers_do_not_differ_and_the_sign_is_first_minus_second():
    targets, subject, (first, second) = people(0, 2)
    same = permutation(targets, first, first, r.uar, clusters_N=subject)
    assert same == (0, 1)
    there = permutation(targets, first, second, r.uar, clusters_N=subject)
    back = permutation(targets, second, first, r.uar, clusters_N=subject)
    assert there == (-back.difference, back.p)
    assert there.difference == pytest.approx(
        r.uar(r.confusion(targets, first, 3)) - r.uar(r.confusion(targets, second, 3))
    )


def test_over_seeds_the_statistic_is_the_mean():
    targets, subject, answers = people(1, 6)
    first, second = np.array(answers[:3]), np.array(answers[3:])
    score = lambda rows: np.mean([r.macro_f1(r.confusion(targets, row, 3)) for row in rows])  # noqa: E731
    found = permutation(targets, first, second, r.macro_f1, clusters_N=subject)
    assert found.difference == pytest.approx(score(first) - score(second))
    # The same run three times over is no more evidence than once.
    once = permutation(targets, first[0], second[0], r.macro_f1, clusters_N=subject)
    thrice = permutation(targets, first[[0, 0, 0]], second[[0, 0, 0]], r.macro_f1, clusters_N=subject)
    assert thrice == pytest.approx(once)
    with pytest.raises(AssertionError, match="as many seeds"):
        permutation(targets, first, second[:2], r.uar)


def test_an_undefined_statistic_has_no_p():
    nowhere = lambda counts: r.tail_recall(counts, np.array([False, False, True]))  # noqa: E731
    with pytest.raises(AssertionError, match="not defined"):
        permutation([0, 1], [0, 1], [0, 0], nowhere, num_classes=3)


def test_mcnemar_by_hand():
    # 5 clips only the first got right, 1 only the second: p = 2 x (C(6,0) + C(6,1)) / 2^6 = 14 / 64.
    targets = np.zeros(8, dtype=int)
    first = np.array([0, 0, 0, 0, 0, 1, 0, -1])
    second = np.array([1, 1, 1, -1, 1, 0, 0, 1])
    assert mcnemar(targets, first, second) == (5, 1, pytest.approx(14 / 64))
    assert mcnemar(targets, first, first) == (0, 0, 1)


def test_picking_the_winner_inflates_and_the_maximum_does_not():
    names = ["control", "a", "b", "c", "d"]
    alone, under_maximum = [], []
    for seed in range(NUM_WORLDS):
        targets, subject, answers = people(seed, 5)
        arms = dict(zip(names, answers, strict=True))
        rivals = [permutation(targets, arms[a], answers[0], r.uar, clusters_N=subject, **DRAWS) for a in names[1:]]
        alone.append(min(p for _, p in rivals))
        found = max_statistic(targets, arms, "control", r.uar, clusters_N=subject, **DRAWS)
        assert [found[a].difference for a in names[1:]] == [difference for difference, _ in rivals]
        under_maximum.append(min(p for _, p in found.values()))
    assert (np.array(alone) <= 0.05).mean() > 0.1
    spread = 3 * np.sqrt(0.05 * 0.95 / NUM_WORLDS)
    assert (np.array(under_maximum) <= 0.05).mean() == pytest.approx(0.05, abs=spread)


def test_one_good_arm_among_idle_ones_is_found_and_the_idle_ones_are_not():
    targets, subject, answers = people(3, 4, effect=0.45)
    found = max_statistic(
        targets, dict(zip("abcz", answers, strict=True)), "z", r.uar, clusters_N=subject, num_draws=999
    )
    assert list(found) == ["a", "b", "c"]
    assert found["a"].p < 0.01
    assert min(found["b"].p, found["c"].p) > 0.1


def test_crossed_covers_new_people_and_new_seeds():
    covered, narrow = [], []
    for world in range(100):
        random = np.random.default_rng(world)
        subject, targets = np.repeat(np.arange(30), 6), np.arange(180) % 3

        def runs(random=random, subject=subject, targets=targets):
            ease = random.normal(0, 0.8, 30)[None] + random.normal(0, 0.4, 5)[:, None]
            hit = random.random((5, 180)) < 1 / (1 + np.exp(-0.5 - ease[:, subject]))
            return np.where(hit, targets, (targets + 1) % 3)

        first, second = runs(), runs()
        found = crossed(targets, first, second, r.war, clusters_N=subject, num_draws=200)
        assert found.low < found.difference < found.high
        covered.append(found.low <= 0 <= found.high)
        by_clip = crossed(targets, first[0], second[0], r.war, num_draws=200)
        narrow.append(by_clip.low <= 0 <= by_clip.high)
    assert np.mean(covered) == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 100))
    assert np.mean(narrow) < 0.85


def test_crossed_with_one_seed_is_the_paired_bootstrap_of_people():
    targets, subject, (first, second) = people(2, 2)
    random, rows_of = np.random.default_rng(0), np.arange(len(targets)).reshape(24, 8)
    slow = []
    for _ in range(2000):
        rows = rows_of[random.integers(0, 24, 24)].ravel()
        slow.append(
            r.uar(r.confusion(targets[rows], first[rows], 3)) - r.uar(r.confusion(targets[rows], second[rows], 3))
        )
    found = crossed(targets, first, second, r.uar, clusters_N=subject, num_draws=4000)
    np.testing.assert_allclose([found.low, found.high], np.quantile(slow, [0.025, 0.975]), atol=0.02)
    assert found.num_redrawn == 0


def test_crossed_takes_arms_of_different_numbers_of_seeds_and_counts_redraws():
    targets, subject = (np.arange(40) < 2).astype(int), np.repeat(np.arange(10), 4)
    found = crossed(targets, np.stack([targets, 0 * targets]), 0 * targets, r.uar, clusters_N=subject)
    assert found.difference == pytest.approx(0.25)  # UAR 1 and .5 against .5
    assert (found.low, found.high) == (0, 0.5)  # the seeds alone: both the one, or both the other
    assert found.num_redrawn > 300
    assert crossed(targets, targets, 0 * targets, r.war).num_redrawn == 0


def test_draws_in_parts_are_the_same_draws(monkeypatch):
    targets, subject, (first, second) = people(4, 2)
    whole = permutation(targets, first, second, r.uar, clusters_N=subject, num_draws=50)
    monkeypatch.setattr(units, "CELLS_AT_ONCE", 100)
    assert permutation(targets, first, second, r.uar, clusters_N=subject, num_draws=50) == whole
