"""CASME II's folder: the coding table as .xlsx, clips that begin at their onset's number, an apex that is `/`.

Four people; two clips of happiness and one of each other class each, in all seven classes.
"""

from __future__ import annotations

from pathlib import Path

from ._films import film, workbook

PEOPLE = 4
EMOTIONS = ["happiness", "happiness", "surprise", "disgust", "repression", "others", "sadness", "fear"]
COUNTS = {
    "all": {
        name: PEOPLE * EMOTIONS.count(name) for name in ("happiness", "surprise", "disgust", "repression", "others")
    }
}
HEADER = ["Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None, "Action Units"]
HEADER += ["Estimated Emotion"]


def write(root: Path) -> dict:
    lines: list[list] = [HEADER]
    for person in range(1, PEOPLE + 1):
        for index, emotion in enumerate(EMOTIONS):
            clip, onset = f"EP02_{index + 1:02}f", 46 + 100 * index
            # Of the first person the apex of happiness is not known, and that of fear is a slip.
            apex = "/" if (person, index) == (1, 0) else 9 if (person, index) == (1, 7) else onset + 2
            film(root / "CASME2_RAW_selected" / f"sub{person:02}" / clip, "img{}.jpg", range(onset, onset + 5))
            lines.append([person, clip, None, onset, apex, onset + 4, None, "4+L10", emotion])
    workbook(root / "CASME2-coding-20190701.xlsx", {"Sheet1": lines})
    return {"root": str(root), "splits": {"folds": "each", "fold": 1, "validation": 0.34}}
