"""Emotion6's folder: shares with six digits, folders that are searched words, a picture with two largest shares."""

from __future__ import annotations

from pathlib import Path

from . import picture, text

CLASSES = ["anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral"]
EACH = 8
COUNTS = {"all": dict.fromkeys(CLASSES, EACH)}


def write(root: Path) -> dict:
    names = ("image_filename", "valence", "arousal", *(f"prob. {name}" for name in CLASSES))
    lines = [" ".join(f"[{name}]" for name in names)]
    for place, name in enumerate(CLASSES):
        # No word was searched for to find neutral pictures, and a word may find what is felt otherwise.
        word = "fear" if name in ("neutral", "surprise") else name
        # With six digits they sum to 1.000001.
        shares = ["0"] * len(CLASSES)
        for step, share in enumerate(("0.666667", "0.166667", "0.166667")):
            shares[(place + step) % len(CLASSES)] = share
        for index in range(EACH):
            file = f"{word}/{len(lines)}.jpg"
            lines.append("\t".join([file, "2.5", str(3 + index / 10), *shares]))
            picture(root / "images" / file)
    picture(root / "images" / "joy" / "1000.jpg")
    lines.append("\t".join(["joy/1000.jpg", "5", "5", "0.5", "0", "0", "0.5", "0", "0", "0"]))
    text(root / "ground_truth.txt", *lines)
    return {"root": str(root), "splits": {"unit": "id"}}
