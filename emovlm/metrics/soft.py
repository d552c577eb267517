"""Scores of a predicted distribution against a soft label (the votes of several annotators). Pure.

N: clips. C: classes. Rows of both arrays are distributions: at least 0, and they sum to 1.
"""

from __future__ import annotations

import numpy as np
from scipy.special import rel_entr


def kl_N(targets_NC: np.ndarray, predicted_NC: np.ndarray) -> np.ndarray:
    """KL(target || predicted) of each row in nats, at least 0; inf where a class with votes was given probability 0."""
    targets_NC, predicted_NC = _distributions(targets_NC, predicted_NC)
    return rel_entr(targets_NC, predicted_NC).sum(axis=1)


def cosine_N(targets_NC: np.ndarray, predicted_NC: np.ndarray) -> np.ndarray:
    """Cosine similarity of each row, in [0, 1]; 1 for equal distributions."""
    targets_NC, predicted_NC = _distributions(targets_NC, predicted_NC)
    lengths_N = np.linalg.norm(targets_NC, axis=1) * np.linalg.norm(predicted_NC, axis=1)
    return (targets_NC * predicted_NC).sum(axis=1) / lengths_N


def mean_kl(targets_NC: np.ndarray, predicted_NC: np.ndarray) -> float:
    """Mean of `kl_N` over the clips, in nats."""
    return float(kl_N(targets_NC, predicted_NC).mean())


def mean_cosine(targets_NC: np.ndarray, predicted_NC: np.ndarray) -> float:
    """Mean of `cosine_N` over the clips."""
    return float(cosine_N(targets_NC, predicted_NC).mean())


def _distributions(targets_NC: np.ndarray, predicted_NC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both in float64 and summing to 1 exactly: a distribution rounded to float32 or to a file would leave KL < 0."""
    found = []
    for array in (targets_NC, predicted_NC):
        values_NC = np.asarray(array, dtype=np.float64)
        sums_N = values_NC.sum(axis=1, keepdims=True)
        assert np.all(values_NC >= 0), "a probability below 0"
        assert np.allclose(sums_N, 1, atol=1e-3), "a row that does not sum to 1"
        found.append(values_NC / sums_N)
    assert found[0].shape == found[1].shape, "one soft label a row"
    return found[0], found[1]
