"""FERV39k's folder: scenes, in them the classes, in them a folder of frames a clip, numbered anew in each class."""

from __future__ import annotations

from pathlib import Path

from . import picture, text

CLASSES = ["Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise"]
COUNTS = {
    "train": {name: 6 if name == "Neutral" else 4 for name in CLASSES},
    "test": dict.fromkeys(CLASSES, 2),
}


def write(root: Path) -> dict:
    for split, counts in COUNTS.items():
        lines = []
        for name, number in counts.items():
            for index in range(number):
                scene = ("DailyLife", "War")[index % 2]
                place = f"{scene}/{name}/{2 * index + (split == 'test') + 10:04}"
                lines.append(f"{place} {name}")
                for frame in (0, 2, 10):
                    picture(root / "2_ClipsforFaceCrop" / place / f"{frame}.jpg")
        text(root / "4_setups" / "All_scenes" / f"{split}_All.csv", *lines)
    return {"root": str(root)}
