"""Priors: nothing to take off changes nothing, and what was put on comes off again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovlm import UserError
from emovlm.metrics.calibration import probabilities
from emovlm.scoring.priors import batch_log_prior, fit_tau, label_shift, log_prior, subtract_prior

TRAIN = np.array([0.7, 0.2, 0.1])


def gaussians(prior_C, num, seed):
    """(log p(x | c) as scores_NC, targets_N) of three overlapping classes in the plane, drawn by prior_C."""
    random = np.random.default_rng(seed)
    centres_CX = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
    targets_N = random.choice(3, num, p=prior_C)
    points_NX = centres_CX[targets_N] + random.normal(size=(num, 2))
    return -((points_NX[:, None] - centres_CX) ** 2).sum(axis=2) / 2, targets_N


def test_log_prior_is_normalised():
    np.testing.assert_allclose(np.exp(log_prior(np.array([6, 3, 1]))), [0.6, 0.3, 0.1])


def test_a_class_that_was_never_drawn_is_refused_by_number():
    with pytest.raises(UserError, match=r"evaluate.prior: class 1, 3 \(counted from 0\) was never drawn"):
        log_prior(np.array([0.5, 0, 0.5, 0]))


def test_subtract_by_hand():
    scores = np.log([[0.6, 0.3, 0.1]])
    np.testing.assert_allclose(np.exp(subtract_prior(scores, np.log([0.6, 0.3, 0.1]))), [[1, 1, 1]])
    # tau 1/2: .6 / sqrt(.36), .3 / sqrt(.09), .1 / sqrt(.25).
    np.testing.assert_allclose(np.exp(subtract_prior(scores, np.log([0.36, 0.09, 0.25]), 0.5)), [[1, 1, 0.2]])


@given(st.lists(st.floats(-20, 0), min_size=3, max_size=3), st.floats(0, 3))
def test_a_uniform_prior_changes_no_probability(scores_C, tau):
    scores = np.array([scores_C])
    found = subtract_prior(scores, log_prior(np.ones(3)), tau)
    np.testing.assert_allclose(probabilities(found), probabilities(scores))


def test_blank_scores_are_taken_off_row_by_row():
    scores, blank = np.log([[0.5, 0.5], [0.2, 0.8]]), np.log([[0.5, 0.25], [0.1, 0.8]])
    np.testing.assert_allclose(np.exp(subtract_prior(scores, blank)), [[1, 2], [2, 1]])


def test_batch_prior_is_the_mean_probability_and_not_the_mean_score():
    # Rows are likelihoods with different totals, and only their shares count: (.75 + .25) / 2 and (.25 + .75) / 2.
    scores = np.log([[0.3, 0.1], [0.002, 0.006]])
    np.testing.assert_allclose(np.exp(batch_log_prior(scores)), [0.5, 0.5])
    np.testing.assert_allclose(np.exp(batch_log_prior(np.log([[0.9, 0.1], [0.5, 0.5]]))), [0.7, 0.3])


def test_batch_calibration_undoes_a_constant_bias():
    """A prompt that favours one class whatever it sees; the prior of the batch takes most of that back, not all."""
    scores, targets = gaussians(np.ones(3) / 3, 3000, seed=0)
    biased = scores + np.log([20, 1, 1])
    calibrated = subtract_prior(biased, batch_log_prior(biased))
    fair, unfair, again = ((found.argmax(1) == targets).mean() for found in (scores, biased, calibrated))
    assert unfair < fair - 0.15
    assert fair - again < (fair - unfair) / 2


def test_tau_is_found_again():
    """Posteriors under 1.5 times the prior: 1.5 makes them balanced."""
    scores, targets = gaussians(TRAIN, 20_000, seed=1)
    assert fit_tau(scores + 1.5 * np.log(TRAIN), targets, np.log(TRAIN)) == pytest.approx(1.5, abs=0.05)
    per_clip = np.broadcast_to(np.log(TRAIN), scores.shape)
    assert fit_tau(scores + 1.5 * np.log(TRAIN), targets, per_clip) == pytest.approx(1.5, abs=0.05)


def test_tau_weighs_classes_alike_however_many_clips_they_have():
    """By plain NLL the posterior under the very mix of the clips is best as it is, and tau would be 0."""
    scores, targets = gaussians(TRAIN, 20_000, seed=2)
    assert fit_tau(scores + np.log(TRAIN), targets, np.log(TRAIN)) == pytest.approx(1, abs=0.05)


def test_tau_is_zero_where_nothing_is_gained():
    scores, targets = gaussians(TRAIN, 500, seed=3)
    assert fit_tau(scores, targets, log_prior(np.ones(3))) == 0
    assert fit_tau(scores - np.log(TRAIN), targets, np.log(TRAIN)) == 0  # the head is behind already


def test_tau_leaves_classes_without_held_out_clips_out():
    scores, targets = gaussians(np.array([0.7, 0.3, 0.0]), 5000, seed=4)
    assert fit_tau(scores + np.log(TRAIN), targets, np.log(TRAIN)) > 0


def test_label_shift_finds_the_new_mix():
    truth = np.array([0.15, 0.25, 0.6])
    scores, targets = gaussians(truth, 20_000, seed=5)
    given_NC = probabilities(scores + np.log(TRAIN))
    found = label_shift(given_NC, TRAIN)
    np.testing.assert_allclose(found.prior_C, truth, atol=0.02)
    np.testing.assert_allclose(found.probs_NC, probabilities(scores + np.log(found.prior_C)), atol=1e-4)
    assert (found.probs_NC.argmax(1) == targets).mean() > (given_NC.argmax(1) == targets).mean() + 0.05
    assert found.iterations > 2


def test_label_shift_stays_where_the_mix_is_that_of_the_training():
    probs = np.array([[0.9, 0.1], [0.5, 0.5]])  # their mean is .7, .3
    found = label_shift(probs, np.array([0.7, 0.3]))
    np.testing.assert_allclose(found.probs_NC, probs)
    assert found.iterations == 1


def test_label_shift_says_where_it_does_not_settle():
    probs = probabilities(gaussians(TRAIN[::-1], 50, seed=6)[0])
    with pytest.raises(UserError, match="still moves after 2 steps"):
        label_shift(probs, np.ones(3), max_iterations=2)
