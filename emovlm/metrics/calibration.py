"""Does a model that says 70 % have it right in 70 % of cases? From log-scores. Pure; the seed is an argument.

N: clips. C: classes. B: bins of the probability, equally wide. Everything logarithmic is in nats.
A score is a log-likelihood up to a constant a row: `probabilities` is their softmax. Length-normalised scores are none.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

NUM_BINS = 15
TEMPERATURES = (0.01, 100.0)


class Reliability(NamedTuple):
    """Per bin: rows, mean confidence, share that is right; the latter two nan in an empty bin."""

    count_B: np.ndarray
    confidence_B: np.ndarray
    accuracy_B: np.ndarray


def probabilities(scores_NC: Any, temperature: float = 1.0) -> np.ndarray:
    """probs_NC: softmax of scores / temperature. It never changes which class is best."""
    return softmax(_scaled(scores_NC, temperature), axis=1)


def nll(scores_NC: Any, targets_N: Any, temperature: float = 1.0) -> float:
    """Mean negative log-likelihood of the true class, in nats, at least 0; log C for equal scores."""
    log_probs_NC = log_softmax(_scaled(scores_NC, temperature), axis=1)
    return -float(np.take_along_axis(log_probs_NC, _column(targets_N, log_probs_NC), axis=1).mean())


def brier(probs_NC: Any, targets_N: Any) -> float:
    """Mean over rows of the sum over classes of (p - truth)^2, in [0, 2]. Brier 1950."""
    probs_NC = np.asarray(probs_NC, dtype=np.float64)
    truth_NC = np.arange(probs_NC.shape[1]) == _column(targets_N, probs_NC)
    return float(((probs_NC - truth_NC) ** 2).sum(axis=1).mean())


def top_class(probs_NC: Any, targets_N: Any) -> tuple[np.ndarray, np.ndarray]:
    """(confidence_N, is_right_N): the highest probability of each row, and whether its class is the true one."""
    probs_NC = np.asarray(probs_NC, dtype=np.float64)
    return probs_NC.max(axis=1), probs_NC.argmax(axis=1) == _column(targets_N, probs_NC)[:, 0]


def reliability(confidence_N: Any, is_right_N: Any, num_bins: int = NUM_BINS) -> Reliability:
    """The bars of the reliability diagram; bin b holds confidences in (b / B, (b + 1) / B], the first one also 0."""
    bin_N = _bins_N(confidence_N, num_bins)
    count_B = np.bincount(bin_N, minlength=num_bins)
    with np.errstate(invalid="ignore"):
        confidence_B = np.bincount(bin_N, confidence_N, minlength=num_bins) / count_B
        accuracy_B = np.bincount(bin_N, is_right_N, minlength=num_bins) / count_B
    return Reliability(count_B, confidence_B, accuracy_B)


def ece(confidence_N: Any, is_right_N: Any, num_bins: int = NUM_BINS) -> float:
    """Expected calibration error, in [0, 1]: sum over bins of share of rows x |accuracy - mean confidence|.

    Guo et al. 2017 (arXiv 1706.04599), equation 3. Never read it alone: it is above 0 for a perfect model too, see
    `expected_ece`.
    """
    bin_N = _bins_N(confidence_N, num_bins)
    gaps_N = np.asarray(is_right_N, dtype=np.float64) - np.asarray(confidence_N, dtype=np.float64)
    return float(np.abs(np.bincount(bin_N, gaps_N, minlength=num_bins)).sum() / len(bin_N))


def expected_ece(confidence_N: Any, num_bins: int = NUM_BINS, num_draws: int = 1000, seed: int = 0) -> float:
    """The mean ECE of a perfectly calibrated model with these confidences: each row is right with that probability.

    An ECE near it says nothing against the model. 280 rows whose confidences spread evenly over [.3, 1]: .066.
    """
    confidence_N, random = np.asarray(confidence_N, dtype=np.float64), np.random.default_rng(seed)
    drawn = (random.random(len(confidence_N)) < confidence_N for _ in range(num_draws))
    return float(np.mean([ece(confidence_N, is_right_N, num_bins) for is_right_N in drawn]))


def classwise_ece_C(probs_NC: Any, targets_N: Any, num_bins: int = NUM_BINS) -> np.ndarray:
    """ECE of each class's probability against whether the class is the true one; their mean is the class-wise ECE.

    Kull et al. 2019 (arXiv 1910.12656), equation 4. A class without rows has one too: it is given probability for
    nothing.
    """
    probs_NC = np.asarray(probs_NC, dtype=np.float64)
    truth_NC = np.arange(probs_NC.shape[1]) == _column(targets_N, probs_NC)
    return np.array([ece(probs_NC[:, c], truth_NC[:, c], num_bins) for c in range(probs_NC.shape[1])])


def fit_temperature(scores_NC: Any, targets_N: Any) -> float:
    """The temperature in [0.01, 100] with the lowest NLL; fit it on validation rows only. Guo et al. 2017, section 4.2.

    The NLL is convex in 1 / T, so log T has one minimum. Where the best class is always right T ends near the low end.
    """
    low, high = np.log(TEMPERATURES)
    found = minimize_scalar(
        lambda log_temperature: nll(scores_NC, targets_N, np.exp(log_temperature)), bounds=(low, high), method="bounded"
    )
    temperature = float(np.exp(found.x))
    # Scores that cannot be improved (all equal) stay as they are.
    return temperature if nll(scores_NC, targets_N, temperature) < nll(scores_NC, targets_N) else 1.0


def _scaled(scores_NC: Any, temperature: float) -> np.ndarray:
    scores_NC = np.asarray(scores_NC, dtype=np.float64)
    assert temperature > 0, "a temperature is above 0"
    assert not np.isnan(scores_NC).any(), "a score that is not a number has no probability"
    return scores_NC / temperature


def _column(targets_N: Any, values_NC: np.ndarray) -> np.ndarray:
    targets_N = np.asarray(targets_N, dtype=np.int64)
    assert targets_N.shape == values_NC.shape[:1], "one target a row"
    assert np.all((targets_N >= 0) & (targets_N < values_NC.shape[1])), "a target outside the classes"
    return targets_N[:, None]


def _bins_N(confidence_N: Any, num_bins: int) -> np.ndarray:
    confidence_N = np.asarray(confidence_N, dtype=np.float64)
    assert np.all((confidence_N >= 0) & (confidence_N <= 1)), "a probability outside [0, 1]"
    return np.maximum(np.ceil(confidence_N * num_bins).astype(np.int64) - 1, 0)
