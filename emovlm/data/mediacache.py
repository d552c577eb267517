"""Media that come as bytes inside a table become files in $EMOVLM_CACHE, each named by its content.

Which rows of a table are which files is kept as well, so that only the first process reads through all its bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from emovlm.data.sources.folder import PICTURES, VIDEOS
from emovlm.places import cache_folder


def store(content: bytes, name: str | None, folder: Path | None = None) -> str:
    """The path of a file with this content; written if it is not there. name: where the suffix is taken from.

    folder: where to, if not into the cache.

    Rows of equal content share one file. A write is whole or not at all, and any number of processes may write.
    """
    suffix = os.path.splitext(name or "")[1].lower()
    suffix = suffix if suffix in PICTURES | VIDEOS else ""
    digest = hashlib.blake2b(content, digest_size=20).hexdigest()
    path = (folder or _folder()) / digest[:2] / f"{digest[2:]}{suffix}"
    if not path.is_file() or path.stat().st_size != len(content):
        _write(path, content)
    return str(path.absolute())


def remember(table: str, media: list[list[str]]) -> None:
    """Keep the files of each row. table: says what the table is, to the last byte."""
    sizes = {path: os.path.getsize(path) for paths in media for path in paths}
    _write(_index(table), json.dumps({"media": media, "sizes": sizes}).encode())


def recall(table: str) -> list[list[str]] | None:
    """What was kept of a table; None where nothing was, or where a file is no longer there in full."""
    try:
        known = json.loads(_index(table).read_text(encoding="utf-8"))
        whole = all(os.path.getsize(path) == size for path, size in known["sizes"].items())
    except (OSError, ValueError, KeyError):
        return None
    return known["media"] if whole else None


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def _index(table: str) -> Path:
    return _folder() / "tables" / f"{hashlib.blake2b(table.encode(), digest_size=20).hexdigest()}.json"


def _folder() -> Path:
    return cache_folder() / "media"
