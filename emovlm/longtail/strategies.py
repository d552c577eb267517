"""How often each class is drawn: pure functions `(counts_C, progress, *, ...) -> rates_C`.

A rate is the number of times that a sample of the class is drawn in an epoch: 1 everywhere is natural sampling. The
proportions p_c = n_c * rate_c / sum follow, and so does the length of an epoch, sum n_c * rate_c: N for most, their own
for `repeat_factor` and `undersample`.

counts_C: training samples a class, zeros allowed (such a class gets rate 0). progress: share of the training done, in
[0, 1]. Symbols: n_c counts, N their sum, f_c = n_c / N, C classes that have samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from emovlm import UserError, lookup
from emovlm.longtail import weights


def natural(counts_C: np.ndarray, progress: float) -> np.ndarray:
    """Every sample once an epoch: p_c = n_c / N."""
    return (np.asarray(counts_C) > 0).astype(float)


def square_root(counts_C: np.ndarray, progress: float) -> np.ndarray:
    """p_c proportional to n_c^(1/2) (Mahajan et al. 2018; Kang et al. 2020, eq. 1 with q = 1/2)."""
    return power(counts_C, progress, q=0.5)


def class_balanced(counts_C: np.ndarray, progress: float) -> np.ndarray:
    """p_c = 1/C (Kang et al. 2020, eq. 1 with q = 0)."""
    return power(counts_C, progress, q=0.0)


def power(counts_C: np.ndarray, progress: float, *, q: float) -> np.ndarray:
    """p_c proportional to n_c^q, q in [0, 1]: 1 is natural, 0 class-balanced (Kang et al. 2020, eq. 1)."""
    if not 0 <= q <= 1:
        raise UserError(f"sampler.q: got {q:g}; a number from 0 (class-balanced) to 1 (natural) is expected")
    counts_C = np.asarray(counts_C, dtype=float)
    return _rates(counts_C, np.power(counts_C, q, where=counts_C > 0, out=np.zeros_like(counts_C)))


def progressive(counts_C: np.ndarray, progress: float) -> np.ndarray:
    """p_c(t) = (1 - t) n_c / N + t / C: probabilities are mixed, t is the progress (Kang et al. 2020, eq. 2)."""
    counts_C = np.asarray(counts_C, dtype=float)
    has = counts_C > 0
    shares_C = (1 - progress) * counts_C / max(counts_C.sum(), 1) + progress * has / max(has.sum(), 1)
    return _rates(counts_C, shares_C)


def repeat_factor(counts_C: np.ndarray, progress: float, *, threshold: float) -> np.ndarray:
    """r_c = max(1, sqrt(threshold / f_c)): classes rarer than `threshold` are repeated, none is cut.

    An epoch's length is its own, round(sum n_c r_c). The class form of repeat factor sampling (LVIS: Gupta et al. 2019,
    section 4.1; there per image), realised by shuffled cycles instead of a coin for every clip.
    """
    if not 0 < threshold <= 1:
        raise UserError(
            f"sampler.threshold: got {threshold:g}; a share of the samples, above 0 and at most 1, is expected"
        )
    counts_C = np.asarray(counts_C, dtype=float)
    shares_C = counts_C / max(counts_C.sum(), 1)
    has = shares_C > 0
    return np.where(has, np.maximum(1, np.sqrt(threshold / np.where(has, shares_C, 1))), 0.0)


def effective_number(counts_C: np.ndarray, progress: float, *, beta: float) -> np.ndarray:
    """p_c proportional to n_c / E_c with E_c = (1 - beta^n_c) / (1 - beta), the effective number of samples.

    Cui et al. 2019, eq. 2 and section 4. beta in [0, 1); near 1 it nears class-balanced. There is no good default: on
    DFEW .99 leaves disgust at 1.8 % of the draws, .9999 brings it to 13.5 %.
    """
    if not 0 <= beta < 1:
        raise UserError(f"sampler.beta: got {beta:g}; a number from 0 to below 1 is expected, such as 0.999")
    counts_C = np.asarray(counts_C, dtype=float)
    return _rates(counts_C, counts_C * weights.effective_number(counts_C, beta=beta))


def tail_oversampling(counts_C: np.ndarray, progress: float, *, floor: float = 0.5) -> np.ndarray:
    """Classes below `floor` times the largest are raised to it; the others keep their relative mix.

    floor in (0, 1]: 1 is class-balanced, near 0 natural. Simple random oversampling to a floor (Buda et al. 2018).
    """
    if not 0 < floor <= 1:
        raise UserError(
            f"sampler.floor: got {floor:g}; a share of the largest class, above 0 and at most 1, is expected"
        )
    counts_C = np.asarray(counts_C, dtype=float)
    return _rates(counts_C, np.maximum(counts_C, floor * counts_C.max(initial=0.0)))


def undersample(counts_C: np.ndarray, progress: float, *, cap: float = 1.0) -> np.ndarray:
    """Each class at most `cap` times the smallest, a fresh subset every epoch; the epoch is as short as that makes it.

    cap >= 1: 1 is class-balanced on few samples (Buda et al. 2018, random minority-size undersampling).
    """
    if cap < 1:
        raise UserError(f"sampler.cap: got {cap:g}; at least 1 time the smallest class is expected")
    counts_C = np.asarray(counts_C, dtype=float)
    has = counts_C > 0
    limit = cap * counts_C[has].min() if has.any() else 0.0
    return np.divide(np.minimum(counts_C, limit), counts_C, out=np.zeros_like(counts_C), where=has)


def deferred(counts_C: np.ndarray, progress: float, *, first: str | dict, then: str | dict, at: float) -> np.ndarray:
    """One strategy for the first share `at` of the training, another after it: deferred re-sampling (DRS).

    The re-sampling twin of DRW (Cao et al. 2019, section 3.3), for which see `loss.weights_from`. Not cRT, which
    freezes the features and retrains the head (Kang et al. 2020). first, then: a name, or {strategy: name, <its
    arguments>}. Epochs have the length of natural sampling, so that both halves count steps alike.
    """
    if not 0 < at < 1:
        raise UserError(f"sampler.at: got {at:g}; a share of the training between 0 and 1 is expected")
    counts_C = np.asarray(counts_C, dtype=float)
    rates = [_named(key, spec, counts_C, progress) for key, spec in (("first", first), ("then", then))]
    return _rates(counts_C, counts_C * rates[int(progress >= at)])


def _named(key: str, spec: str | Mapping[str, Any], counts_C: np.ndarray, progress: float) -> np.ndarray:
    args = {"strategy": spec} if isinstance(spec, str) else dict(spec)
    name = args.pop("strategy", None)
    allowed = [other for other in lookup.STRATEGY.names() if other != "deferred"]
    if name not in allowed:
        raise UserError(f"sampler.{key}: unknown strategy '{name}'; {lookup.near_miss(str(name), allowed)}")
    known = lookup.parameters(lookup.STRATEGY, name)
    wrong = [arg for arg in args if arg not in known]
    missing = [arg for arg, parameter in known.items() if parameter.required and arg not in args]
    if wrong or missing:
        fault = f"'{wrong[0]}' is no argument of {name}" if wrong else f"{name} needs {missing[0]}"
        raise UserError(f"sampler.{key}: {fault}; write {{strategy: {name}, {', '.join(known) or ''}: ...}}")
    return globals()[name](counts_C, progress, **args)


def _rates(counts_C: np.ndarray, masses_C: np.ndarray) -> np.ndarray:
    """Rates that draw the classes in proportion to `masses_C` in an epoch of natural length (sum n_c rate_c = N)."""
    has = counts_C > 0
    masses_C = np.where(has, masses_C, 0.0)
    shares_C = masses_C / max(masses_C.sum(), np.finfo(float).tiny)
    return np.divide(shares_C * counts_C.sum(), counts_C, out=np.zeros_like(counts_C), where=has)
