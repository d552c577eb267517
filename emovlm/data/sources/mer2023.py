"""MER 2023: clips of Chinese films and series, six classes and valence; a training list and three test lists.

Where    https://huggingface.co/datasets/MERChallenge/MER2023 (a signed agreement)
Licence  for academic research alone, not to be passed on

    root/train-label.csv, root/train/<name>.avi          name,discrete,valence         3,373 clips
    root/test1-label.csv, root/test1/<name>.avi          411 clips; as clean as training; the default of `test:`
    root/test2-label.csv, root/test2/<name>.mp4          412 clips with noise in sound and picture
    root/test3-label.csv, root/test3/<name>.avi          834 clips, chosen for the semi-supervised track

The lists write names: neutral, angry, happy, sad, worried, surprise. Column `valence` (-5 to 5). Traps: the challenge's
own code fills test labels that it does not have with neutral; the test lists come apart from the clips (put them beside
train-label.csv). No subjects and no films are named: intervals are by clip and optimistic. No validation list: use
splits.validation_from_train. Verified against public code that reads these lists; counts of test1 and test2 likewise.
"""

from __future__ import annotations

from pathlib import Path

from emovlm import UserError
from emovlm.data import labels
from emovlm.data.clipfolder import find_clips
from emovlm.data.schema import PLACE
from emovlm.data.tablefile import read_csv
from emovlm.lookup import near_miss

CLASSES = ["neutral", "angry", "happy", "sad", "worried", "surprise"]
TESTS = ("test1", "test2", "test3")
# Test list -> split -> class -> clips; of the other lists only the totals are published.
PUBLISHED_BY = "test"
PUBLISHED = {
    "test1": {"test": dict(zip(CLASSES, [88, 105, 93, 50, 57, 18], strict=True))},
    "test2": {"test": dict(zip(CLASSES, [123, 98, 87, 40, 52, 12], strict=True))},
}


def load(root: str, test: str = "test1") -> list[dict]:
    """The rows of the training list and of one test list. Raises UserError."""
    top = Path(root).expanduser()
    if test not in TESTS:
        raise UserError(f"data.test: '{test}'; {near_miss(test, TESTS)}")
    train = read_list(top / "train-label.csv", top / "train", "train")
    return train + read_list(top / f"{test}-label.csv", top / test, "test")


def read_list(table: Path, clips: Path, split: str) -> list[dict]:
    """The rows of one list of a MER challenge: name,discrete and perhaps valence. Raises UserError."""
    rows = []
    for values, place in read_csv(table):
        if not values.get("name") or not values.get("discrete"):
            raise UserError(f"{place}: needs name and discrete; columns: {', '.join(values)}")
        row = {"id": f"{split}/{values['name']}", "label": labels.class_name(values["discrete"], place), "split": split}
        rows.append(row | {"valence": values.get("valence"), "name": values["name"], PLACE: place})
    media = find_clips([(row.pop("name"), row[PLACE]) for row in rows], clips)
    return [row | {"media": files} for row, files in zip(rows, media, strict=True)]
