"""The answers to a window that slides over a long video.

N windows, C classes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emovlm import UserError
from emovlm.frames import decode
from emovlm.frames.clip import ClipError
from emovlm.predict.clips import Answer, row
from emovlm.run import write_text

# Windows that are closer to each other than this are the same one.
SLACK_S = 1e-6


@dataclass(frozen=True)
class Segment:
    """A stretch of time with one answer, and its mean probability over the windows there."""

    start_s: float
    end_s: float
    answer: str
    probability: float


def windows(path: str, window_s: float, step_s: float) -> list[dict[str, Any]]:
    """Rows of the spans that are asked about. Raises ClipError for what is no video, UserError for a senseless window.

    The last window ends where the picture ends; a shorter video is one window.
    """
    if not window_s > 0 or not step_s > 0:
        raise UserError(f"--window {window_s:g} --step {step_s:g}: both must be above 0 seconds")
    _, (_, end_s), timed = decode.glance([path])
    if not timed:
        raise ClipError(f"{path}: is a picture, and a timeline needs a video")
    last_s = max(end_s - window_s, 0.0)
    starts_s = [*np.arange(0.0, last_s - SLACK_S, step_s).tolist(), last_s]
    return [row(path, round(start_s, 6), round(min(start_s + window_s, end_s), 6)) for start_s in starts_s]


def middles_s(answers: Sequence[Answer]) -> list[float]:
    return [(_seconds(one.start_s) + _seconds(one.end_s)) / 2 for one in answers]


def segments(answers: Sequence[Answer]) -> list[Segment]:
    """Windows with the same answer one after the other; the border lies halfway between the middles of two windows."""
    middle_s_N = middles_s(answers)
    found: list[Segment] = []
    first = 0
    for n, one in enumerate(answers):
        if n + 1 < len(answers) and answers[n + 1].answer == one.answer:
            continue
        start_s = _seconds(answers[0].start_s) if first == 0 else (middle_s_N[first - 1] + middle_s_N[first]) / 2
        end_s = _seconds(one.end_s) if n + 1 == len(answers) else (middle_s_N[n] + middle_s_N[n + 1]) / 2
        name = one.answer
        assert name is not None, "scores have a largest"
        mean = float(np.mean([each.probabilities[name] for each in answers[first : n + 1]]))
        found.append(Segment(start_s, end_s, name, mean))
        first = n + 1
    return found


def write_csv(path: Path, answers: Sequence[Answer]) -> None:
    """One line a window: start_s, end_s, answer, and the probability of each class."""
    lines = [["start_s", "end_s", "answer", *answers[0].probabilities]]
    for one in answers:
        spans = [f"{_seconds(one.start_s):.6f}", f"{_seconds(one.end_s):.6f}"]
        lines.append([*spans, str(one.answer), *(f"{share:.6f}" for share in one.probabilities.values())])
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(lines)
    write_text(path, buffer.getvalue())


def _seconds(value: float | None) -> float:
    assert value is not None, "a window has a beginning and an end"
    return value
