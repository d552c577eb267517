"""The splits of a recipe's `data:` section, and one of them by name."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from emovlm import UserError
from emovlm.data import quarantine, tables
from emovlm.data.columns import to_dataset
from emovlm.data.leaks import LeakWarning, leak_notes
from emovlm.data.quarantine import Splits

if TYPE_CHECKING:
    import datasets

    from emovlm.recipe import Data


def load(data: Data) -> Splits:
    """Split name -> rows, and what was left out. Warns of leaks (LeakWarning).

    Raises UserError for whatever is wrong with the rows, also for those that a check found to be unreadable.
    """
    with tables.uncollected():
        by_split, classes = tables.load_rows(data)
        quarantine.refuse_known(by_split)
        for note in leak_notes(by_split):
            warnings.warn(note, LeakWarning, stacklevel=2)
        return Splits(to_dataset(by_split, classes), by_split.left_out)


def pick(splits: dict[str, datasets.Dataset], name: str) -> datasets.Dataset:
    if name not in splits:
        raise UserError(
            f"data: there is no {name} split (found: {', '.join(splits)}); name another, or give the rows no split at "
            "all, so that data.splits deals them out"
        )
    return splits[name]


def train_counts(splits: dict[str, datasets.Dataset], num_classes: int) -> np.ndarray:
    """Labelled training rows a class, shape (C,); zeros where the set has no training split."""
    labels = [label for label in splits["train"]["label"] if label is not None] if "train" in splits else []
    return np.bincount(np.array(labels, dtype=np.int64), minlength=num_classes)
