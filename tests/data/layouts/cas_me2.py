"""CAS(ME)^2's folder: a book without a header whose people and films have other names than the folders."""

from __future__ import annotations

from pathlib import Path

from . import clip
from ._films import film, workbook

PEOPLE = {1: "s15", 2: "s16", 3: "s40"}
FILMS = {"disgust1": "0101disgustingteeth", "happy1": "0503unnyfarting"}
COUNTS = {"all": {"negative": 6, "positive": 3, "surprise": 3, "others": 3}}


def write(root: Path) -> dict:
    lines: list[list] = []
    for number, person in PEOPLE.items():
        for name in FILMS.values():
            clip(root / "rawvideo" / person / f"{person[1:]}_{name}.avi")
            film(root / "rawpic" / person / f"{person[1:]}_{name}", "img_{}.jpg", range(1, 6))
        rows = [
            ("disgust1_1", 1, 2, 2, "negative", "micro-expression"),
            ("disgust1_2", 2, 3, 0, "negative", "micro-expression"),
            ("disgust1_3", 4, 4, 5, "surprise", "micro-expression"),
            ("happy1_1", 1, 2, 4, "positive", "micro-expression"),
            ("happy1_2", 3, 4, 5, "others", "micro-expression"),
            ("happy1_3", 1, 2, 5, "positive", "macro-expression"),
        ]
        lines += [[number, name, *frames, "4+7", emotion, kind, "disgust"] for name, *frames, emotion, kind in rows]
    people = [[int(person[1:]), person, number] for number, person in PEOPLE.items()]
    films = [[101, "disgust1"], ["0503", "happy1"]]  # the first typed as a number
    sheets = {"CASFEcode_final": lines, "naming rule1": people, "naming rule2": films}
    workbook(root / "CAS(ME)^2code_final.xlsx", sheets)
    return {"root": str(root), "splits": {"folds": "each", "fold": 1, "validation": 0.4}}
