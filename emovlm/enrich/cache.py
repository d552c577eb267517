"""Records on disk under the digest of all that could change them; several processes and machines may share them.

A record is written whole or not at all. A claim is a lock that the operating system takes back from a dead process, so
that a kill -9 leaves nothing to clean up.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from emovlm import UserError
from emovlm.places import cache_folder

POLL_S = 0.2


def digest(value: Any) -> str:
    """40 hex digits of a JSON value; the order of keys plays no part."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def frame_digests(frames_THWC: np.ndarray) -> list[str]:
    """Of the pixels and size of each frame."""
    shape = repr(frames_THWC.shape[1:]).encode()
    return [hashlib.blake2b(shape + frame.tobytes(), digest_size=16).hexdigest() for frame in frames_THWC]


def file_digests(paths: Sequence[str]) -> list[str]:
    """Of the files' contents. Raises OSError for a file that cannot be read."""
    return [_content(path, os.stat(path).st_size, os.stat(path).st_mtime_ns) for path in paths]


@functools.lru_cache(maxsize=100_000)
def _content(path: str, _size: int, _changed: int) -> str:
    """A file is read again when its size or its time of change is another."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=20)).hexdigest()


class Store:
    """Records by kind and key below one folder."""

    def __init__(self, folder: Path | None = None):
        self.folder = folder or cache_folder() / "texts"

    def path(self, kind: str, key: str) -> Path:
        # No folder may come to hold a hundred thousand files.
        return self.folder / kind / key[:2] / f"{key[2:]}.json"

    def read(self, kind: str, key: str) -> dict[str, Any] | None:
        """None where there is none, or none that can be read: it is then made anew."""
        try:
            found = json.loads(self.path(kind, key).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def write(self, kind: str, key: str, record: dict[str, Any]) -> None:
        path = self.path(kind, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}")
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(record, file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())  # or a power cut could leave the name with nothing behind it
        os.replace(temporary, path)

    def remove(self, kind: str, key: str) -> None:
        self.path(kind, key).unlink(missing_ok=True)

    @contextmanager
    def claim(self, key: str, *, wait: bool = False) -> Iterator[bool]:
        """Whether this process alone may work on `key` until the block ends; `wait` until nobody else does.

        The lock file is removed at the end. Another process may by then have opened it, and gets a lock that keeps
        nobody out: so whoever has a claim looks for the record once more before it works.
        """
        path = self.folder / "claims" / key[:2] / key[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            mine = _lock(file.fileno(), path)
            while wait and not mine:
                time.sleep(POLL_S)
                mine = _lock(file.fileno(), path)
            try:
                yield mine
            finally:
                if mine:
                    path.unlink(missing_ok=True)


def _lock(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise UserError(
            f"{path.parent}: its file system has no locks ({error.strerror}), so that processes cannot share the work; "
            "set EMOVLM_CACHE to a folder on another one"
        ) from error
    return True
