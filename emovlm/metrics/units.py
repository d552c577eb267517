"""What is drawn, or swapped between two runs, as a whole: a subject with all its clips, or a clip.

A score depends on the clips only through counts, so counts are drawn instead of clips. Clips that agree in the target
and in the answer of every run are one kind, and it only matters how many of a kind are drawn.

N: clips. R: runs. U: kinds of units. D: draws. C: classes. P = C + 1, see recognition.py. K = C * P: cells of a table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from emovlm.metrics.recognition import UNREADABLE

# Draws x kinds, and draws x cells of a table, held at once: 32 MB of int64.
CELLS_AT_ONCE = 2**22


@dataclass(frozen=True)
class Units:
    """tables_R: of each run the sparse counts_UK of one unit of each kind. times_U: how many units are of the kind."""

    tables_R: tuple[csr_array, ...]
    support_UC: csr_array
    times_U: np.ndarray
    num_classes: int

    def stack(self, flat_DK: np.ndarray) -> np.ndarray:
        """counts_DCP from rows of cells, such as `weights_DU @ tables_R[r]`."""
        return flat_DK.reshape(len(flat_DK), self.num_classes, self.num_classes + 1)

    def chunks(self, num_draws: int) -> Iterator[int]:
        """`num_draws` in parts that fit into memory."""
        most = max(1, CELLS_AT_ONCE // max(len(self.times_U), self.num_classes * (self.num_classes + 1)))
        yield from (min(most, num_draws - done) for done in range(0, num_draws, most))

    def resample(self, num_draws: int, random: np.random.Generator, *, redraw: bool) -> tuple[np.ndarray, int]:
        """(weights_DU, number of draws thrown away): as many units as there are, with replacement.

        redraw: throw a draw away that has no row of a class the data has, and draw again.
        """
        kind_N = np.repeat(np.arange(len(self.times_U)), self.times_U)

        def draw(num: int) -> np.ndarray:
            # Counting drawn places is several times faster than a multinomial over thousands of kinds.
            drawn = (kind_N[random.integers(len(kind_N), size=len(kind_N))] for _ in range(num))
            return np.stack([np.bincount(kinds, minlength=len(self.times_U)) for kinds in drawn])

        present_C = self.support_UC.sum(axis=0) > 0
        weights_DU, num_redrawn = draw(num_draws), 0
        lost = np.arange(num_draws if redraw else 0)
        while True:
            kept_LC = (weights_DU[lost] @ self.support_UC) > 0
            lost = lost[~kept_LC[:, present_C].all(axis=1)]
            if not len(lost):
                return weights_DU, num_redrawn
            num_redrawn += len(lost)
            assert num_redrawn < 100 * num_draws, "hardly a draw keeps every class: `interval_unit` allows no interval"
            weights_DU[lost] = draw(len(lost))


def units(targets_N: Any, answers_RN: Any, num_classes: int | None = None, clusters_N: Any = None) -> Units:
    """The kinds of clips, or with `clusters_N` (such as the subject of each clip) the clusters, each a kind of its own.

    answers_RN: class index, or -1 for an unreadable answer. num_classes: default the highest seen.
    """
    targets_N, answers_RN = np.asarray(targets_N, dtype=np.int64), np.atleast_2d(np.asarray(answers_RN, dtype=np.int64))
    assert len(targets_N), "no rows to resample"
    assert answers_RN.shape[1:] == targets_N.shape, "one answer a clip from every run"
    highest = int(max(targets_N.max(), answers_RN.max()))
    num_classes = highest + 1 if num_classes is None else num_classes
    assert targets_N.min() >= 0, "a target outside the classes"
    assert UNREADABLE <= answers_RN.min() <= highest < num_classes, "an answer outside the classes"
    width = num_classes + 1
    cells_RN = targets_N * width + np.where(answers_RN == UNREADABLE, num_classes, answers_RN)
    if clusters_N is None:
        cells_RX, times_U = np.unique(cells_RN, axis=1, return_counts=True)
        unit_X = np.arange(len(times_U))
    else:
        assert len(clusters_N) == len(targets_N), "one cluster a clip"
        names, unit_X = np.unique(np.asarray(clusters_N), return_inverse=True)
        cells_RX, times_U = cells_RN, np.ones(len(names), dtype=np.int64)
    ones = np.ones(len(unit_X), dtype=np.int64)

    def table(columns: np.ndarray, num_columns: int) -> csr_array:
        return csr_array((ones, (unit_X, columns)), shape=(len(times_U), num_columns))  # equal places are summed

    tables_R = tuple(table(cells_X, num_classes * width) for cells_X in cells_RX)
    return Units(tables_R, table(cells_RX[0] // width, num_classes), times_U, num_classes)
