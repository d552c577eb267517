"""The clips that come with emovlm: rendered faces, long-tailed in training, balanced in validation and test."""

from __future__ import annotations

from pathlib import Path

import emovlm
from emovlm.data.sources import folder

# Read by data/tables.py: the class order of a set whose recipe gives none.
CLASSES = ["happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"]


def load() -> list[dict]:
    """The rows, read as anybody's folder is."""
    return folder.load(str(Path(emovlm.__file__).parent / "demo" / "clips"))
