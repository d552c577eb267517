"""FER+: the 35,887 faces of FER2013 (48 px, grey), each judged by ten people; eight classes, votes as soft labels.

Where    https://github.com/microsoft/FERPlus (the votes); the pictures come from FER2013 on Kaggle, cut out of its csv
         by the repository's generate_training_data.py
Licence  votes MIT; FER2013 was made for a challenge and has no licence of its own

    root/fer2013new.csv                      Usage,Image name,neutral,...,contempt,unknown,NF
    root/data/FER2013Train/fer0000000.png    also FER2013Valid and FER2013Test; `pictures:` names another folder

Official order: neutral, happiness, surprise, sadness, anger, disgust, fear, contempt; then unknown and NF (no face).
`soft_label` is the share of the votes for the eight classes; the label is the class with the most votes. Left out, and
counted: pictures without a file name (no face, 173), those on which unknown or NF has more votes than any class (226),
and those on which several classes have the most (1580). Soft labels train under `loss: {over_classes: cross_entropy}`.
Traps: FER2013's own labels are others and worse; some projects drop votes of one person, or pictures without a
majority. Splits: Training, PublicTest (validation), PrivateTest (test). No people are named: intervals are by picture
and optimistic. Verified against the official list of votes: the counts.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from emovlm import UserError
from emovlm.data import leftout
from emovlm.data.picturefolder import find_pictures
from emovlm.data.schema import PLACE
from emovlm.data.tablefile import read_csv

CLASSES = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"]
NO_CLASS = ["unknown", "NF"]
MOST_DIGITS = 4
SPLITS = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
FOLDERS = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
PUBLISHED = {
    "train": dict(zip(CLASSES, [9438, 7420, 3390, 3429, 2418, 186, 651, 165], strict=True)),
    "validation": dict(zip(CLASSES, [1250, 882, 443, 399, 313, 31, 74, 24], strict=True)),
    "test": dict(zip(CLASSES, [1171, 910, 426, 429, 316, 23, 93, 27], strict=True)),
}


def load(root: str, pictures: str = "data") -> list[dict]:
    """The rows. pictures: the folder that has FER2013Train and so on. Raises UserError."""
    top = Path(root).expanduser()
    rows, listed, left = [], [], Counter[str]()
    for values, place in read_csv(top / "fer2013new.csv"):
        usage, name = values.get("Usage", ""), values.get("Image name", "")
        if usage not in SPLITS:
            raise UserError(f"{place}: Usage '{usage}'; allowed: {', '.join(SPLITS)}")
        votes = {column: _votes(values, column, place) for column in (*CLASSES, *NO_CLASS)}
        of_classes = [votes[column] for column in CLASSES]
        most = max(of_classes)
        odd = max(NO_CLASS, key=lambda column: votes[column])
        if not name:
            left["without a face"] += 1
        elif votes[odd] > most:
            left[f"most often called {odd}"] += 1
        elif of_classes.count(most) > 1:
            left["without a majority"] += 1
        else:
            row = {"id": name, "label": CLASSES[of_classes.index(most)], "split": SPLITS[usage], PLACE: place}
            rows.append(row | {"soft_label": [number / sum(of_classes) for number in of_classes]})
            listed.append((f"{FOLDERS[usage]}/{name}", place))
    leftout.tell("ferplus", len(rows) + left.total(), left)
    found = find_pictures(listed, top / pictures)
    return [row | {"media": [path]} for row, path in zip(rows, found, strict=True)]


def _votes(values: dict[str, str], column: str, place: str) -> int:
    written = values.get(column)
    if written is None or not written.isdecimal() or len(written) > MOST_DIGITS:
        raise UserError(f"{place}: {column} is {written!r}; must be a number of votes (is it fer2013new.csv?)")
    return int(written)
