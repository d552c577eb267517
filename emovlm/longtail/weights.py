"""Class weights in the loss: pure functions `(counts_C) -> weights_C`, and their normalisation.

counts_C: training samples a class; a class without samples gets weight 0. Scales do not matter here: `normalised` fixes
them under the mix that is really sampled.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from emovlm import UserError
from emovlm.lookup import near_miss


def none(counts_C: np.ndarray) -> np.ndarray:
    """1 for every class."""
    return (np.asarray(counts_C) > 0).astype(float)


def inverse(counts_C: np.ndarray) -> np.ndarray:
    """w_c proportional to 1 / n_c."""
    return _inverse_power(counts_C, 1.0)


def inverse_sqrt(counts_C: np.ndarray) -> np.ndarray:
    """w_c proportional to n_c^(-1/2) (Mahajan et al. 2018)."""
    return _inverse_power(counts_C, 0.5)


def effective_number(counts_C: np.ndarray, *, beta: float) -> np.ndarray:
    """w_c = (1 - beta) / (1 - beta^n_c), scaled to mean 1 over the classes (Cui et al. 2019, eq. 2 and section 4)."""
    if not 0 <= beta < 1:
        raise UserError(f"loss.beta: got {beta:g}; a number from 0 to below 1 is expected, such as 0.999")
    counts_C = np.asarray(counts_C, dtype=float)
    has = counts_C > 0
    effective_C = -np.expm1(counts_C * np.log(beta)) / (1 - beta) if beta else np.ones_like(counts_C)
    weights_C = np.divide(1.0, effective_C, out=np.zeros_like(counts_C), where=has)
    return weights_C / weights_C[has].mean()


def by_name(classes: list[str], weights: Mapping[str, float]) -> np.ndarray:
    """The user's own, by class name; a class that is not named has weight 1."""
    for name, weight in weights.items():
        if name not in classes:
            raise UserError(f"loss.class_weights: unknown class '{name}'; {near_miss(name, classes)}")
        if not weight > 0 or not np.isfinite(weight):
            raise UserError(f"loss.class_weights.{name}: got {weight}; a number above 0 is expected")
    return np.array([float(weights.get(name, 1.0)) for name in classes])


def normalised(weights_C: np.ndarray, sampled_C: np.ndarray) -> np.ndarray:
    """Weights whose mean under the sampled mix p_c is 1, so that the learning rate keeps its meaning."""
    expected = float((weights_C * sampled_C).sum())
    assert expected > 0, "a sampled class has a weight"
    return weights_C / expected


def effective_prior(weights_C: np.ndarray, sampled_C: np.ndarray) -> np.ndarray:
    """The prior that the loss sees: sampled proportion x class weight, summing to 1."""
    masses_C = weights_C * sampled_C
    return masses_C / masses_C.sum()


def _inverse_power(counts_C: np.ndarray, exponent: float) -> np.ndarray:
    counts_C = np.asarray(counts_C, dtype=float)
    return np.power(counts_C, -exponent, where=counts_C > 0, out=np.zeros_like(counts_C))
