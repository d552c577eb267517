"""SAMM Long Videos' folder: a table under nine lines of notes, long recordings of frames, the codes beside them."""

from __future__ import annotations

from pathlib import Path

from . import samm
from ._films import film, workbook

COUNTS = samm.COUNTS
HEADER = ["Subject", "Filename", "Inducement Code", "Onset", "Apex", "Offset", "Duration", "Type", "Action Units"]


def write(root: Path) -> dict:
    samm.codes(root)
    lines: list[list] = [[f"note {number}"] for number in range(9)] + [[*HEADER, "Notes"]]
    for person in samm.PEOPLE:
        film(root / "SAMM_longvideos" / f"{person}_1", f"{person}_1_{{:04}}.jpg", range(1, 201))
        for index in range(len(samm.EMOTIONS)):
            onset = 21 + 10 * index
            lines.append([person, f"{person}_1_{index + 1}", 1, onset, onset + 1, onset + 3, 4, "Micro - 1/2", "AU4"])
        # It outlasts the recording; its apex is not known.
        lines.append([person, f"{person}_1_50", 1, 191, -1, 0, 10, "Macro", "12"])
    workbook(root / "SAMM_LongVideos_V2_Release.xlsx", {"FACS": lines})
    return {"root": str(root), "splits": {"folds": "each", "fold": 1, "validation": 0.4}}
