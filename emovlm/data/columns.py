"""Rows as `datasets.Dataset`s of one schema. Apart from tables.py because importing `datasets` takes a second.

Large sets are mapped from files in the cache of `datasets`, so that all processes of a machine share one copy.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import pyarrow
from datasets import config
from datasets.table import InMemoryTable

from emovlm import UserError
from emovlm.data import schema

Rows = Sequence[dict[str, Any]]
# Rows of a split from which it is mapped: below, a file would cost more than it saves.
MAPPED = 100_000
# Rows of a batch, which stay in the processor's cache while they are read column by column.
BATCH = 1000


def to_dataset(by_split: dict[str, list[dict[str, Any]]], classes: list[str]) -> dict[str, datasets.Dataset]:
    """One data set a split, with the same columns and features in all: id, media, label, then what the set has."""
    present = {column for part in by_split.values() for row in part for column in row}
    known = ["id", "media", "label", *(name for name in schema.KNOWN[3:] if name in present)]
    others = sorted(present - set(schema.KNOWN))
    rows = [row for part in by_split.values() for row in part]
    features = datasets.Features(schema.features(known, classes) | {name: _inferred(rows, name) for name in others})
    return {split: _dataset(_table(part, features)) for split, part in by_split.items()}


def _table(rows: Rows, features: datasets.Features) -> pyarrow.Table:
    """Column by column: `Dataset.from_dict` would ask every cell anew how it is encoded."""
    schema = features.arrow_schema
    index = {name: c for c, name in enumerate(features["label"].names)} | {None: None}
    batches = []
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        columns = {name: [row.get(name) for row in batch] for name in schema.names}
        columns["label"] = [index[name] for name in columns["label"]]
        arrays = [pyarrow.array(values, type=schema.field(name).type) for name, values in columns.items()]
        batches.append(pyarrow.RecordBatch.from_arrays(arrays, schema=schema))
    return pyarrow.Table.from_batches(batches, schema=schema)


def _dataset(table: pyarrow.Table) -> datasets.Dataset:
    if len(table) < MAPPED:
        return datasets.Dataset(InMemoryTable(table))
    folder = Path(config.HF_DATASETS_CACHE) / "emovlm"
    written = folder / f"{os.getpid()}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with pyarrow.OSFile(str(written), "wb") as file, pyarrow.ipc.new_stream(file, table.schema) as stream:
            stream.write_table(table)
    except OSError as error:
        raise UserError(
            f"{written}: cannot be written ({error}); set HF_DATASETS_CACHE to a folder with room"
        ) from None
    with written.open("rb") as file:
        mapped = folder / f"{hashlib.file_digest(file, 'sha256').hexdigest()[:32]}.arrow"
    # Its name is its content: another process may have written the same, or map it already.
    os.replace(written, mapped)
    return datasets.Dataset.from_file(str(mapped))


def _inferred(rows: Rows, column: str) -> Any:
    try:
        table = pyarrow.table({column: pyarrow.array([row.get(column) for row in rows])})
    except (pyarrow.ArrowException, TypeError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"column {column}: its values are of different types ({reason}); make them alike") from None
    return datasets.Features.from_arrow_schema(table.schema)[column]
