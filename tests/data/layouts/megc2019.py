"""The three sets of the composite in one folder, and its list, which spells people and clips otherwise than they do."""

from __future__ import annotations

from pathlib import Path

from . import casme2, samm, smic, text

# Of CASME II, SMIC-HS and SAMM.
COUNTS = {"all": {"negative": 8 + 6 + 18, "positive": 8 + 3 + 3, "surprise": 4 + 3 + 3}}
NUMBERS = {"negative": 0, "positive": 1, "surprise": 2, "disgust": 0, "repression": 0, "happiness": 1}


def write(root: Path) -> dict:
    casme2.write(root / "CASME2")
    samm.write(root / "SAMM")
    smic.write(root / "SMIC")
    lines = []
    for person in range(1, casme2.PEOPLE + 1):
        for index, emotion in enumerate(casme2.EMOTIONS):
            if emotion in NUMBERS:
                lines.append(f"casme2,sub{person:02},EP02_{index + 1:02}f,{NUMBERS[emotion]}")
    for person in smic.PEOPLE:
        clips = (("ne", 1, 0), ("ne", 2, 0), ("po", 1, 1), ("sur", 1, 2))
        lines += [f"smic,s{person:02},s{person:02}_{name}_{index:02},{label}" for name, index, label in clips]
    for person in samm.PEOPLE:
        for index, emotion in enumerate(samm.EMOTIONS):
            if emotion != "Other":
                label = {"Happiness": 1, "Surprise": 2}.get(emotion, 0)
                lines.append(f"samm,{int(person)},{person}_1_{index + 1},{label}")
    text(root / "combined_3class_gt.csv", *lines)
    return {"root": str(root), "splits": {"folds": "each", "fold": 1, "validation": 0.3}}
