"""The ledger: which rows really reached the forward pass, set against what was there and what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class Ledger:
    """Counts the rows of one training run. `labels_N`: class index of each training row, -1 where unlabelled."""

    def __init__(self, classes: Sequence[str], labels_N: Sequence[int] | np.ndarray):
        self.classes = list(classes)
        self.labels_N = np.asarray(labels_N, dtype=np.int64)
        self.drawn_N = np.zeros(len(self.labels_N), dtype=np.int64)

    def add(self, rows_B: Sequence[int] | np.ndarray) -> None:
        """Count one batch: row indices, repeats allowed."""
        np.add.at(self.drawn_N, np.asarray(rows_B, dtype=np.int64), 1)

    def per_class(self, values_N: np.ndarray) -> list[int]:
        known = self.labels_N >= 0
        return (
            np.bincount(self.labels_N[known], weights=values_N[known], minlength=len(self.classes)).astype(int).tolist()
        )

    def summary(
        self, *, strategy: str, asked_C: np.ndarray | None, num_steps: int, global_batch: int, drawn_N: np.ndarray
    ) -> dict[str, Any]:
        """The content of ledger.json. drawn_N: draws of each row summed over all processes."""
        drawn_C = self.per_class(drawn_N)
        total = max(sum(drawn_C), 1)
        return {
            "classes": self.classes,
            "strategy": strategy,
            "available": self.per_class(np.ones_like(drawn_N)),
            "asked": None if asked_C is None else [round(float(share), 6) for share in asked_C],
            "drawn": drawn_C,
            "effective_prior": [count / total for count in drawn_C],
            "distinct_clips": self.per_class(drawn_N > 0),
            "num_steps": num_steps,
            "global_batch": global_batch,
        }
