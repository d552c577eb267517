"""SMIC-HS's folder: people, classes, clips; one clip lacks a frame; what is beside `micro` is not read."""

from __future__ import annotations

from pathlib import Path

from ._films import film

PEOPLE = (1, 3, 20)
COUNTS = {"all": {"negative": 6, "positive": 3, "surprise": 3}}


def write(root: Path) -> dict:
    for person in PEOPLE:
        for name, short, number in (("negative", "ne", 2), ("positive", "po", 1), ("surprise", "sur", 1)):
            for index in range(1, number + 1):
                first = 36237 + 100 * index
                frames = [first, first + 1, first + 2, first + 3]
                if (person, name) == (3, "surprise"):
                    frames.remove(first + 1)
                clip = f"s{person}_{short}_{index:02}"
                folder = root / "SMIC_all_cropped" / "HS" / f"s{person}"
                film(folder / "micro" / name / clip, "reg_image{:06}.bmp", frames)
                film(folder / "non_micro" / f"s{person}_n{index}", "reg_image{:06}.bmp", [1])
    return {"root": str(root), "splits": {"folds": "each", "fold": 1, "validation": 0.4}}
