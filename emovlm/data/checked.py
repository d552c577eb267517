"""What `emovlm data check` has found of every clip: one SQLite file in the folder of $EMOVLM_CACHE.

A record holds as long as the clip's files have the size and the time of change that they had: a mended file is another
one. Written in transactions, so that a kill -9 loses the last seconds and nothing else.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emovlm import UserError
from emovlm.places import cache_folder

Row = Mapping[str, Any]
_TABLE = "CREATE TABLE IF NOT EXISTS clips (clip TEXT PRIMARY KEY, files TEXT, fault TEXT, record TEXT)"
_FAULTS = "SELECT clip, files, fault FROM clips WHERE fault IS NOT NULL"
# Records of another version are made anew.
VERSION = 2


def clip_key(row: Row) -> str:
    """What is decoded of a row: its files by name, and its span."""
    span = [row.get("start_s"), row.get("end_s"), row.get("fps")]
    return json.dumps([VERSION, [os.path.abspath(path) for path in row["media"]], *span])


def files_key(media: Sequence[str]) -> str | None:
    """Size and time of change of each file; None where one is not there."""
    try:
        found = [os.stat(path) for path in media]
    except (OSError, ValueError):
        return None
    return json.dumps([[stat.st_size, stat.st_mtime_ns] for stat in found])


def path() -> Path:
    return cache_folder() / "checked.sqlite"


def known(rows: Iterable[Row]) -> dict[str, dict[str, Any]]:
    """Clip key -> record, of the rows' clips whose files are still those that were checked."""
    if not path().exists():
        return {}
    found = {}
    with _open() as table:
        for row in rows:
            key = clip_key(row)
            entry = table.execute("SELECT files, record FROM clips WHERE clip = ?", (key,)).fetchone()
            if entry and files_key(row["media"]) == entry[0]:
                found[key] = json.loads(entry[1])
    return found


def faults(rows: Sequence[Row]) -> list[tuple[Row, str]]:
    """(row, why) of every row whose clip is known to be unreadable, and whose files have not changed since."""
    if not path().exists():
        return []
    with _open() as table:
        found = {clip: (files, why) for clip, files, why in table.execute(_FAULTS)}
    if not found:
        return []
    first = {json.loads(clip)[1][0] for clip in found}
    suspects = [(row, found.get(clip_key(row))) for row in rows if os.path.abspath(row["media"][0]) in first]
    return [(row, entry[1]) for row, entry in suspects if entry and files_key(row["media"]) == entry[0]]


def remember(entries: Iterable[tuple[Row, str, dict[str, Any]]]) -> None:
    """Keep (row, files key before decoding, record); `fault` of a record: why the clip cannot be used, or None."""
    values = [(clip_key(row), files, record.get("fault"), json.dumps(record)) for row, files, record in entries]
    with _open() as table:
        table.executemany("INSERT OR REPLACE INTO clips VALUES (?, ?, ?, ?)", values)


@contextmanager
def _open() -> Iterator[sqlite3.Connection]:
    """A transaction. Raises UserError where the folder's file system has no locks, or the file is no database."""
    try:
        path().parent.mkdir(parents=True, exist_ok=True)
        table = sqlite3.connect(path(), timeout=60)
        try:
            with table:
                table.execute(_TABLE)
                yield table
        finally:
            table.close()
    except (sqlite3.Error, OSError) as error:
        raise UserError(
            f"{path()}: cannot be used ({error}); remove the file, or set EMOVLM_CACHE to a folder on another disk"
        ) from error
