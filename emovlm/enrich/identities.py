"""What a model is, for cache keys: by content, not by name or place, and without loading it."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path
from typing import Any

from emovlm import UserError
from emovlm.enrich.cache import file_digests
from emovlm.frames import faces
from emovlm.models import load as models

# Weights are told apart by their size and by so much of their beginning, middle and end: reading 15 GB takes a minute.
PIECE_BYTES = 1 << 20
CODE = ("*.json", "*.jinja", "*.txt", "*.model")


def landmarker(model: Path | None = None) -> dict[str, Any]:
    """MediaPipe's face landmarker. Raises UserError where it is not installed."""
    model = model or faces.packaged_model()
    if not model.is_file():
        raise UserError(f"enrich.landmarker: {model}: no such file; leave it out for the installed package's")
    try:
        return {"mediapipe": metadata.version("mediapipe"), "model": file_digests([str(model)])}
    except metadata.PackageNotFoundError:
        raise UserError(f"enrich.describer: action_units needs mediapipe; {faces.INSTALL}") from None


def vlm(name: str) -> dict[str, Any]:
    """A model as `model.name` names it: the files of a folder, or a hub name and its commit. Raises UserError."""
    source, local = models.locate(name)
    return folder(Path(source)) if local else {"hub": source, "commit": _commit(source)}


def folder(path: Path) -> dict[str, Any]:
    """The files of a model or an adapter. Raises UserError for a folder without weights."""
    weights = sorted(path.glob("*.safetensors"))
    if not weights:
        raise UserError(f"{path}: no model or adapter is there (*.safetensors)")
    small = sorted({file for pattern in CODE for file in path.glob(pattern)})
    named = zip(small, file_digests([str(file) for file in small]), strict=True)
    return {file.name: known for file, known in named} | {file.name: _pieces(file) for file in weights}


def _pieces(path: Path) -> str:
    size = path.stat().st_size
    found = hashlib.blake2b(str(size).encode(), digest_size=20)
    with path.open("rb") as file:
        for start in sorted({0, max(0, size // 2), max(0, size - PIECE_BYTES)}):
            file.seek(start)
            found.update(file.read(PIECE_BYTES))
    return found.hexdigest()


def _commit(name: str) -> str:
    from transformers.utils.hub import cached_file

    try:
        path = cached_file(name, "config.json")
    except OSError as error:
        raise UserError(f"enrich.model: '{name}' cannot be loaded: {str(error).strip().splitlines()[0]}") from error
    assert path, "cached_file raises where there is nothing"
    return Path(path).parent.name
