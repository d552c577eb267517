"""From the JSON of report.json and ledger.json to records. Errors: UserError naming file, place and remedy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emovlm import UserError
from emovlm.report.files import AGAIN, field, read_json, record
from emovlm.report.records import (
    FURTHER,
    METRICS,
    Agreement,
    Calibration,
    Collapse,
    Epoch,
    Evaluation,
    Ledger,
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


def ledger(path: Path) -> Ledger:
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


def _score(entry: Mapping[str, Any] | None) -> Score:
    """nan where there was nothing to score, such as a tail class without a clip in the split, and for no interval."""
    values = [(entry or {}).get(name) for name in ("value", "low", "high")]
    return Score(*(float("nan") if value is None else float(value) for value in values))
