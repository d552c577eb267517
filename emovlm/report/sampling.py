"""What the sampler drew, class by class and epoch by epoch: text, ready for the page.

C: classes, in the order that the page gives.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emovlm.report.ledger import Ledger
from emovlm.report.records import Arm, Study
from emovlm.report.tables import ordered_arms

MOST_EPOCHS = 12


@dataclass(frozen=True)
class EpochRow:
    """`cells`: samples drawn, the number asked for, different clips, for each class."""

    number: int
    cells: tuple[tuple[str, str, str], ...]
    most_repeated: int


@dataclass(frozen=True)
class Sampled:
    """An arm. `columns`: a title and one text a class, as far as its files know it; `epochs`: of its first run."""

    arm: str
    strategy: str
    columns: tuple[tuple[str, tuple[str, ...]], ...]
    epochs: tuple[EpochRow, ...]
    num_epochs: int


def sampled_arms(study: Study) -> list[Arm]:
    return [arm for arm in ordered_arms(study) if any(part.ledger for part in arm.parts)]


def sampled(arm: Arm, names: Sequence[str]) -> Sampled:
    """Means over seeds and folds, but of the most repeated clip the most in any of them."""
    ledgers = [part.ledger for part in arm.parts if part.ledger]
    first = ledgers[0]
    place = {name: c for c, name in enumerate(first.classes)}
    order = [place[name] for name in names]
    columns = []
    for title, values_of, over_seeds, shown in _COLUMNS:
        found = [values_of(ledger) for ledger in ledgers]
        if all(values is not None for values in found):
            values_C = over_seeds(np.array(found, dtype=float), axis=0)
            columns.append((title, tuple(shown.format(values_C[c]) for c in order)))
    kept = np.unique(np.linspace(0, len(first.epochs) - 1, MOST_EPOCHS).round().astype(int)) if first.epochs else ()
    epochs = tuple(_epoch_row(first, at, order) for at in kept)
    return Sampled(arm.name, first.strategy, tuple(columns), epochs, len(first.epochs))


def _epoch_row(ledger: Ledger, at: int, order: Sequence[int]) -> EpochRow:
    epoch = ledger.epochs[at]
    total = sum(epoch.drawn_C)
    cells = [(f"{epoch.drawn_C[c]}", f"{epoch.asked_C[c] * total:.1f}", f"{epoch.distinct_C[c]}") for c in order]
    return EpochRow(epoch.number, tuple(cells), epoch.most_repeated)


def _drawn_share(ledger: Ledger) -> np.ndarray:
    return np.array(ledger.drawn_C) / max(sum(ledger.drawn_C), 1)


# Title, values of a ledger (None where an older file lacks them), how seeds are put together, format.
_COLUMNS: tuple[tuple[str, Callable[[Ledger], Any], Callable[..., np.ndarray], str], ...] = (
    ("available clips", lambda ledger: ledger.available_C, np.mean, "{:.0f}"),
    ("asked", lambda ledger: ledger.asked_C, np.mean, "{:.1%}"),
    ("drawn", _drawn_share, np.mean, "{:.1%}"),
    ("samples drawn", lambda ledger: ledger.drawn_C, np.mean, "{:.0f}"),
    ("distinct clips", lambda ledger: ledger.distinct_C, np.mean, "{:.0f}"),
    ("most repeated", lambda ledger: ledger.most_draws_C, np.max, "{:.0f} x"),
    ("effective epochs", lambda ledger: ledger.effective_epochs_C, np.mean, "{:.2f}"),
    ("class weight", lambda ledger: ledger.class_weights_C, np.mean, "{:.2f}"),
    ("effective prior", lambda ledger: ledger.effective_prior_C, np.mean, "{:.1%}"),
)
