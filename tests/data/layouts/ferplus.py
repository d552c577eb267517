"""FER+'s votes beside the pictures of FER2013: some show no face, some have no majority, some are called unknown."""

from __future__ import annotations

from pathlib import Path

from . import picture, text

CLASSES = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"]
EACH = {"Training": 3, "PublicTest": 1, "PrivateTest": 1}
COUNTS = {
    split: dict.fromkeys(CLASSES, EACH[usage])
    for usage, split in (("Training", "train"), ("PublicTest", "validation"), ("PrivateTest", "test"))
}
FOLDERS = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}


def write(root: Path) -> dict:
    lines, number = [], 0
    for usage, folder in FOLDERS.items():
        votes = [[8 if name == own else 0 for name in CLASSES] + [2, 0] for own in CLASSES * EACH[usage]]
        votes += [[4, 4, 2, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 4, 0, 0, 0, 0, 6, 0]]
        for one in votes:
            picture(root / "data" / folder / f"fer{number:07}.png")
            lines.append(f"{usage},fer{number:07}.png,{','.join(map(str, one))}")
            number += 1
        lines.append(f"{usage},,0,0,0,0,0,0,0,0,0,10")
        number += 1
    text(root / "fer2013new.csv", f"Usage,Image name,{','.join(CLASSES)},unknown,NF", *lines)
    return {"root": str(root)}
