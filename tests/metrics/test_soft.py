"""Soft labels: numbers by hand, and scipy and scikit-learn on random distributions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy
from sklearn.metrics.pairwise import paired_cosine_distances

from emovlm.metrics import soft


def test_by_hand():
    targets = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    predicted = np.array([[0.25, 0.5, 0.25], [0.5, 0.25, 0.25]])
    np.testing.assert_allclose(soft.kl_N(targets, predicted), [0.5 * np.log(2), np.log(2)])
    # (.125 + .25) / (sqrt(.5) sqrt(.375)), .5 / sqrt(.375)
    np.testing.assert_allclose(soft.cosine_N(targets, predicted), [0.375 / np.sqrt(0.1875), 0.5 / np.sqrt(0.375)])
    assert soft.mean_kl(targets, predicted) == pytest.approx(0.75 * np.log(2))
    assert soft.mean_cosine(targets, predicted) == pytest.approx((0.375 / np.sqrt(0.1875) + 0.5 / np.sqrt(0.375)) / 2)


@given(st.integers(0, 999))
def test_equal_to_scipy_and_sklearn(seed):
    random = np.random.default_rng(seed)
    targets, predicted = random.dirichlet(np.ones(5), size=(2, 20))
    np.testing.assert_allclose(soft.kl_N(targets, predicted), entropy(targets, predicted, axis=1))
    np.testing.assert_allclose(soft.cosine_N(targets, predicted), 1 - paired_cosine_distances(targets, predicted))


def test_a_class_with_votes_that_was_given_nothing_is_infinitely_wrong():
    assert soft.kl_N([[0.5, 0.5]], [[1.0, 0.0]]).tolist() == [np.inf]
    assert soft.kl_N([[1.0, 0.0]], [[1.0, 0.0]]).tolist() == [0]


def test_rounding_leaves_no_divergence_below_zero():
    targets = np.array([[0.3333, 0.3333, 0.3333]])
    assert soft.mean_kl(targets, np.full((1, 3), 1 / 3)) == pytest.approx(0, abs=1e-15)


def test_scores_are_no_distribution():
    with pytest.raises(AssertionError, match="below 0"):
        soft.kl_N([[1.0, 0.0]], [[1.5, -0.5]])
    with pytest.raises(AssertionError, match="sum to 1"):
        soft.kl_N([[1.0, 0.0]], [[0.5, 0.4]])
