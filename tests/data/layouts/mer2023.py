"""MER 2023's folder: one list and one folder a part; the second test part is of another container."""

from __future__ import annotations

from pathlib import Path

from . import clip, text

CLASSES = ["neutral", "angry", "happy", "sad", "worried", "surprise"]
COUNTS = {"train": {name: 8 if name == "angry" else 4 for name in CLASSES}, "test": dict.fromkeys(CLASSES, 2)}


def write(root: Path) -> dict:
    for part in ("train", "test1", "test2", "test3"):
        kind = "mp4" if part == "test2" else "avi"
        rows(root / f"{part}-label.csv", root / part, COUNTS["train" if part == "train" else "test"], kind)
    return {"root": str(root)}


def rows(table: Path, folder: Path, counts: dict[str, int], kind: str) -> None:
    lines = []
    for name, number in counts.items():
        for _ in range(number):
            lines.append(f"sample_{len(lines):08},{name},-1.3")
            clip(folder / f"sample_{len(lines) - 1:08}.{kind}")
    text(table, "name,discrete,valence", *lines)
