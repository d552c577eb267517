"""MER 2024's folder: the test clips lie among unlabelled ones; a reference list for each of two tracks."""

from __future__ import annotations

from pathlib import Path

from . import clip
from .mer2023 import COUNTS as MER2023_COUNTS
from .mer2023 import rows

COUNTS = MER2023_COUNTS


def write(root: Path) -> dict:
    rows(root / "label-disdim.csv", root / "video-labeled", COUNTS["train"], "mp4")
    rows(root / "reference-semi.csv", root / "video-unlabeled", COUNTS["test"], "mp4")
    rows(root / "reference-noise.csv", root / "video-unlabeled-with-test2noise", COUNTS["test"], "mp4")
    clip(root / "video-unlabeled" / "samplenew_00000001.mp4")
    return {"root": str(root)}
