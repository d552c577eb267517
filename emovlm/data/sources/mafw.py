"""MAFW: 10,045 clips of films, shows and short videos, 9,172 of them with one of eleven classes; five official folds.

Where    https://mafw-database.github.io/MAFW (a signed agreement)
Licence  for research by universities alone, not to be passed on

    root/Train & Test Set/single/no_caption/set_1/train.txt, test.txt   00025.mp4 anger            to set_5
    root/Train & Test Set/single/with_caption/set_1/...                 file, class, Chinese, English, between tabs
    root/Train & Test Set/compound/no_caption/set_1/...                 00108.mp4 anger_disgust
    root/Labels/single-set.xlsx        clip, a number of each class, single_label; for `soft: true`
    root/data/clips/00025.mp4           `clips:` names another folder in `data`, of videos or of folders of frames

The lists write names; numbers in Labels/ are 1 to 11 in the order of CLASSES. Columns: `compound` (one of 43 classes;
4,058 clips have more than one emotion there, 176 are in no compound list), `caption` and `caption_chinese` (none of a
neutral clip). Traps: the lists with captions are GB 18030 and leave the neutral clips out; the folds of compound/ are
others than those of single/; other projects pass on lists with numbers of another order; captions name what a face
shows, so as `text` they would tell the answer. No subjects and no films are named: intervals are by clip and
optimistic. Verified against copies of the official lists (sizes and class counts of all five folds, the compound
classes, the captions).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from emovlm import UserError
from emovlm.data import labels, schema
from emovlm.data.clipfolder import find_clips, read_lines
from emovlm.data.schema import PLACE
from emovlm.data.spreadsheet import read_table

CLASSES = ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]
CLASSES += ["contempt", "anxiety", "helplessness", "disappointment"]
_TEST = {
    1: [278, 128, 125, 249, 228, 294, 215, 48, 184, 53, 37],
    2: [278, 128, 125, 249, 228, 294, 215, 47, 183, 53, 37],
    3: [278, 128, 125, 248, 228, 294, 214, 47, 183, 52, 36],
    4: [278, 128, 125, 248, 227, 294, 214, 47, 183, 52, 36],
    5: [278, 127, 125, 248, 227, 294, 214, 47, 183, 52, 36],
}
_ALL = [1390, 639, 625, 1242, 1138, 1470, 1072, 236, 916, 262, 182]
# Fold -> split -> class -> clips.
PUBLISHED_BY = "fold"
PUBLISHED = {
    fold: {
        "train": {name: total - part for name, total, part in zip(CLASSES, _ALL, test, strict=True)},
        "test": dict(zip(CLASSES, test, strict=True)),
    }
    for fold, test in _TEST.items()
}
# A name that may hold blanks, then its class; between them a tab, a comma or blanks.
_LINE = re.compile(r"(.+\.\w+|\S+)\s*[\s,]\s*([^\s,]+)")


def load(root: str, fold: int, clips: str = "clips", soft: bool = False) -> list[dict]:
    """The rows of one fold. clips: the folder in `data` that has the media.

    soft: train on the distributions of the eleven annotators, as soft labels; as they are written they are the column
    `distribution`. Raises UserError.
    """
    top = Path(root).expanduser()
    if fold not in PUBLISHED:
        raise UserError(f"data.fold: {fold}; MAFW has the folds 1 to {len(PUBLISHED)}")
    folder = top / "data" / clips
    if not folder.is_dir():
        raise UserError(f"data.clips: '{clips}': there is no folder {folder}; sources/mafw.py shows the tree")
    lists = top / "Train & Test Set"
    compound, rows = _compound(lists / "compound" / "no_caption" / f"set_{fold}"), []
    for split in ("train", "test"):
        captions = _captions(lists / "single" / "with_caption" / f"set_{fold}" / f"{split}.txt")
        for name, label, place in _pairs(lists / "single" / "no_caption" / f"set_{fold}" / f"{split}.txt"):
            row = {
                "id": name.rpartition(".")[0] or name,
                "label": labels.class_name(label, place),
                "split": split,
                PLACE: place,
            }
            rows.append(row | {"compound": compound.get(name), **captions.get(name, {})})
    found = find_clips([(row["id"], row[PLACE]) for row in rows], folder)
    if soft:
        shares = _distributions(top / "Labels" / "single-set.xlsx")
        rows = [row | _shared(row, shares) for row in rows]
    return [row | {"media": media} for row, media in zip(rows, found, strict=True)]


def _pairs(path: Path) -> Iterator[tuple[str, str, str]]:
    """(file, class, place) of each line."""
    for line, place in read_lines(path):
        found = _LINE.fullmatch(line)
        if found is None:
            raise UserError(f"{place}: {line!r} is no file name and a class, as in '00025.mp4 anger'")
        yield found[1], found[2], place


def _compound(folder: Path) -> dict[str, str]:
    """File -> compound class, from both lists of a fold; empty where the set was unpacked without them."""
    paths = [path for path in (folder / "train.txt", folder / "test.txt") if path.is_file()]
    return {name: label for path in paths for name, label, _ in _pairs(path)}


def _captions(path: Path) -> dict[str, dict[str, str]]:
    """File -> its captions; empty where the set was unpacked without them."""
    found = {}
    for line, place in read_lines(path, encoding="gb18030") if path.is_file() else ():
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != 4:
            raise UserError(f"{place}: {len(cells)} cells between tabs; file, class, Chinese and English are needed")
        found[cells[0]] = {"caption_chinese": cells[2], "caption": cells[3]}
    return found


def _distributions(path: Path) -> dict[str, tuple[str, list[float]]]:
    """Clip -> (class, its eleven numbers)."""
    found = {}
    columns = {name: (name,) for name in ("clip", *CLASSES)} | {"number": ("single_label",)}
    for values, place in read_table(path, columns):
        number = values["number"]
        if not number.isdecimal() or not 1 <= int(number) <= len(CLASSES):
            raise UserError(
                f"{place}: single_label '{number}'; must be from 1 (anger) to {len(CLASSES)} (disappointment)"
            )
        numbers = [schema.number(values[name], name, place) for name in CLASSES]
        if min(numbers) < 0 or not any(numbers):
            raise UserError(f"{place}: the numbers of the classes must not be below 0, nor all 0")
        found[values["clip"].rpartition(".")[0] or values["clip"]] = CLASSES[int(number) - 1], numbers
    return found


def _shared(row: dict, found: dict[str, tuple[str, list[float]]]) -> dict:
    """The columns of a row that come from the distributions, which must mean the same class as the lists."""
    name, numbers = found.get(row["id"], ("", []))
    if name != row["label"]:
        told = f"says {name}" if name else "does not have the clip"
        raise UserError(f"{row[PLACE]}: {row['label']}, but Labels/single-set.xlsx {told}; take the official files")
    return {"distribution": numbers, "soft_label": [part / sum(numbers) for part in numbers]}
