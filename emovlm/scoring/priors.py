"""The prior that a scorer brings along, estimated and taken off its scores. Pure: arrays in, arrays out.

N: clips. C: classes. Everything logarithmic is in nats. scores_NC are log-probabilities up to a constant a row
(`kinds.LOG_PROBABILITIES`): under a softmax, and for the best class, such constants do not matter.

One formula, scores - tau * log prior, and three estimates of the prior, one at a time:
- what the training saw: `log_prior` of the run's effective prior (sampled proportion x class weight). Menon et al. 2021
  (arXiv 2007.07314), equation 9. Uniform after balanced sampling, and then nothing changes.
- the scores on a blank clip, as they are: what the model says when there is nothing to see. Contextual calibration,
  Zhao et al. 2021 (arXiv 2102.09690).
- `batch_log_prior`: the mean prediction over unlabelled clips. Batch calibration, Zhou et al. 2023 (arXiv 2309.17249).
The latter two are for zero-shot, where they estimate the prior of the base's own pre-training, which nobody can count.
Generalized logit adjustment (Zhu et al. 2023, arXiv 2310.08106) finds the same prior by an optimisation on labelled
downstream data; these need no label.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp

from emovlm import UserError

MAX_TAU = 4.0


class LabelShift(NamedTuple):
    """probs_NC under the new prior, the new prior_C, and the number of steps it took."""

    probs_NC: np.ndarray
    prior_C: np.ndarray
    iterations: int


def log_prior(prior_C: np.ndarray) -> np.ndarray:
    """log_prior_C of the share of each class. UserError where one is 0: it has no prior that could be taken off."""
    prior_C = np.asarray(prior_C, dtype=np.float64)
    never = np.flatnonzero(~(prior_C > 0))
    if never.size:
        raise UserError(
            f"evaluate.prior: class {', '.join(map(str, never))} (counted from 0) was never drawn in training, so it "
            "has no prior to take off; give prior=none, or leave the class out of data.classes"
        )
    return np.log(prior_C / prior_C.sum())


def batch_log_prior(scores_NC: np.ndarray) -> np.ndarray:
    """log_prior_C = log of the mean over the clips of softmax(scores_NC): p(c) = 1/N sum_n p(c | x_n) (2309.17249).

    The clips need no label, but their real mix goes into the estimate: where classes are truly rare, this takes off a
    prior that is true.
    """
    log_probs_NC = log_softmax(np.asarray(scores_NC, dtype=np.float64), axis=1)
    return logsumexp(log_probs_NC, axis=0) - np.log(len(log_probs_NC))


def subtract_prior(scores_NC: np.ndarray, log_prior: np.ndarray, tau: float = 1.0) -> np.ndarray:
    """scores_NC - tau * log prior. log_prior: (C,), or (N, C) where every clip has its own (blank scores)."""
    return np.asarray(scores_NC, dtype=np.float64) - tau * np.asarray(log_prior, dtype=np.float64)


def fit_tau(scores_NC: np.ndarray, targets_N: np.ndarray, log_prior: np.ndarray) -> float:
    """The tau in [0, 4] with the lowest class-balanced NLL on held-out clips, never on those to be scored.

    Balanced (the mean over the classes present of their mean NLL), since the aim is UAR; UAR itself is a staircase, and
    on few clips of a rare class its best step is luck. Convex in tau. 0 where no tau is better (a uniform prior).
    """
    targets_N = np.asarray(targets_N, dtype=np.int64)
    counts_C = np.bincount(targets_N, minlength=np.shape(scores_NC)[1])
    weights_N = 1 / (counts_C[targets_N] * np.count_nonzero(counts_C))

    def balanced_nll(tau: float) -> float:
        log_probs_NC = log_softmax(subtract_prior(scores_NC, log_prior, tau), axis=1)
        return -float(weights_N @ log_probs_NC[np.arange(len(targets_N)), targets_N])

    found = minimize_scalar(balanced_nll, bounds=(0.0, MAX_TAU), method="bounded", options={"xatol": 1e-6})
    return float(found.x) if balanced_nll(found.x) < balanced_nll(0.0) - 1e-9 else 0.0


def label_shift(
    probs_NC: np.ndarray, train_prior_C: np.ndarray, *, tolerance: float = 1e-6, max_iterations: int = 10_000
) -> LabelShift:
    """The mix of the classes among unlabelled clips, and the probabilities under it, by expectation maximisation.

    Saerens et al. 2002, equation 2.9: probs_c ~ prior_c / train_prior_c * given probs_c, then prior_c = mean probs_c,
    until no class moves by more than `tolerance`. It holds where only the mix has changed and probs_NC are calibrated
    under train_prior_C (Alexandari et al., arXiv 1901.06852): fit the temperature first. UserError without convergence.
    """
    given_NC, train_C = np.asarray(probs_NC, dtype=np.float64), np.exp(log_prior(train_prior_C))
    prior_C = train_C
    for iteration in range(1, max_iterations + 1):
        shifted_NC = given_NC * (prior_C / train_C)
        shifted_NC /= shifted_NC.sum(axis=1, keepdims=True)
        before_C, prior_C = prior_C, shifted_NC.mean(axis=0)
        if np.abs(prior_C - before_C).max() <= tolerance:
            return LabelShift(shifted_NC, prior_C, iteration)
    raise UserError(
        f"evaluate.prior: label_shift: the mix of the classes still moves after {max_iterations} steps; the "
        "probabilities say too little about it, so give another prior"
    )
