"""Calibration: numbers by hand, scikit-learn, and what must hold for any scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss

from emovlm.metrics import calibration as c


def made_up(seed, num=40, num_classes=4, scale=2.0):
    random = np.random.default_rng(seed)
    return random.normal(0, scale, (num, num_classes)), random.integers(0, num_classes, num)


def test_by_hand():
    scores, targets = np.log([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]) - 7, np.array([0, 2])
    probs = c.probabilities(scores)
    np.testing.assert_allclose(probs, [[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]])
    assert c.nll(scores, targets) == pytest.approx((np.log(2) + np.log(10)) / 2)
    assert c.brier(probs, targets) == pytest.approx((0.25 + 0.0625 + 0.0625 + 0.01 + 0.64 + 0.81) / 2)
    # At temperature 1/2 probabilities are squared: 4 1 1 of 6.
    np.testing.assert_allclose(c.probabilities(scores, 0.5)[0], [4 / 6, 1 / 6, 1 / 6])
    confidence, is_right = c.top_class(probs, targets)
    assert (confidence.tolist(), is_right.tolist()) == (pytest.approx([0.5, 0.8]), [True, False])
    assert c.ece(confidence, is_right) == pytest.approx((0.5 + 0.8) / 2)


def test_bins_by_hand():
    bars = c.reliability([0.0, 0.2, 0.4, 0.5, 0.6, 1.0], [0, 0, 1, 1, 0, 1], num_bins=2)
    assert bars.count_B.tolist() == [4, 2]  # .5 still belongs to (0, .5]
    np.testing.assert_allclose(bars.confidence_B, [0.275, 0.8])
    np.testing.assert_allclose(bars.accuracy_B, [0.5, 0.5])
    assert c.ece([0.0, 0.2, 0.4, 0.5, 0.6, 1.0], [0, 0, 1, 1, 0, 1], num_bins=2) == pytest.approx(
        4 / 6 * 0.225 + 2 / 6 * 0.3
    )
    empty = c.reliability([0.9], [1], num_bins=2)
    assert empty.count_B.tolist() == [0, 1]
    assert np.isnan(empty.accuracy_B[0])


@given(st.integers(0, 999))
def test_equal_to_sklearn(seed):
    scores, targets = made_up(seed)
    probs = c.probabilities(scores)
    assert c.nll(scores, targets) == pytest.approx(log_loss(targets, probs, labels=range(4)))
    assert c.brier(probs, targets) == pytest.approx(
        brier_score_loss(targets, probs, labels=range(4), scale_by_half=False)
    )
    confidence, is_right = c.top_class(probs, targets)
    bars, seen = c.reliability(confidence, is_right), np.unique(c._bins_N(confidence, 15))
    accuracy, mean_confidence = calibration_curve(is_right, confidence, n_bins=15)
    np.testing.assert_allclose(bars.accuracy_B[seen], accuracy)
    np.testing.assert_allclose(bars.confidence_B[seen], mean_confidence)
    gaps = np.abs(bars.accuracy_B - bars.confidence_B)[seen]
    assert c.ece(confidence, is_right) == pytest.approx((bars.count_B[seen] * gaps).sum() / len(targets))


@given(st.integers(0, 999), st.floats(0.01, 100))
def test_a_temperature_never_changes_the_best_class(seed, temperature):
    scores, _ = made_up(seed)
    probs = c.probabilities(scores, temperature)
    np.testing.assert_array_equal(np.take_along_axis(probs, scores.argmax(1)[:, None], axis=1)[:, 0], probs.max(1))
    np.testing.assert_allclose(probs.sum(axis=1), 1)


@given(st.integers(0, 999), st.sampled_from([0.01, 0.3, 1.0, 5.0]))
def test_the_fitted_temperature_is_the_best(seed, scale):
    scores, targets = made_up(seed, scale=scale)
    fitted = c.fit_temperature(scores, targets)
    assert 0.01 <= fitted <= 100
    best = c.nll(scores, targets, fitted)
    assert best <= c.nll(scores, targets)
    grid = np.geomspace(0.01, 100, 200)
    assert best <= min(c.nll(scores, targets, temperature) for temperature in grid) + 1e-6


def test_the_temperature_that_made_the_answers_is_found():
    random = np.random.default_rng(0)
    scores = random.normal(0, 2, (20_000, 5))
    drawn = (np.cumsum(c.probabilities(scores), axis=1) < random.random((20_000, 1))).sum(axis=1)
    assert c.fit_temperature(3 * scores, drawn) == pytest.approx(3, rel=0.03)
    assert c.fit_temperature(scores / 2, drawn) == pytest.approx(0.5, rel=0.03)


def test_scores_that_no_temperature_improves():
    assert c.fit_temperature(np.zeros((4, 3)), np.array([0, 1, 2, 0])) == 1
    assert c.fit_temperature(np.eye(3) * 5, np.arange(3)) < 0.1  # always right: the surer the better


def test_sure_and_right_is_perfectly_calibrated_and_sure_and_wrong_is_not():
    sure = np.ones(20)
    assert c.ece(sure, np.ones(20)) == 0
    assert c.expected_ece(sure) == 0
    assert c.ece(sure, np.zeros(20)) == 1


def test_a_perfect_model_of_280_clips_has_an_ece_of_066():
    # Confidences spread evenly over [.3, 1], as of a model of 7 classes that is right in 65 % of the clips.
    confidence = 0.3 + 0.7 * (np.arange(280) + 0.5) / 280
    assert c.expected_ece(confidence) == pytest.approx(0.066, abs=0.001)
    # It shrinks with the root of the clips.
    more = 0.3 + 0.7 * (np.arange(28_000) + 0.5) / 28_000
    assert c.expected_ece(more, num_draws=100) == pytest.approx(0.0066, abs=0.0005)
    assert c.expected_ece(confidence, seed=1) == c.expected_ece(confidence, seed=1)
    assert c.expected_ece(confidence, seed=1) != c.expected_ece(confidence, seed=2)


def test_ece_of_each_class_by_hand():
    probs, targets = np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0]]), np.array([0, 1])
    # Class 0: .9 right and .8 wrong, in bins of their own; class 1 the reverse; class 2 is given nothing and has none.
    np.testing.assert_allclose(c.classwise_ece_C(probs, targets), [(0.1 + 0.8) / 2, (0.1 + 0.8) / 2, 0])


def test_what_is_no_score_or_probability_is_our_slip():
    with pytest.raises(AssertionError, match="not a number"):
        c.nll([[np.nan, 0.0]], [0])
    with pytest.raises(AssertionError, match="temperature"):
        c.probabilities([[0.0, 1.0]], 0)
    with pytest.raises(AssertionError, match="outside the classes"):
        c.nll([[0.0, 1.0]], [2])
    with pytest.raises(AssertionError, match=r"outside \[0, 1\]"):
        c.ece([1.1], [1])
    assert c.nll([[-np.inf, 0.0]], [0]) == np.inf
