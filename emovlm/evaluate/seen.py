"""What an arm looked at, and whether it was right where a chosen frame met the event and where none did.

N clips.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from emovlm.metrics import recognition, uncertainty
from emovlm.metrics.recognition import confusion

if TYPE_CHECKING:
    from emovlm.evaluate.predictions import Predictions

# What a clip cost, as the lines of predictions.jsonl have it.
COSTS = ("frames", "visual_tokens", "tokens")
EVENTS = {"hit": True, "missed": False, "no_event": None}


def seen(labelled: Predictions) -> dict[str, Any]:
    """`cost`: means a clip. `events`: {hit, missed, no_event: {num_clips, value, low, high}}, the share that is right.

    A clip is hit where a chosen frame lies in its event (coverage.event_of). Nothing of what no line has.
    """
    found: dict[str, Any] = {}
    if all(name in row for row in labelled.rows for name in COSTS):
        found["cost"] = {name: float(np.mean([row[name] for row in labelled.rows])) for name in COSTS}
    hits = [row.get("hit") for row in labelled.rows]
    if any(hit is not None for hit in hits):
        found["events"] = {
            name: _right(labelled, np.array([hit is wanted for hit in hits])) for name, wanted in EVENTS.items()
        }
    return found


def _right(labelled: Predictions, chosen_N: np.ndarray) -> dict[str, Any]:
    """WAR of the chosen clips, with its interval over subjects where that can be given."""
    if not chosen_N.any():
        return {"num_clips": 0, "value": None, "low": None, "high": None}
    targets_N, predicted_N = labelled.targets_N()[chosen_N], labelled.predicted_N()[chosen_N]
    subjects_N = [row.get("subject") for row, chosen in zip(labelled.rows, chosen_N, strict=True) if chosen]
    num_classes = len(labelled.classes)
    value = float(recognition.war(confusion(targets_N, predicted_N, num_classes)))
    unit = uncertainty.interval_unit(targets_N, subjects_N)
    low = high = None
    if unit != uncertainty.NO_INTERVAL:
        clusters_N = subjects_N if unit == uncertainty.BY_SUBJECT else None
        low, high = uncertainty.bootstrap(
            targets_N, predicted_N, recognition.war, num_classes=num_classes, clusters_N=clusters_N
        )
    return {"num_clips": int(chosen_N.sum()), "value": value, "low": low, "high": high}
