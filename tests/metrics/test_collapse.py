"""Collapse: histograms, swallowing classes, rank correlations and alarms, by hand and against scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from emovlm.metrics import collapse as c
from emovlm.metrics.recognition import confusion

# Classes 0 and 1 are the head; 2, 3 and 4 the tail, of which 4 has no row.
COUNTS = np.array(
    [
        [6, 2, 0, 0, 0, 0],
        [1, 3, 0, 0, 0, 0],
        [1, 2, 1, 0, 0, 0],
        [0, 0, 1, 0, 0, 1],
        [0, 0, 0, 0, 0, 0],
    ]
)
TAIL = np.array([False, False, True, True, True])


@pytest.mark.filterwarnings("error")
def test_entropy_by_hand():
    assert c.entropy([1, 1, 1, 1]) == pytest.approx(np.log(4))
    assert c.evenness([1, 1, 1, 1]) == pytest.approx(1)
    assert c.entropy([2, 1, 1, 0]) == pytest.approx(1.5 * np.log(2))
    assert c.evenness([2, 1, 1, 0]) == pytest.approx(0.75)
    assert c.evenness([7, 0, 0]) == 0
    assert np.isnan(c.evenness([0, 0]))


def test_kl_to_truth_by_hand():
    # True 8 4 4 2 of 18; predicted 8 7 2 0 of 17.
    by_hand = 8 / 17 * np.log(8 / 17 / (8 / 18)) + 7 / 17 * np.log(7 / 17 / (4 / 18)) + 2 / 17 * np.log(2 / 17 * 18 / 4)
    assert c.kl_to_truth(COUNTS) == pytest.approx(by_hand)
    # A class without rows that is predicted does not make it infinite.
    absent = COUNTS.copy()
    absent[0, 4] = 5
    assert np.isfinite(c.kl_to_truth(absent))
    assert np.isnan(c.kl_to_truth(confusion([0, 1], [-1, -1], 2)))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_kl_equals_scipy_and_is_zero_for_the_truth(pairs):
    targets, predicted = (np.array(column) for column in zip(*[*pairs, *[(k, k) for k in range(4)]], strict=True))
    theirs = stats.entropy(np.bincount(predicted, minlength=4), np.bincount(targets, minlength=4))
    assert c.kl_to_truth(confusion(targets, predicted, 4)) == pytest.approx(theirs)
    assert c.entropy(np.bincount(predicted)) == pytest.approx(stats.entropy(np.bincount(predicted)))
    # Another order of the same answers is the same histogram.
    assert c.kl_to_truth(confusion(targets, np.roll(targets, 1), 4)) == pytest.approx(0, abs=1e-12)


def test_never_predicted_are_classes_with_rows():
    assert c.never_predicted(COUNTS) == [3]


def test_the_head_class_that_swallows_a_tail_class():
    # Class 3 went to the tail and to the unreadable; class 4 has no row.
    assert c.swallowed(COUNTS, TAIL) == [(2, 1, 2 / 4), (3, None, 0)]
    all_tail = c.swallowed(COUNTS, np.ones(5, dtype=bool))
    assert [(tail, head) for tail, head, _ in all_tail] == [(0, None), (1, None), (2, None), (3, None)]


@given(st.permutations(range(6)), st.integers(0, 3))
def test_rank_correlation_is_spearmans(order, num_absent):
    recall, other = np.array(order, dtype=float), np.array([3, 1, 4, 1, 5, 9])
    recall[:num_absent] = np.nan
    found = c.rank_correlation(recall, other)
    assert found.num_classes == 6 - num_absent
    theirs = stats.spearmanr(recall[num_absent:], other[num_absent:]).statistic
    assert found.rho == pytest.approx(theirs)


def test_p_counts_all_orders():
    assert c.rank_correlation([0.1, 0.2, 0.3], [1, 2, 3]) == (pytest.approx(1), pytest.approx(2 / 6), 3)
    assert c.rank_correlation(np.arange(7.0), -np.arange(7)).p == pytest.approx(2 / 5040)
    # With 7 classes .79 is the first below .05.
    reaches, fails = np.array([2, 0, 1, 3, 6, 4, 5.0]), np.array([2, 1, 0, 3, 6, 4, 5.0])
    assert c.rank_correlation(reaches, np.arange(7)) == pytest.approx((0.786, 0.048, 7), abs=1e-3)
    assert c.rank_correlation(fails, np.arange(7)) == pytest.approx((0.75, 0.066, 7), abs=1e-3)


def test_p_of_many_classes_is_near_scipys_approximation():
    random = np.random.default_rng(0)
    recall, other = random.random(20), random.random(20)
    assert c.rank_correlation(recall, other).p == pytest.approx(stats.spearmanr(recall, other).pvalue, abs=0.02)
    assert c.rank_correlation(recall, other, seed=1) == c.rank_correlation(recall, other, seed=1)
    assert c.rank_correlation(recall, other, seed=1) != c.rank_correlation(recall, other, seed=2)


def test_no_correlation_where_nothing_varies():
    for recall, other, num in (
        ([0.5, 0.5, 0.5], [1, 2, 3], 3),
        ([0.1, 0.2], [1, 2], 2),
        ([0.1, np.nan, 0.2], [1, 2, 3], 2),
    ):
        found = c.rank_correlation(recall, other)
        assert np.isnan(found.rho)
        assert np.isnan(found.p)
        assert found.num_classes == num


def test_word_frequency_of_words_phrases_and_unknown_ones():
    zipf = c.word_frequency(["happy", "disgust", "xqzzyv", "happily surprised", "happily_surprised", "surprised"])
    assert zipf[0] > zipf[1] > zipf[2] == 0
    assert zipf[3] == zipf[4]
    assert 0 < zipf[3] < c.word_frequency(["happily"])[0] < zipf[5]


def test_alarms_are_raised_when_something_happens_and_not_again():
    quiet = ([], False)
    assert c.alarms([5, 3, 2, 0], [4, 5, 1, 0], 0.5) == quiet
    assert c.alarms([5, 3, 2, 0], [4, 6, 0, 0], 0.1) == ([2], False)
    # Entropy: .75 of log 4, then (.9, .1, 0, 0): .23.
    assert c.alarms([2, 1, 1, 0], [9, 1, 0, 0], 0.5) == ([2], True)
    assert c.alarms([9, 1, 0, 0], [9, 1, 0, 0], 0.5) == quiet
    assert c.alarms([9, 1, 0, 0], [2, 1, 1, 0], 0.5) == quiet
    assert c.alarms([2, 1, 1, 0], [0, 0, 0, 0], 0.5).stopped == [0, 1, 2]


def test_the_most_and_the_least_common_word_of_a_class():
    found = c.frequent_and_rare({"happy": ["happy", "joyous", "elated"], "odd": ["odd"]})
    assert found["frequent"] == {"happy": "happy", "odd": "odd"}
    assert found["rare"]["happy"] in ("joyous", "elated")
    zipf = dict(zip(("joyous", "elated"), c.word_frequency(["joyous", "elated"]), strict=True))
    assert found["rare"]["happy"] == min(zipf, key=lambda word: zipf[word])
