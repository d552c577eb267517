"""AffectNet: faces from the web; eight classes, 287,651 training pictures and 500 a class to test on.

Where    http://mohammadmahoor.com/affectnet (a signed agreement)
Licence  for research alone, not to be passed on

    root/train_set/images/0.jpg   root/train_set/annotations/0_exp.npy   and val_set: the later release, or
    root/Manually_Annotated_file_lists/training.csv, validation.csv      the first one, whose pictures are in
    root/Manually_Annotated_Images/689/737db2.jpg                        `pictures:` names another folder

Official numbers: 0 neutral, 1 happy, 2 sad, 3 surprise, 4 fear, 5 disgust, 6 angry, 7 contempt; 8 none, 9 uncertain and
10 no face are left out, and counted. `grouping: seven` leaves contempt out as well; write `classes:` then. Traps: the
test set is not public, so papers test on the official validation set, which here is the split `test`; take a validation
split from the training rows by `splits: {validation_from_train: 0.02, unit: id}`; the later release has 3,999 test
pictures; the first one's validation.csv has no header in some copies; its faces must be cut out. No people are named:
intervals are by picture and optimistic. Verified against public code that reads both releases; counts of the authors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tokenize import TokenError
from zipfile import BadZipFile

import numpy as np

from emovlm import UserError
from emovlm.data import leftout
from emovlm.data.picturefolder import find_pictures
from emovlm.data.schema import PLACE
from emovlm.data.sources.folder import by_number
from emovlm.data.spreadsheet import csv_cells
from emovlm.lookup import near_miss

CLASSES = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt"]
NUMBERS = [*CLASSES, "none", "uncertain", "no face"]
GROUPINGS = {"eight": CLASSES, "seven": CLASSES[:-1]}
_TRAIN = dict(zip(CLASSES, [74874, 134415, 25459, 14090, 6378, 3803, 24882, 3750], strict=True))
PUBLISHED_BY = "grouping"
PUBLISHED = {
    name: {"train": {one: _TRAIN[one] for one in kept}, "test": dict.fromkeys(kept, 500)}
    for name, kept in GROUPINGS.items()
}
# Our split -> folder of the later release, list of the first.
PARTS = {"train": ("train_set", "training.csv"), "test": ("val_set", "validation.csv")}
# Of the first release's nine columns the first is the file, the seventh the number of the class.
FIRST_COLUMN, COLUMNS, EXPRESSION = "subDirectory_filePath", 9, 6
# What numpy raises for a damaged file: met with files that were changed at random.
DAMAGED = (OSError, EOFError, ValueError, TypeError, SyntaxError, AttributeError, SystemError, MemoryError)
DAMAGED += (BadZipFile, TokenError)
# picture, number of the class, place
Listed = Iterator[tuple[str, int, str]]


def load(root: str, grouping: str = "eight", pictures: str = "Manually_Annotated_Images") -> list[dict]:
    """The rows. pictures: the folder of the first release's pictures. Raises UserError."""
    top = Path(root).expanduser()
    if grouping not in GROUPINGS:
        raise UserError(f"data.grouping: '{grouping}'; {near_miss(grouping, GROUPINGS)}")
    lists = top / "Manually_Annotated_file_lists"
    later = not lists.is_dir()
    rows, listed, left = [], [], Counter[str]()
    for split, (folder, file) in PARTS.items():
        for name, number, place in _later(top, folder) if later else _first(lists / file):
            label = NUMBERS[number]
            if label in GROUPINGS[grouping]:
                rows.append({"id": name, "label": label, "split": split, PLACE: place})
                listed.append((name, place))
            else:
                left[f"of {label}"] += 1
    leftout.tell("affectnet", len(rows) + left.total(), left)
    found = find_pictures(listed, top if later else top / pictures)
    return [row | {"media": [path]} for row, path in zip(rows, found, strict=True)]


def _later(top: Path, folder: str) -> Listed:
    annotations = top / folder / "annotations"
    if not annotations.is_dir():
        raise UserError(f"{top}: has neither {folder}/annotations nor Manually_Annotated_file_lists; is it AffectNet?")
    for path in sorted(annotations.glob("*_exp.npy"), key=lambda path: by_number(path.name)):
        try:
            # Never with pickles: an annotation is data.
            written = str(np.load(path, allow_pickle=False).item())
        except DAMAGED as error:
            raise UserError(
                f"{path}: cannot be read as a number of a class ({_one_line(error)}); replace the file"
            ) from None
        yield f"{folder}/images/{path.name.removesuffix('_exp.npy')}.jpg", _number(written, str(path)), str(path)


def _first(path: Path) -> Listed:
    for cells, place in csv_cells(path):
        if not cells or cells[0].strip() == FIRST_COLUMN:
            continue
        if len(cells) != COLUMNS:
            raise UserError(f"{place}: {len(cells)} cells for {COLUMNS} columns ({FIRST_COLUMN}, ..., arousal)")
        yield cells[0].strip(), _number(cells[EXPRESSION].strip(), place), place


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _number(written: str, place: str) -> int:
    digits = written.removesuffix(".0")
    if digits not in map(str, range(len(NUMBERS))):
        raise UserError(f"{place}: expression '{written}'; must be a number from 0 to {len(NUMBERS) - 1}")
    return int(digits)
