"""What a describer is given, and what it gives back.

A describer sees pixels and times only: never a path, a label or an annotated onset, all of which can spell the answer.
T frames to describe, R first frames of the clip, H rows, W columns, C = 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True)
class Strip:
    """Frames (uint8) to be told in one text.

    times_s_T: seconds from the clip's first frame; without a clock (`timed` False) only an order. around: the chosen
    frame before and the one after with their times, None where there is none. reference_RHWC: the clip's own first
    frames, for what is told as a change. notes: (time, text) from the stage before, in time order.
    """

    frames_THWC: np.ndarray
    times_s_T: np.ndarray
    timed: bool
    before: tuple[np.ndarray, float] | None
    after: tuple[np.ndarray, float] | None
    reference_RHWC: np.ndarray
    notes: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True)
class Failure:
    """In place of a text: why there is none."""

    reason: str


class Describer(Protocol):
    """What `load(*, stage, max_words, **args)` in a file of describers/ returns. stage: a kind of
    stages.Stage. Loading is cheap: a model comes with the first strip.

    version: raised with every change of the code that could change a text. identity: every argument that could change a
    text, as plain JSON (a model by its content, a question by its words; no batch size, no address). at_once: strips
    that are best described together.
    """

    version: int
    identity: Mapping[str, Any]
    at_once: int

    def describe(self, strips: Sequence[Strip]) -> list[str | Failure]:
        """One text a strip. Raises UserError for what would fail for every strip, such as a missing model."""
        ...
