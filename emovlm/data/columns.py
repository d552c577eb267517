"""Rows as `datasets.Dataset`s of one schema. Apart from tables.py because importing `datasets` takes a second."""

from __future__ import annotations

from typing import Any

import datasets
import pyarrow

from emovlm import UserError
from emovlm.data import schema


def to_dataset(by_split: dict[str, list[dict[str, Any]]], classes: list[str]) -> dict[str, datasets.Dataset]:
    """One data set a split, with the same columns and features in all: id, media, label, then what the set has."""
    rows = [row for part in by_split.values() for row in part]
    present = {column for row in rows for column in row}
    known = ["id", "media", "label", *(name for name in schema.KNOWN[3:] if name in present)]
    others = sorted(present - set(schema.KNOWN))
    features = datasets.Features(schema.features(known, classes) | {name: _inferred(rows, name) for name in others})
    return {
        split: datasets.Dataset.from_dict(
            {name: [row.get(name) for row in part] for name in features}, features=features
        )
        for split, part in by_split.items()
    }


def _inferred(rows: list[dict[str, Any]], column: str) -> Any:
    try:
        table = pyarrow.table({column: pyarrow.array([row.get(column) for row in rows])})
    except (pyarrow.ArrowException, TypeError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"column {column}: its values are of different types ({reason}); make them alike") from None
    return datasets.Features.from_arrow_schema(table.schema)[column]
