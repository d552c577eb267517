"""Intervals by the bootstrap. Pure; the seed is an argument.

A resample of clips changes a score only through its table of counts, so tables are drawn instead of clips: a
multinomial over the cells is the same distribution as N clips drawn with replacement, and a thousand cost milliseconds.

D: draws. G: clusters. C: classes. P = C + 1, see recognition.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from emovlm.metrics.recognition import confusion

LEVEL = 0.95


def bootstrap(
    targets_N: np.ndarray,
    predicted_N: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
    *,
    num_classes: int | None = None,
    num_draws: int = 1000,
    seed: int = 0,
    clusters_N: Any = None,
) -> tuple[Any, Any]:
    """(low, high) of the 95 % percentile interval of a score.

    statistic: counts_DCP -> values_D, or values_DK for a vector such as the recall of every class; low and high
        are then floats, or arrays_K. Every score of recognition.py is one.
    num_classes: needed where the highest classes might have no row and no prediction (default: the highest seen).
    clusters_N: what is resampled as a whole, such as the subject of each clip; None: the clips.
    A draw in which a score is not defined (a class that drew no row) is left out for that score; nan where none is.
    """
    targets_N, predicted_N = np.asarray(targets_N, dtype=np.int64), np.asarray(predicted_N, dtype=np.int64)
    assert len(targets_N), "no rows to resample"
    if num_classes is None:
        num_classes = int(max(targets_N.max(), predicted_N.max())) + 1
    random = np.random.default_rng(seed)
    if clusters_N is None:
        counts_CP = confusion(targets_N, predicted_N, num_classes)
        drawn = random.multinomial(len(targets_N), counts_CP.ravel() / len(targets_N), size=num_draws)
    else:
        names_G, cluster_N = np.unique(np.asarray(clusters_N), return_inverse=True)
        assert len(cluster_N) == len(targets_N), "one cluster a clip"
        own_GN = cluster_N == np.arange(len(names_G))[:, None]
        counts_GCP = np.stack([confusion(targets_N[own_N], predicted_N[own_N], num_classes) for own_N in own_GN])
        times_DG = random.multinomial(len(names_G), np.full(len(names_G), 1 / len(names_G)), size=num_draws)
        drawn = times_DG @ counts_GCP.reshape(len(names_G), -1)
    values = np.asarray(statistic(drawn.reshape(num_draws, num_classes, num_classes + 1)), dtype=np.float64)
    assert values.shape[:1] == (num_draws,), "the statistic gives one value, or one vector, a draw"
    return _percentiles(values)


def _percentiles(values: np.ndarray) -> tuple[Any, Any]:
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    if values.ndim == 1:
        defined_D = values[~np.isnan(values)]
        low, high = np.quantile(defined_D, tails) if len(defined_D) else (np.nan, np.nan)
        return float(low), float(high)
    pairs = [_percentiles(values[:, k]) for k in range(values.shape[1])]
    return np.array([low for low, _ in pairs]), np.array([high for _, high in pairs])
