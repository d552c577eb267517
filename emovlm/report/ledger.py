"""ledger.json: what the sampler was asked for, and what reached the model's forward pass.

C: classes, in the order of the run's files. What older files lack is None or empty.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emovlm.report.files import field, read_json


@dataclass(frozen=True)
class Epoch:
    number: int
    asked_C: tuple[float, ...]  # proportions
    drawn_C: tuple[int, ...]  # samples
    distinct_C: tuple[int, ...]  # clips
    most_repeated: int  # draws of the clip that was drawn most


@dataclass(frozen=True)
class Ledger:
    """Of one run, over all of its training. None: not in a file this old."""

    classes: tuple[str, ...]
    strategy: str
    available_C: tuple[int, ...]  # clips
    asked_C: tuple[float, ...]  # proportions
    drawn_C: tuple[int, ...]  # samples
    distinct_C: tuple[int, ...]  # clips
    most_draws_C: tuple[int, ...] | None  # draws of the clip that was drawn most
    effective_epochs_C: tuple[float, ...] | None
    class_weights_C: tuple[float, ...] | None
    effective_prior_C: tuple[float, ...] | None  # proportions: drawn times weight
    epochs: tuple[Epoch, ...]  # those with a draw
    num_steps: int
    global_batch: int


def read(path: Path) -> Ledger:
    """Errors: UserError naming file, place and remedy."""
    content = read_json(path)

    def known(name: str) -> tuple[Any, ...] | None:
        return tuple(field(content, name, path, list)) if name in content else None

    return Ledger(
        classes=tuple(field(content, "classes", path, list)),
        strategy=field(content, "strategy", path, str),
        available_C=tuple(field(content, "available", path, list)),
        asked_C=tuple(field(content, "asked", path, list)),
        drawn_C=tuple(field(content, "drawn", path, list)),
        distinct_C=tuple(field(content, "distinct_clips", path, list)),
        most_draws_C=known("most_draws_of_a_clip"),
        effective_epochs_C=known("effective_epochs"),
        class_weights_C=known("class_weights"),
        effective_prior_C=known("effective_prior"),
        epochs=tuple(_epoch(entry, path) for entry in known("epochs") or ()),
        num_steps=field(content, "num_steps", path, int),
        global_batch=field(content, "global_batch", path, int),
    )


def _epoch(entry: Mapping[str, Any], path: Path) -> Epoch:
    place = f"{path}: epochs"
    return Epoch(
        number=field(entry, "epoch", place, int),
        asked_C=tuple(field(entry, "asked", place, list)),
        drawn_C=tuple(field(entry, "drawn", place, list)),
        distinct_C=tuple(field(entry, "distinct_clips", place, list)),
        most_repeated=field(field(entry, "most_repeated", place, dict), "times", place, int),
    )
