"""Recognition scores from counts. Pure: arrays in, arrays out; every score also takes a stack of count tables.

N: clips. C: classes. P = C + 1: predicted class, and a last column for answers that could not be read.
...: any leading axes, such as the draws of a bootstrap.

WAR (weighted average recall) is accuracy, UAR (unweighted average recall) the mean recall of the classes. A class
without a row has no recall, precision or F1 (nan) and is left out of UAR and macro-F1: `num_present` says over how
many they are. scikit-learn's averages also count, as 0, a class that is predicted but has no row: give it `labels=`
the classes present, and `zero_division=0`, to compare.
"""

from __future__ import annotations

import numpy as np

UNREADABLE = -1
GROUPS = ("many", "medium", "few")


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


def precision_C(counts_CP: np.ndarray) -> np.ndarray:
    """Share of the predictions of each class that are right; 0 for one never predicted, nan for one without a row."""
    return np.where(support_C(counts_CP) > 0, _hits_C(counts_CP) / np.maximum(predicted_C(counts_CP), 1), np.nan)


def f1_C(counts_CP: np.ndarray) -> np.ndarray:
    """F1 of each class in [0, 1] = 2 hits / (rows of it + predictions of it); nan for a class without a row."""
    support = support_C(counts_CP)
    return np.where(support > 0, _ratio(2 * _hits_C(counts_CP), support + predicted_C(counts_CP)), np.nan)


def macro_f1(counts_CP: np.ndarray) -> np.ndarray:
    """Mean F1 of the classes present, in [0, 1]; nan without rows. Also called UF1."""
    return _mean_where(f1_C(counts_CP), support_C(counts_CP) > 0)


def weighted_f1(counts_CP: np.ndarray) -> np.ndarray:
    """Mean F1 of the classes, each weighing as many rows as it has, in [0, 1]; nan without rows."""
    support = support_C(counts_CP)
    return _ratio((support * np.nan_to_num(f1_C(counts_CP))).sum(axis=-1), support.sum(axis=-1))


def row_normalised(counts_CP: np.ndarray) -> np.ndarray:
    """Share of the rows of c that were predicted as p, the unreadable ones in the last column; nan without rows."""
    return _ratio(counts_CP, support_C(counts_CP)[..., None])


def top_k(scores_NC: np.ndarray, targets_N: np.ndarray, k: int) -> float:
    """Share of rows whose class is among the k highest scores.

    Equal scores rank in class order, as argmax takes them: top-1 is WAR, and a model with one score for all classes
    names the first k.
    """
    scores_NC = np.asarray(scores_NC)
    assert scores_NC.shape[0] == len(targets_N) > 0, "one target a row"
    assert not np.isnan(scores_NC).any(), "a score that is not a number has no rank"
    highest_NK = np.argsort(-scores_NC, axis=1, kind="stable")[:, :k]
    return float((highest_NK == np.asarray(targets_N)[:, None]).any(axis=1).mean())


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


def groups(train_counts_C: np.ndarray, cuts: tuple[int, int] | None = None) -> np.ndarray:
    """ "many", "medium" or "few" for each class.

    By default the third of the classes with the most, and the third with the fewest training clips (`tail_classes`).
    cuts: (high, low), many from `high` training clips on, few below `low`. ImageNet-LT's (100, 20), of Liu et al. 2019
        (arXiv 1904.05160), would call every class of DFEW "many": say the cut beside the number.
    """
    train_counts_C = np.asarray(train_counts_C)
    if cuts is not None:
        high, low = cuts
        assert high >= low, "cuts are (high, low)"
        return np.where(train_counts_C >= high, "many", np.where(train_counts_C < low, "few", "medium"))
    is_few_C = tail_classes(train_counts_C)
    groups_C = np.where(is_few_C, "few", "medium")
    descending = np.argsort(train_counts_C, kind="stable")[::-1]
    groups_C[descending[: min(is_few_C.sum(), (~is_few_C).sum())]] = "many"
    return groups_C


def group_recall(counts_CP: np.ndarray, groups_C: np.ndarray) -> np.ndarray:
    """[..., 3]: mean recall of the "many", "medium" and "few" classes that have a row; nan where none has."""
    recall, is_present_C = recall_C(counts_CP), support_C(counts_CP) > 0
    return np.stack([_mean_where(recall, is_present_C & (np.asarray(groups_C) == name)) for name in GROUPS], axis=-1)


def _hits_C(counts_CP: np.ndarray) -> np.ndarray:
    return np.diagonal(counts_CP, axis1=-2, axis2=-1)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def _mean_where(values_C: np.ndarray, chosen_C: np.ndarray) -> np.ndarray:
    return _ratio(np.where(chosen_C, values_C, 0.0).sum(axis=-1), chosen_C.sum(axis=-1))
