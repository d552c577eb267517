"""Intervals by the bootstrap. Pure; the seed is an argument.

A resample of clips changes a score only through its table of counts, so tables are drawn instead of clips: a
multinomial over the cells is the same distribution as N clips drawn with replacement, and a thousand cost milliseconds.

D: draws. K: values of a vector statistic. C: classes. P = C + 1, see recognition.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from emovlm.metrics.recognition import confusion
from emovlm.metrics.units import units

LEVEL = 0.95
MIN_SUBJECTS = 5
BY_SUBJECT = "subject"
BY_CLIP = "clip, optimistic"
NO_INTERVAL = "none"

Statistic = Callable[[np.ndarray], np.ndarray]


def interval_unit(targets_N: Any, subjects_N: Any = None) -> str:
    """What an interval may resample.

    "subject": every class present has rows of at least five subjects.
    "none": the subjects are known, and a class has fewer: its spread over subjects cannot be seen, so no interval.
    "clip, optimistic": no subjects, or a row without one (None or ""): clips of one person are taken as independent,
        which they are not, and the interval is too narrow.
    """
    if subjects_N is None or any(subject is None or subject == "" for subject in subjects_N):
        return BY_CLIP
    classes, target_N = np.unique(np.asarray(targets_N), return_inverse=True)
    subjects, subject_N = np.unique(np.asarray(subjects_N), return_inverse=True)
    seen = np.zeros((len(classes), len(subjects)), dtype=bool)
    seen[target_N, subject_N] = True
    return BY_SUBJECT if seen.sum(axis=1).min() >= MIN_SUBJECTS else NO_INTERVAL


def draw_tables(
    targets_N: np.ndarray,
    predicted_N: np.ndarray,
    *,
    num_classes: int | None = None,
    num_draws: int = 1000,
    seed: int = 0,
    clusters_N: Any = None,
) -> tuple[np.ndarray, int]:
    """(counts_DCP, number of draws thrown away): the tables of `num_draws` resamples.

    By clip no draw is thrown away: a class that drew no row has no recall there. By cluster (Davison and Hinkley 1997,
    section 3.8) a class can hang on few clusters and be lost often; UAR would then be a mean over other classes from
    draw to draw, so a draw that loses a class is drawn again, and counted.
    """
    if clusters_N is None:
        targets_N, predicted_N = np.asarray(targets_N, dtype=np.int64), np.asarray(predicted_N, dtype=np.int64)
        assert len(targets_N), "no rows to resample"
        num_classes = int(max(targets_N.max(), predicted_N.max())) + 1 if num_classes is None else num_classes
        counts_CP = confusion(targets_N, predicted_N, num_classes)
        shares = counts_CP.ravel() / len(targets_N)
        drawn = np.random.default_rng(seed).multinomial(len(targets_N), shares, size=num_draws)
        return drawn.reshape(num_draws, *counts_CP.shape), 0
    clusters, random = units(targets_N, predicted_N, num_classes, clusters_N), np.random.default_rng(seed)
    tables, num_redrawn = [], 0
    for num in clusters.chunks(num_draws):
        weights_DU, redrawn = clusters.resample(num, random, redraw=True)
        tables.append(clusters.stack(weights_DU @ clusters.tables_R[0]))
        num_redrawn += redrawn
    return np.concatenate(tables), num_redrawn


def bootstrap(
    targets_N: np.ndarray,
    predicted_N: np.ndarray,
    statistic: Statistic,
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
    clusters_N: what is resampled as a whole, such as the subject of each clip; None: the clips. See `draw_tables`.
    A draw in which a score is not defined (a class that drew no row) is left out for that score; nan where none is.
    """
    counts_DCP, _ = draw_tables(
        targets_N, predicted_N, num_classes=num_classes, num_draws=num_draws, seed=seed, clusters_N=clusters_N
    )
    values = np.asarray(statistic(counts_DCP), dtype=np.float64)
    assert values.shape[:1] == (num_draws,), "the statistic gives one value, or one vector, a draw"
    return interval(values)


def interval(values: np.ndarray) -> tuple[Any, Any]:
    """(low, high): the 95 % percentile interval of values_D, or of every column of values_DK; nan draws left out."""
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    if values.ndim == 1:
        defined_D = values[~np.isnan(values)]
        low, high = np.quantile(defined_D, tails) if len(defined_D) else (np.nan, np.nan)
        return float(low), float(high)
    pairs = [interval(values[:, k]) for k in range(values.shape[1])]
    return np.array([low for low, _ in pairs]), np.array([high for _, high in pairs])
