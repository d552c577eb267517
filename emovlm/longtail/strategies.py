"""How often each class is drawn: pure functions `(counts_C, progress, *, ...) -> rates_C`.

A rate is the number of times that a sample of the class is drawn in an epoch: 1 everywhere is natural sampling. The
proportions p_c = n_c * rate_c / sum follow.

counts_C: training samples a class, zeros allowed (such a class gets rate 0). progress: share of the training done, in
[0, 1]. Symbols: n_c counts, N their sum, C classes.
"""

from __future__ import annotations

import numpy as np

from emovlm import UserError


def natural(counts_C: np.ndarray, progress: float) -> np.ndarray:
    """Every sample once an epoch: p_c = n_c / N."""
    return (np.asarray(counts_C) > 0).astype(float)


def square_root(counts_C: np.ndarray, progress: float) -> np.ndarray:
    """p_c proportional to n_c^(1/2) (Mahajan et al. 2018; Kang et al. 2020, eq. 1 with q = 1/2)."""
    return _power_rates(counts_C, 0.5)


def class_balanced(counts_C: np.ndarray, progress: float) -> np.ndarray:
    """p_c = 1/C over the classes that have samples (Kang et al. 2020, eq. 1 with q = 0)."""
    return _power_rates(counts_C, 0.0)


def tail_oversampling(counts_C: np.ndarray, progress: float, *, floor: float = 0.5) -> np.ndarray:
    """Classes below `floor` times the largest are raised to it; the others keep their relative mix.

    floor in (0, 1]: 1 is class-balanced, near 0 natural.
    """
    if not 0 < floor <= 1:
        raise UserError(f"sampler.floor: got {floor}: a share of the largest class, above 0 and at most 1, is expected")
    counts_C = np.asarray(counts_C, dtype=float)
    return _rates(counts_C, np.maximum(counts_C, floor * counts_C.max(initial=0.0)))


def _power_rates(counts_C: np.ndarray, q: float) -> np.ndarray:
    counts_C = np.asarray(counts_C, dtype=float)
    return _rates(counts_C, np.power(counts_C, q, where=counts_C > 0, out=np.zeros_like(counts_C)))


def _rates(counts_C: np.ndarray, masses_C: np.ndarray) -> np.ndarray:
    """Rates that draw the classes in proportion to `masses_C` in an epoch of natural length (sum n_c rate_c = N)."""
    has = counts_C > 0
    masses_C = np.where(has, masses_C, 0.0)
    shares_C = masses_C / max(masses_C.sum(), np.finfo(float).tiny)
    return np.divide(shares_C * counts_C.sum(), counts_C, out=np.zeros_like(counts_C), where=has)
