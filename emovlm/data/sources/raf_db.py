"""RAF-DB, basic emotions: 15,339 faces from the web, seven classes, one official split.

Where    http://www.whdeng.cn/RAF/model1.html (on request, by a member of an academic institution)
Licence  for non-commercial research alone, not to be passed on

    root/EmoLabel/list_patition_label.txt        train_00001.jpg 5        (the misspelling is the official one)
    root/Image/aligned/train_00001_aligned.jpg   aligned faces, 100 px; the default of `pictures:`
    root/Image/original/train_00001.jpg          whole pictures: `pictures: original`

Where the archive has a folder `basic` around these, that is the root. Official numbers: 1 surprise, 2 fear, 3 disgust,
4 happy, 5 sad, 6 angry, 7 neutral. Traps: many projects count from 0 or order by alphabet; the compound set has other
lists; whole pictures show several faces. No validation split: take `splits: {validation_from_train: 0.1, unit: id}`.
No people are named: intervals are by picture and optimistic. Verified against public code that reads the official list;
the counts are the published ones.
"""

from __future__ import annotations

from pathlib import Path

from emovlm import UserError
from emovlm.data import labels
from emovlm.data.picturefolder import find_pictures
from emovlm.data.schema import PLACE
from emovlm.lookup import near_miss

CLASSES = ["surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"]
NAMES = {str(number): name for number, name in enumerate(CLASSES, start=1)}
PUBLISHED = {
    "train": dict(zip(CLASSES, [1290, 281, 717, 4772, 1982, 705, 2524], strict=True)),
    "test": dict(zip(CLASSES, [329, 74, 160, 1185, 478, 162, 680], strict=True)),
}
# Folder in Image -> what its files have behind the listed name.
PICTURES = {"aligned": "_aligned", "original": ""}


def load(root: str, pictures: str = "aligned") -> list[dict]:
    """The rows. pictures: `aligned` faces or the `original` pictures. Raises UserError."""
    top = Path(root).expanduser()
    if pictures not in PICTURES:
        raise UserError(f"data.pictures: '{pictures}'; {near_miss(pictures, PICTURES)}")
    path = top / "EmoLabel" / "list_patition_label.txt"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); sources/raf_db.py shows the tree") from None
    rows, listed = [], []
    for number, line in enumerate(lines, start=1):
        cells, place = line.split(), f"{path}:{number}"
        if not cells:
            continue
        split = cells[0].partition("_")[0]
        if len(cells) != 2 or split not in PUBLISHED:
            raise UserError(f"{place}: '{line}': must be a name that begins with train_ or test_, and a number")
        rows.append({"id": cells[0], "label": labels.class_name(cells[1], place, NAMES), "split": split, PLACE: place})
        listed.append((_file(cells[0], PICTURES[pictures]), place))
    found = find_pictures(listed, top / "Image" / pictures)
    return [row | {"media": [path]} for row, path in zip(rows, found, strict=True)]


def _file(name: str, ending: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}{ending}{dot}{suffix}"
