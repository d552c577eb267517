"""DFEW: 12,059 single-labelled clips of films, seven classes, five official folds.

Where    https://dfew-dataset.github.io (a signed agreement; part 2 has the clips and the lists)
Licence  for research by universities alone, not to be passed on

    root/EmoLabel_DataSplit/train(single-labeled)/set_1.csv   video_name,label   to set_5.csv
    root/EmoLabel_DataSplit/test(single-labeled)/set_1.csv
    root/Clip/original/1.mp4                       whole frames, with their times; the default
    root/Clip/clip_224x224/00001/00001_00001.jpg   aligned faces: `clips: clip_224x224`
    root/Clip/clip_224x224_16f/00001/1.jpg         sixteen faces a clip, resampled in time; also clip_224x224_avi

Official numbers: 1 happy, 2 sad, 3 neutral, 4 angry, 5 surprise, 6 disgust, 7 fear. 362 of the 12,059 clips are in no
fold. Traps: lists that other projects pass on count from 0; names are written with and without leading zeros; the label
column is `label` or `annotation`; faces and whole frames give different results; frames in folders have no times. No
subjects and no films are named, and clips of one film are in both splits: intervals are by clip and optimistic.
Verified against copies of the official lists (fold sizes and class counts of all five folds).
"""

from __future__ import annotations

from pathlib import Path

from emovlm import UserError
from emovlm.data import labels
from emovlm.data.clipfolder import find_clips
from emovlm.data.schema import PLACE
from emovlm.data.tablefile import read_csv

CLASSES = ["happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"]
NAMES = {str(number): name for number, name in enumerate(CLASSES, start=1)}
LISTS = {"train": "train(single-labeled)", "test": "test(single-labeled)"}
_TEST = {
    1: [489, 379, 534, 435, 294, 29, 181],
    2: [489, 379, 534, 435, 294, 29, 181],
    3: [489, 379, 534, 435, 294, 29, 180],
    4: [489, 379, 534, 434, 294, 29, 180],
    5: [489, 378, 533, 434, 293, 29, 180],
}
_ALL = [2445, 1894, 2669, 2173, 1469, 145, 902]
# Fold -> split -> class -> clips.
PUBLISHED_BY = "fold"
PUBLISHED = {
    fold: {
        "train": {name: total - part for name, total, part in zip(CLASSES, _ALL, test, strict=True)},
        "test": dict(zip(CLASSES, test, strict=True)),
    }
    for fold, test in _TEST.items()
}


def load(root: str, fold: int, clips: str = "original") -> list[dict]:
    """The rows of one fold. clips: the folder in `Clip` from which the media are taken. Raises UserError."""
    top = Path(root).expanduser()
    if fold not in PUBLISHED:
        raise UserError(f"data.fold: {fold}; DFEW has the folds 1 to {len(PUBLISHED)}")
    folder = top / "Clip" / clips
    if not folder.is_dir():
        raise UserError(f"data.clips: '{clips}': there is no folder {folder}; sources/dfew.py shows the tree")
    rows = [
        row for split in LISTS for row in _list(top / "EmoLabel_DataSplit" / LISTS[split] / f"set_{fold}.csv", split)
    ]
    found = find_clips([(row["id"], row[PLACE]) for row in rows], folder, spelling=lambda name: name.lstrip("0"))
    return [row | {"media": media} for row, media in zip(rows, found, strict=True)]


def _list(path: Path, split: str) -> list[dict]:
    rows = []
    for values, place in read_csv(path):
        name, number = values.get("video_name"), values.get("label", values.get("annotation"))
        if not name or not number:
            raise UserError(f"{place}: needs video_name and label (or annotation); columns: {', '.join(values)}")
        if number == "0":
            raise UserError(f"{place}: label 0, but DFEW counts from 1 (happy) to 7 (fear); take the official list")
        # A name that leads elsewhere is kept as it is written, so that it is refused by name.
        clip = name if "/" in name or name.startswith(".") else name.split(".")[0].zfill(5)
        row = {"id": clip, "label": labels.class_name(number, place, NAMES)}
        rows.append(row | {"split": split, PLACE: place})
    return rows
