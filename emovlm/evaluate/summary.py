"""Predictions -> the numbers of report.json: recognition with intervals, collapse, calibration, soft labels.

N clips, C classes, P = C + 1 (see metrics/recognition.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from emovlm import UserError
from emovlm.evaluate import robustness
from emovlm.evaluate.predictions import Predictions
from emovlm.evaluate.seen import seen
from emovlm.metrics import calibration, collapse, recognition, soft, uncertainty

NUM_DRAWS = 1000
OVERALL = ("war", "uar", "macro_f1", "weighted_f1", "tail_recall", *recognition.GROUPS)
INTERVALS = {
    uncertainty.BY_SUBJECT: f"95 % bootstrap over subjects, {NUM_DRAWS} draws",
    uncertainty.BY_CLIP: f"95 % bootstrap over clips, {NUM_DRAWS} draws; optimistic, since the subjects are not known",
    uncertainty.NO_INTERVAL: f"none: a class has clips of fewer than {uncertainty.MIN_SUBJECTS} subjects",
}


def summarise(predictions: Predictions, train_counts_C: np.ndarray, temperature: float | None = None) -> dict[str, Any]:
    """train_counts_C decide which classes are the tail. Rows without a target are left out and counted.

    temperature: fitted on the validation split; calibration is then given before and after.
    """
    known_N = predictions.targets_N() >= 0
    if not known_N.any():
        raise UserError(f"the {predictions.header['split']} split has no labelled row to score")
    labelled = Predictions(
        predictions.header, [row for row, known in zip(predictions.rows, known_N, strict=True) if known]
    )
    classes = labelled.classes
    targets_N, predicted_N = labelled.targets_N(), labelled.predicted_N()
    counts_CP = recognition.confusion(targets_N, predicted_N, len(classes))
    found = {
        "num_clips": len(targets_N),
        "num_unlabelled": int((~known_N).sum()),
        "classes": classes,
        "support": recognition.support_C(counts_CP).tolist(),
        "train_counts": [int(count) for count in train_counts_C],
        "tail": _names(classes, recognition.tail_classes(train_counts_C)),
        "groups": _groups_C(labelled, train_counts_C).tolist(),
        **_scores(labelled, train_counts_C),
        "precision": _plain(recognition.precision_C(counts_CP)),
        "f1": _plain(recognition.f1_C(counts_CP)),
        "confusion": counts_CP[:, : len(classes)].tolist(),
        "predicted": recognition.predicted_C(counts_CP).tolist(),
        "unreadable": int(recognition.unreadable(counts_CP)),
        "num_classes_present": int(recognition.num_present(counts_CP)),
        "collapse": _collapse(counts_CP, classes, train_counts_C),
        "protocol": predictions.header["protocol"],
        "recipe_hash": predictions.header.get("recipe_hash"),
    }
    if labelled.has_scores():
        found["top2"] = recognition.top_k(labelled.scores_NC(), targets_N, 2)
    if labelled.log_probabilities():
        found["calibration"] = _calibration(labelled.scores_NC(), targets_N, temperature)
    if any(row.get("soft_target") for row in labelled.rows) and labelled.log_probabilities():
        found["soft"] = _soft(labelled)
    return found | seen(labelled) | robustness.summary(labelled)


def validation_scores(predictions: Predictions, train_counts_C: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
    """({metric: value}, counts_CP) of the labelled rows: every metric that a checkpoint can be selected by."""
    targets_N, predicted_N = predictions.targets_N(), predictions.predicted_N()
    known_N = targets_N >= 0
    counts_CP = recognition.confusion(targets_N[known_N], predicted_N[known_N], len(predictions.classes))
    groups_C = _groups_C(predictions, train_counts_C)
    values = dict(zip(OVERALL, _overall(counts_CP[None], train_counts_C, groups_C)[0].tolist(), strict=True))
    chosen = {name: values[name] for name in ("war", "uar", "macro_f1", "weighted_f1", "tail_recall")}
    if predictions.log_probabilities():
        chosen |= _calibration_at(predictions.scores_NC()[known_N], targets_N[known_N], 1.0)
    return chosen, counts_CP


def _scores(labelled: Predictions, train_counts_C: np.ndarray) -> dict[str, Any]:
    """The overall scores and the recalls, each with its interval over what may be resampled."""
    targets_N, predicted_N = labelled.targets_N(), labelled.predicted_N()
    subjects = [row.get("subject") for row in labelled.rows]
    unit = uncertainty.interval_unit(targets_N, subjects)
    num_classes, groups_C = len(labelled.classes), _groups_C(labelled, train_counts_C)

    def statistic(counts: np.ndarray) -> np.ndarray:
        return np.concatenate([_overall(counts, train_counts_C, groups_C), recognition.recall_C(counts)], axis=-1)

    values_K = statistic(recognition.confusion(targets_N, predicted_N, num_classes)[None])[0]
    low_K, high_K = np.full_like(values_K, np.nan), np.full_like(values_K, np.nan)
    num_redrawn = 0
    if unit != uncertainty.NO_INTERVAL:
        clusters = subjects if unit == uncertainty.BY_SUBJECT else None
        drawn_DCP, num_redrawn = uncertainty.draw_tables(
            targets_N, predicted_N, num_classes=num_classes, num_draws=NUM_DRAWS, clusters_N=clusters
        )
        low_K, high_K = uncertainty.interval(statistic(drawn_DCP))
    found = [_interval(*triple) for triple in zip(values_K, low_K, high_K, strict=True)]
    redrawn = f"; {num_redrawn} draws that had lost a class were drawn again" if num_redrawn else ""
    return {
        **dict(zip(OVERALL, found, strict=False)),
        "recall": found[len(OVERALL) :],
        "interval": INTERVALS[unit] + redrawn,
        "interval_unit": unit,
    }


def _groups_C(predictions: Predictions, train_counts_C: np.ndarray) -> np.ndarray:
    return recognition.groups(train_counts_C, predictions.header["protocol"].get("cuts"))


def _overall(counts: np.ndarray, train_counts_C: np.ndarray, groups_C: np.ndarray) -> np.ndarray:
    """The scores of OVERALL in the last axis."""
    single = [recognition.war(counts), recognition.uar(counts), recognition.macro_f1(counts)]
    single += [recognition.weighted_f1(counts)]
    single += [recognition.tail_recall(counts, recognition.tail_classes(train_counts_C))]
    by_group = recognition.group_recall(counts, groups_C)
    return np.concatenate([np.stack(single, axis=-1), by_group], axis=-1)


def _collapse(counts_CP: np.ndarray, classes: list[str], train_counts_C: np.ndarray) -> dict[str, Any]:
    recall_C = recognition.recall_C(counts_CP)
    swallowed = collapse.swallowed(counts_CP, recognition.tail_classes(train_counts_C))
    correlations = {
        "training_share": collapse.rank_correlation(recall_C, train_counts_C),
        "word_frequency": collapse.rank_correlation(recall_C, collapse.word_frequency(classes)),
    }
    return {
        "kl_to_truth": _number(collapse.kl_to_truth(counts_CP)),
        "evenness": _number(collapse.evenness(recognition.predicted_C(counts_CP))),
        "evenness_of_truth": _number(collapse.evenness(recognition.support_C(counts_CP))),
        "never_predicted": [classes[c] for c in collapse.never_predicted(counts_CP)],
        "swallowed": [
            {"tail": classes[one.tail], "head": None if one.head is None else classes[one.head], "share": one.share}
            for one in swallowed
        ],
        "recall_against": {
            name: {"rho": _number(one.rho), "p": _number(one.p), "num_classes": one.num_classes}
            for name, one in correlations.items()
        },
    }


def _calibration(scores_NC: np.ndarray, targets_N: np.ndarray, temperature: float | None) -> dict[str, Any]:
    probs_NC = calibration.probabilities(scores_NC)
    confidence_N, is_right_N = calibration.top_class(probs_NC, targets_N)
    bars = calibration.reliability(confidence_N, is_right_N)
    found: dict[str, Any] = {
        **_calibration_at(scores_NC, targets_N, 1.0),
        "expected_ece": calibration.expected_ece(confidence_N),
        "classwise_ece": _plain(calibration.classwise_ece_C(probs_NC, targets_N)),
        "reliability": {
            "count": bars.count_B.tolist(),
            "confidence": _plain(bars.confidence_B),
            "accuracy": _plain(bars.accuracy_B),
        },
    }
    if temperature is not None:
        after_N = calibration.probabilities(scores_NC, temperature).max(axis=1)
        found["temperature"] = {
            "value": temperature,
            **_calibration_at(scores_NC, targets_N, temperature),
            "expected_ece": calibration.expected_ece(after_N),
        }
    return found


def _calibration_at(scores_NC: np.ndarray, targets_N: np.ndarray, temperature: float) -> dict[str, float]:
    probs_NC = calibration.probabilities(scores_NC, temperature)
    return {
        "nll": calibration.nll(scores_NC, targets_N, temperature),
        "brier": calibration.brier(probs_NC, targets_N),
        "ece": calibration.ece(*calibration.top_class(probs_NC, targets_N)),
    }


def _soft(labelled: Predictions) -> dict[str, Any]:
    rows = [n for n, row in enumerate(labelled.rows) if row.get("soft_target")]
    soft_NC = np.array([labelled.rows[n]["soft_target"] for n in rows])
    probs_NC = calibration.probabilities(labelled.scores_NC()[rows])
    return {
        "num_clips": len(rows),
        "kl": soft.mean_kl(soft_NC, probs_NC),
        "cosine": soft.mean_cosine(soft_NC, probs_NC),
    }


def _names(classes: list[str], chosen_C: np.ndarray) -> list[str]:
    return [name for name, chosen in zip(classes, chosen_C, strict=True) if chosen]


def _plain(values: np.ndarray) -> list[float | None]:
    return [_number(value) for value in values]


def _number(value: float) -> float | None:
    """JSON has no nan: null where there is nothing to score."""
    return float(value) if np.isfinite(value) else None


def _interval(value: float, low: float, high: float) -> dict[str, float | None] | None:
    return {"value": float(value), "low": _number(low), "high": _number(high)} if np.isfinite(value) else None
