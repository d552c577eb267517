"""From the JSON of report.json to records. Errors: UserError naming file, place and remedy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emovlm import UserError
from emovlm.report.files import AGAIN, field, record
from emovlm.report.records import (
    FURTHER,
    METRICS,
    Agreement,
    Calibration,
    Collapse,
    Evaluation,
    Look,
    Orders,
    Right,
    Score,
    Soft,
    Worded,
)

OPTIONAL: dict[str, Any] = {
    "collapse": Collapse,
    "calibration": Calibration,
    "look": Look,
    "words": Mapping[str, Worded],
    "orders": Orders,
    "soft": Soft,
    "agreement": Agreement,
    "unread": Mapping[str, int],
    "cost": Mapping[str, float],
    "enrich": Mapping[str, float],
    "events": Mapping[str, Right],
}


def evaluation(key: str, entry: Mapping[str, Any], path: Path) -> Evaluation:
    """`entry`: what report.json (`path`) has under evaluations.`key`."""
    place = f"{path}: evaluations.{key}"
    classes = tuple(field(entry, "classes", place, list))
    per_class = {}
    for name in ("support", "train_counts", "recall", "confusion", "predicted", "groups", "precision", "f1"):
        is_old = name in ("groups", "precision", "f1") and name not in entry
        per_class[name] = () if is_old else tuple(field(entry, name, place, list))
        if not is_old and len(per_class[name]) < len(classes):
            raise UserError(f"{place}.{name}: {len(per_class[name])} entries for {len(classes)} classes; {AGAIN}")
    scores = [*METRICS, *(name for name in FURTHER if name in entry)]
    present = [name for name in OPTIONAL if entry.get(name) is not None]
    return Evaluation(
        key=key,
        num_clips=field(entry, "num_clips", place, int),
        num_unlabelled=int(entry.get("num_unlabelled") or 0),
        classes=classes,
        support_C=per_class["support"],
        train_counts_C=per_class["train_counts"],
        tail=tuple(field(entry, "tail", place, list)),
        scores={name: _score(field(entry, name, place, dict | None)) for name in scores},
        recall_C=tuple(None if one is None else _score(one) for one in per_class["recall"]),
        confusion=tuple(tuple(row) for row in per_class["confusion"]),
        predicted_C=per_class["predicted"][: len(classes)],
        unreadable=field(entry, "unreadable", place, int),
        num_classes_present=field(entry, "num_classes_present", place, int),
        interval=str(entry.get("interval") or "95 % bootstrap over clips"),
        groups_C=per_class["groups"],
        precision_C=per_class["precision"],
        f1_C=per_class["f1"],
        top2=entry.get("top2"),
        cut_off=entry.get("cut_off"),
        protocol=entry.get("protocol") or {},
        **{name: record(OPTIONAL[name], entry[name], f"{place}.{name}") for name in present},
    )


def _score(entry: Mapping[str, Any] | None) -> Score:
    """nan where there was nothing to score, such as a tail class without a clip in the split, and for no interval."""
    values = [(entry or {}).get(name) for name in ("value", "low", "high")]
    return Score(*(float("nan") if value is None else float(value) for value in values))
