"""Predictions -> the numbers of report.json: WAR, UAR, macro-F1, tail recall, per class, with intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

from emovlm import UserError
from emovlm.evaluate.predictions import Predictions
from emovlm.metrics import recognition
from emovlm.metrics.uncertainty import bootstrap

NUM_DRAWS = 1000


def summarise(predictions: Predictions, train_counts_C: np.ndarray) -> dict[str, Any]:
    """train_counts_C decide which classes are the tail. Rows without a target are left out and counted."""
    targets_N, predicted_N = predictions.targets_N(), predictions.predicted_N()
    known = targets_N >= 0
    if not known.any():
        raise UserError(f"the {predictions.header['split']} split has no labelled row to score")
    targets_N, predicted_N = targets_N[known], predicted_N[known]
    num_classes = len(predictions.classes)
    counts = recognition.confusion(targets_N, predicted_N, num_classes)
    tail_C = recognition.tail_classes(train_counts_C)

    def statistics(counts: np.ndarray) -> np.ndarray:
        overall = [recognition.war(counts), recognition.uar(counts), recognition.macro_f1(counts)]
        overall.append(recognition.tail_recall(counts, tail_C))
        return np.concatenate([np.stack(overall, axis=-1), recognition.recall_C(counts)], axis=-1)

    values = statistics(counts)
    low, high = bootstrap(targets_N, predicted_N, statistics, num_classes=num_classes, num_draws=NUM_DRAWS)
    found = [_interval(*triple) for triple in zip(values, low, high, strict=True)]
    return {
        "num_clips": len(targets_N),
        "num_unlabelled": int((~known).sum()),
        "classes": predictions.classes,
        "support": recognition.support_C(counts).tolist(),
        "train_counts": [int(count) for count in train_counts_C],
        "tail": [name for name, tail in zip(predictions.classes, tail_C, strict=True) if tail],
        **dict(zip(("war", "uar", "macro_f1", "tail_recall"), found[:4], strict=True)),
        "recall": found[4:],
        "confusion": counts[:, :num_classes].tolist(),
        "predicted": recognition.predicted_C(counts).tolist(),
        "unreadable": int(recognition.unreadable(counts)),
        "num_classes_present": int(recognition.num_present(counts)),
        "interval": f"95 % bootstrap over clips, {NUM_DRAWS} draws",
    }


def _interval(value: float, low: float, high: float) -> dict[str, float] | None:
    if not np.isfinite(value):
        return None
    return {"value": float(value), "low": float(low), "high": float(high)}
