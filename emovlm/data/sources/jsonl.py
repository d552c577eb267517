"""Rows as JSON lines: one file (split by the recipe), or a folder with train.jsonl, validation.jsonl and test.jsonl.

    {"id": "0001", "media": "clips/0001.mp4", "label": "happy", "subject": "07"}

`media` is a path, or a list of pictures, relative to the file's folder; the other columns are those of data/schema.py.
A relative path stays inside that folder (data/mediafiles.py); `data.outside: true` allows others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from emovlm import UserError
from emovlm.data import labels
from emovlm.data.mediafiles import RegularFiles, located, missing_file
from emovlm.data.schema import PLACE, SPLITS
from emovlm.data.tablefile import read_jsonl


def load(root: str, names: dict[str, str] | None = None, outside: bool = False) -> Iterator[dict]:
    """The rows, one at a time: a million of them are never there twice. Raises UserError.

    names: label code -> class name, for sets that number their classes.
    """
    table = labels.name_table(names)
    path = Path(root).expanduser()
    if path.is_file():
        files: list[tuple[Path, str | None]] = [(path, None)]
    elif path.is_dir():
        files = [(path / f"{split}.jsonl", split) for split in SPLITS if (path / f"{split}.jsonl").is_file()]
    else:
        raise UserError(f"data.root: '{root}': no such file or folder (from {Path.cwd()})")
    if not files:
        raise UserError(f"data.root: '{root}' has none of {', '.join(f'{split}.jsonl' for split in SPLITS)}")
    return (row for file, split in files for row in _rows(file, split, table, outside))


def _rows(file: Path, split: str | None, names: dict[str, str] | None, outside: bool) -> Iterator[dict]:
    folder, files, empty = str(file.parent.absolute()), RegularFiles(), True
    for row, place in read_jsonl(file):
        media = row.get("media")
        written = [media] if isinstance(media, str) else media
        if not isinstance(written, list) or {*map(type, written)} != {str}:
            raise UserError(f"{place}: media {media!r}: a path or a list of paths is needed (keys: {', '.join(row)})")
        row.setdefault("id", ",".join(written))
        row[PLACE] = place
        row["media"] = [_existing(folder, part, place, outside, files) for part in written]
        if row.get("track"):
            row["track"] = located(folder, str(row["track"]).strip(), place, folder, outside=outside, absolute=True)
        row["label"] = labels.class_name(row.get("label"), place, names)
        if split is not None:
            row["split"] = split
        empty = False
        yield row
    if empty:
        raise UserError(f"{file}: has no row; remove the file or fill it")


def _existing(folder: str, written: str, place: str, outside: bool, files: RegularFiles) -> str:
    path = located(folder, written.strip(), place, folder, outside=outside, absolute=True, files=files)
    if path not in files and not os.path.isfile(path):
        missing_file(path, written, place)
    return path
