"""EmoSet-118K: 118,102 pictures from social networks and of art, by what they evoke; eight classes, one official split.

Where    https://vcc.tech/EmoSet (https://github.com/JingyuanYY/EmoSet)
Licence  for academic research alone; the pictures belong to their owners

    root/train.json   val.json   test.json      ["amusement", "amusement_12865", "image/amusement/amusement_12865.jpg",
                                                 "annotation/amusement/amusement_12865.json"]; some copies lack the id
    root/image/amusement/amusement_12865.jpg

Names, no numbers; official order of info.json: amusement, awe, contentment, excitement, anger, disgust, fear, sadness
(Mikels' model: four are positive). Published sizes: train 94,481, validation 5,905, test 17,716. Traps: file names and
folders spell the class; other projects order the classes by alphabet; the attributes (brightness, facial expression)
are files of their own and not read. No people are named: intervals are by picture. Verified against the authors'
repository (its description of the files).
"""

from __future__ import annotations

import json
from pathlib import Path

from emovlm import UserError
from emovlm.data import labels
from emovlm.data.picturefolder import find_pictures
from emovlm.data.schema import PLACE

CLASSES = ["amusement", "awe", "contentment", "excitement", "anger", "disgust", "fear", "sadness"]
FILES = {"train": "train.json", "validation": "val.json", "test": "test.json"}


def load(root: str) -> list[dict]:
    """The rows. Raises UserError."""
    top = Path(root).expanduser()
    rows, listed = [], []
    for split, file in FILES.items():
        for number, entry in enumerate(_entries(top / file), start=1):
            place = f"{top / file}, entry {number}"
            pictures = [text for text in entry[1:] if isinstance(text, str) and text.lower().endswith(".jpg")]
            if len(entry) not in (3, 4) or len(pictures) != 1:
                raise UserError(f"{place}: {entry!r} must be [class, id, picture, annotation]")
            label = labels.class_name(entry[0], place)
            rows.append({"id": Path(pictures[0]).stem, "label": label, "split": split, PLACE: place})
            listed.append((pictures[0], place))
    found = find_pictures(listed, top)
    return [row | {"media": [path]} for row, path in zip(rows, found, strict=True)]


def _entries(path: Path) -> list[list]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({error}); sources/emoset.py shows the tree") from None
    if not isinstance(entries, list) or not all(isinstance(entry, list) for entry in entries):
        raise UserError(f"{path}: must be a list of lists, [[class, id, picture, annotation], ...]")
    return entries
