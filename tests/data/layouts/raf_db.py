"""RAF-DB's folder: a list with numbers from 1, whose pictures have `_aligned` behind their names."""

from __future__ import annotations

from pathlib import Path

from . import picture, text

NUMBERS = {"surprise": 1, "fear": 2, "disgust": 3, "happy": 4, "sad": 5, "angry": 6, "neutral": 7}
COUNTS = {
    "train": {name: 8 if name == "happy" else 4 for name in NUMBERS},
    "test": {name: 2 if name == "happy" else 1 for name in NUMBERS},
}


def write(root: Path) -> dict:
    lines = []
    for split, width in (("train", 5), ("test", 4)):
        labels = [number for name, number in NUMBERS.items() for _ in range(COUNTS[split][name])]
        for index, number in enumerate(labels, start=1):
            name = f"{split}_{index:0{width}}"
            lines.append(f"{name}.jpg {number}")
            picture(root / "Image" / "aligned" / f"{name}_aligned.jpg")
            picture(root / "Image" / "original" / f"{name}.jpg")
    text(root / "EmoLabel" / "list_patition_label.txt", *lines)
    return {"root": str(root)}
