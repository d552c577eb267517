"""Right where a frame met the event, and where none did; what a clip cost."""

import numpy as np
import pytest

from emovlm.evaluate.predictions import Predictions
from emovlm.evaluate.seen import seen

CLASSES = ["happy", "sad", "neutral"]


def predictions(hits, right, *, subjects=None, **columns):
    """Clips of one class; `right` says which are answered so."""
    rows = [
        {
            "id": str(n),
            "target": "happy",
            "subject": subjects[n] if subjects else None,
            "scores": (np.eye(3)[0 if is_right else 1]).tolist(),
            "hit": hit,
            **{name: values[n] for name, values in columns.items()},
        }
        for n, (hit, is_right) in enumerate(zip(hits, right, strict=True))
    ]
    return Predictions({"classes": CLASSES, "scorer": "likelihood", "split": "test", "protocol": {}}, rows)


def test_hit_missed_and_no_event_are_told_apart():
    found = seen(predictions([True] * 4 + [False] * 5 + [None] * 2, [1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0]))
    assert "cost" not in found
    events = found["events"]
    assert {name: (one["num_clips"], one["value"]) for name, one in events.items()} == {
        "hit": (4, 0.75),
        "missed": (5, 0.2),
        "no_event": (2, 0.0),
    }
    assert events["hit"]["low"] < 0.75 < events["hit"]["high"]
    assert (events["no_event"]["low"], events["no_event"]["high"]) == (0, 0)


def test_intervals_are_over_subjects_or_there_are_none():
    hits, right = [True] * 12, [1, 1, 0] * 4
    by_subject = seen(predictions(hits, right, subjects=[f"p{n // 2}" for n in range(12)]))["events"]["hit"]
    assert by_subject["low"] < by_subject["value"] < by_subject["high"]
    few = seen(predictions(hits, right, subjects=[f"p{n // 6}" for n in range(12)]))["events"]["hit"]
    assert (few["value"], few["low"], few["high"]) == (pytest.approx(2 / 3), None, None)


def test_all_hit_leaves_no_share_of_the_missed():
    events = seen(predictions([True, True], [1, 0]))["events"]
    assert events["missed"] == {"num_clips": 0, "value": None, "low": None, "high": None}


def test_costs_are_means_a_clip_and_nothing_is_made_up():
    costs = {"frames": [4, 2], "visual_tokens": [32, 16], "tokens": [100, 70]}
    found = seen(predictions([None, None], [1, 1], **costs))
    assert found == {"cost": {"frames": 3.0, "visual_tokens": 24.0, "tokens": 85.0}}
    assert seen(predictions([None, None], [1, 1])) == {}
