"""CAS(ME)^3's part A: a table with spNO for folders with spNo, two events of one film, offsets that are slips."""

from __future__ import annotations

from pathlib import Path

from ._films import film, workbook

PEOPLE = (1, 2, 160)
EMOTIONS = ["Happy", "disgust", "disgust", "fear", "anger", "sad", "surprise", "Others"]
COUNTS = {"all": {name.lower(): len(PEOPLE) * EMOTIONS.count(name) for name in dict.fromkeys(EMOTIONS)}}


def write(root: Path) -> dict:
    lines: list[list] = [["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion"]]
    for person in PEOPLE:
        for index, emotion in enumerate(EMOTIONS):
            onset, letter = 355 + 50 * index, "A" if person == 1 else "a"
            offset = 9 if (person, index) == (2, 0) else onset + 3
            lines.append([f"spNO.{person}", letter, onset, onset + 1, offset, "1,2", 2, emotion])
            frames = range(onset, onset + 4)
            film(root / "Part_A_ME_clip" / "frame" / f"spNo.{person}_a_{onset}", "{}.jpg", frames)
            film(root / "data" / f"spNO.{person}" / "a" / "color", "{}.jpg", range(onset - 10, onset + 10))
    workbook(root / "annotation" / "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx", {"label": lines})
    return {"root": str(root), "splits": {"folds": "each", "fold": 1, "validation": 0.4}}
