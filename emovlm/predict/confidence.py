"""How often the run was right when it was as sure as it is of this clip: the reliability of its own evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from emovlm import run as runs
from emovlm.metrics import calibration

if TYPE_CHECKING:
    from emovlm.predict.clips import Answer
    from emovlm.recipe import Evaluate


def told(run: runs.RunFolder, asked: Evaluate, answer: Answer, changed: bool) -> str:
    """A sentence or two for the page. changed: the frames are not those that the run was scored with.

    The bins are those of the probabilities before any temperature, which is a function of the same scores.
    """
    key = runs.evaluation_key(asked, asked.split)
    bins = _reliability(run, key)
    if bins is None:
        return f"How far these probabilities can be trusted is not known: the run has no evaluation {key}."
    if changed:
        return "How far these probabilities can be trusted is not known: the run was scored with other frames."
    probs_NC = calibration.probabilities([list(answer.scores.values())])
    num_bins = len(bins["count"])
    place = int(max(np.ceil(probs_NC.max() * num_bins) - 1, 0))
    count, accuracy = bins["count"][place], bins["accuracy"][place]
    low, high = place / num_bins, (place + 1) / num_bins
    of_bin = f"that were answered with a probability from {low:.2f} to {high:.2f} (before any temperature)"
    if not count:
        return f"There was no clip in the {asked.split} split {of_bin}, so nothing is known about such answers."
    return f"Of the {count} clips of the {asked.split} split {of_bin}, {accuracy:.0%} were answered rightly."


def _reliability(run: runs.RunFolder, key: str) -> Mapping[str, Any] | None:
    if not run.report.is_file():
        return None
    evaluations = json.loads(run.report.read_text(encoding="utf-8"))["evaluations"]
    return (evaluations.get(key, {}).get("calibration") or {}).get("reliability")
