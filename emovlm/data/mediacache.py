"""Media that come as bytes inside a table become files in $EMOVLM_CACHE, each named by its content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from emovlm.data.sources.folder import PICTURES, VIDEOS


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
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}")
        temporary.write_bytes(content)
        os.replace(temporary, path)
    return str(path.absolute())


def _folder() -> Path:
    """As enrich/cache.py finds it: $EMOVLM_CACHE, or ~/.cache/emovlm."""
    return Path(os.environ.get("EMOVLM_CACHE") or "~/.cache/emovlm").expanduser() / "media"
