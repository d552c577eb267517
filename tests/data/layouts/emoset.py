"""EmoSet's folder: three lists of lists, one of them without ids."""

from __future__ import annotations

import json
from pathlib import Path

from . import picture, text

CLASSES = ["amusement", "awe", "contentment", "excitement", "anger", "disgust", "fear", "sadness"]
COUNTS = {
    "train": {name: 8 if name == "amusement" else 4 for name in CLASSES},
    "validation": dict.fromkeys(CLASSES, 1),
    "test": dict.fromkeys(CLASSES, 2),
}


def write(root: Path) -> dict:
    number = 12865
    for file, split in (("train", "train"), ("val", "validation"), ("test", "test")):
        entries = []
        for name, count in COUNTS[split].items():
            for _ in range(count):
                number += 1
                own = f"{name}_{number}"
                picture(root / "image" / name / f"{own}.jpg")
                entry = [name, own, f"image/{name}/{own}.jpg", f"annotation/{name}/{own}.json"]
                entries.append(entry if file != "val" else [entry[0], *entry[2:]])
        text(root / f"{file}.json", json.dumps(entries))
    return {"root": str(root)}
