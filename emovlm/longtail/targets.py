"""Labels of rows -> arrays: the class that each row is drawn for, and its distribution over the classes.

N rows, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def class_indices(labels: Sequence[int | None]) -> np.ndarray:
    """labels_N: -1 where a row has no label. Rows that all have none (free answers) are one class."""
    if all(label is None for label in labels):
        return np.zeros(len(labels), dtype=np.int64)
    return np.array([-1 if label is None else label for label in labels], dtype=np.int64)


def distributions(
    soft: Sequence[Sequence[float] | None], labels: Sequence[int | None], num_classes: int
) -> np.ndarray | None:
    """soft_NC where some row has a soft label: rows without one are one-hot on their label. None where none has."""
    if all(shares is None for shares in soft):
        return None
    soft_NC = np.zeros((len(labels), num_classes))
    for n, (shares, label) in enumerate(zip(soft, labels, strict=True)):
        if shares is not None:
            soft_NC[n] = shares
        elif label is not None:
            soft_NC[n, label] = 1.0
    return soft_NC
