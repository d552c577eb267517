"""Recognition scores from counts. Pure: arrays in, arrays out; every score also takes a stack of count tables.

N: clips. C: classes. P = C + 1: predicted class, and a last column for answers that could not be read.
...: any leading axes, such as the draws of a bootstrap.

WAR (weighted average recall) is accuracy, UAR (unweighted average recall) the mean recall of the classes. A class
without a row has no recall (nan) and is left out of UAR and macro-F1: `num_present` says over how many they are.
"""

from __future__ import annotations

import numpy as np

UNREADABLE = -1


def confusion(targets_N: np.ndarray, predicted_N: np.ndarray, num_classes: int) -> np.ndarray:
    """counts_CP: rows of class c that were predicted as p. An unreadable answer (-1) is wrong, in the last column."""
    targets_N, predicted_N = np.asarray(targets_N, dtype=np.int64), np.asarray(predicted_N, dtype=np.int64)
    assert targets_N.shape == predicted_N.shape == (targets_N.size,), "one prediction a target"
    assert np.all((targets_N >= 0) & (targets_N < num_classes)), "a target outside the classes"
    assert np.all((predicted_N >= UNREADABLE) & (predicted_N < num_classes)), "a prediction outside the classes"
    columns_N = np.where(predicted_N == UNREADABLE, num_classes, predicted_N)
    width = num_classes + 1
    flat = np.bincount(targets_N * width + columns_N, minlength=num_classes * width)
    return flat.reshape(num_classes, width)


def support_C(counts_CP: np.ndarray) -> np.ndarray:
    """Rows of each class."""
    return counts_CP.sum(axis=-1)


def predicted_C(counts_CP: np.ndarray) -> np.ndarray:
    """How often each class was predicted (unreadable answers predict none)."""
    return counts_CP[..., :-1].sum(axis=-2)


def unreadable(counts_CP: np.ndarray) -> np.ndarray:
    """Number of answers that could not be read."""
    return counts_CP[..., -1].sum(axis=-1)


def num_present(counts_CP: np.ndarray) -> np.ndarray:
    """Number of classes that have a row: those that UAR and macro-F1 are averaged over."""
    return (support_C(counts_CP) > 0).sum(axis=-1)


def recall_C(counts_CP: np.ndarray) -> np.ndarray:
    """Recall of each class in [0, 1]; nan for a class without a row."""
    return _ratio(_hits_C(counts_CP), support_C(counts_CP))


def war(counts_CP: np.ndarray) -> np.ndarray:
    """Accuracy in [0, 1]; nan without rows."""
    return _ratio(_hits_C(counts_CP).sum(axis=-1), counts_CP.sum(axis=(-2, -1)))


def uar(counts_CP: np.ndarray) -> np.ndarray:
    """Mean recall of the classes present, in [0, 1]; nan without rows."""
    return _mean_where(recall_C(counts_CP), support_C(counts_CP) > 0)


def macro_f1(counts_CP: np.ndarray) -> np.ndarray:
    """Mean F1 of the classes present, in [0, 1]; F1_c = 2 hits / (rows of c + predictions of c).

    scikit-learn's average also counts, as 0, a class that is predicted but has no row: pass it `labels` to compare.
    """
    f1_C = _ratio(2 * _hits_C(counts_CP), support_C(counts_CP) + predicted_C(counts_CP))
    return _mean_where(f1_C, support_C(counts_CP) > 0)


def tail_classes(train_counts_C: np.ndarray) -> np.ndarray:
    """bool_C: the third (rounded, at least one) of the classes with the fewest training clips; ties by class order."""
    train_counts_C = np.asarray(train_counts_C)
    is_tail_C = np.zeros(len(train_counts_C), dtype=bool)
    num_tail = max(1, round(len(train_counts_C) / 3))
    is_tail_C[np.argsort(train_counts_C, kind="stable")[:num_tail]] = True
    return is_tail_C


def tail_recall(counts_CP: np.ndarray, is_tail_C: np.ndarray) -> np.ndarray:
    """Mean recall of the tail classes that have a row; nan where none has."""
    return _mean_where(recall_C(counts_CP), (support_C(counts_CP) > 0) & np.asarray(is_tail_C, dtype=bool))


def _hits_C(counts_CP: np.ndarray) -> np.ndarray:
    return np.diagonal(counts_CP, axis1=-2, axis2=-1)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def _mean_where(values_C: np.ndarray, chosen_C: np.ndarray) -> np.ndarray:
    return _ratio(np.where(chosen_C, values_C, 0.0).sum(axis=-1), chosen_C.sum(axis=-1))
