"""SAMM's folder: a table under 13 lines of notes, numbers of frames as in the recording, people with leading zeros."""

from __future__ import annotations

from pathlib import Path

from ._films import film, workbook

PEOPLE = ("006", "011", "037")
EMOTIONS = ["Anger", "Anger", "Contempt", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Other"]
COUNTS = {"all": {name.lower(): len(PEOPLE) * EMOTIONS.count(name) for name in dict.fromkeys(EMOTIONS)}}
HEADER = ["Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration", "Micro"]
HEADER += ["Action Units", "Estimated Emotion", "Objective Classes", "Notes"]


def write(root: Path) -> dict:
    codes(root)
    for person in PEOPLE:
        for index in range(len(EMOTIONS)):
            onset = 5562 + 10 * index
            folder = root / "SAMM" / person / f"{person}_1_{index + 1}"
            film(folder, f"{person}_{{:05}}.jpg", range(onset, onset + 4))
    return {"root": str(root), "splits": {"folds": "each", "fold": 1, "validation": 0.4}}


def codes(root: Path) -> None:
    lines: list[list] = [["SAMM: Micro-movements"]] + [[f"note {number}"] for number in range(12)] + [HEADER]
    for person in PEOPLE:
        for index, emotion in enumerate(EMOTIONS):
            onset, clip = 5562 + 10 * index, f"{person}_1_{index + 1}"
            # One apex lies after its offset.
            apex = 9999 if (person, index) == ("006", 1) else onset + 1
            units = "R14A or 17A" if index else "AU4"
            emotion = "Others" if (person, emotion) == ("011", "Other") else emotion
            lines.append([person, clip, 1, onset, apex, onset + 3, 4, "Micro - 1/2", units, emotion, 2, None])
    workbook(root / "SAMM_Micro_FACS_Codes_v2.xlsx", {"MICRO ONLY": [*lines, [None], ["A note below the table"]]})
