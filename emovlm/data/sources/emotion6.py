"""Emotion6: 1,980 pictures from Flickr, each with what 15 people felt: a distribution over seven classes.

Where    http://chenlab.ece.cornell.edu/people/kuanchuan/publications/Emotion6.zip
Licence  for academic research alone; the pictures belong to their owners

    root/ground_truth.txt       [image_filename] [valence] [arousal] [prob. anger] ...    between tabs
    root/images/anger/1.jpg     330 pictures for each of six searched words

Official order: anger, disgust, fear, joy, sadness, surprise, neutral. `soft_label` is the distribution; the label is
its largest class; pictures on which several are equal are left out, and counted. Soft labels train under `loss:
{over_classes: cross_entropy}`. Columns: `valence`, `arousal` (1 to 9), `searched` (the word). Traps: the folder is the
word that was searched for, not the label, and shows in the path; there is no folder for neutral. No official split, and
no people are named: `splits: {unit: id}`; intervals are by picture. Verified against the set's own description.
"""

from __future__ import annotations

from pathlib import Path

from emovlm import UserError
from emovlm.data import leftout
from emovlm.data.picturefolder import find_pictures
from emovlm.data.schema import PLACE, number

CLASSES = ["anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral"]


def load(root: str) -> list[dict]:
    """The rows. Raises UserError."""
    top = Path(root).expanduser()
    path = top / "ground_truth.txt"
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); sources/emotion6.py shows the tree") from None
    rows, listed, left = [], [], 0
    for line_number, line in enumerate(lines, start=1):
        cells, place = line.split(), f"{path}:{line_number}"
        # The header's names hold blanks.
        if not cells or cells[0].startswith("["):
            continue
        if len(cells) != 3 + len(CLASSES):
            raise UserError(
                f"{place}: {len(cells)} cells; must be a picture, valence, arousal and {len(CLASSES)} shares"
            )
        shares = _to_one([number(cell, name, place) for name, cell in zip(CLASSES, cells[3:], strict=True)], place)
        if shares.count(max(shares)) > 1:
            left += 1
            continue
        row = {"id": cells[0], "label": CLASSES[shares.index(max(shares))], "soft_label": shares}
        row["searched"] = cells[0].partition("/")[0]
        row |= {"valence": number(cells[1], "valence", place), "arousal": number(cells[2], "arousal", place)}
        rows.append(row | {PLACE: place})
        listed.append((cells[0], place))
    leftout.tell("emotion6", len(rows) + left, {"without a largest class": left})
    found = find_pictures(listed, top / "images")
    return [row | {"media": [path]} for row, path in zip(rows, found, strict=True)]


def _to_one(shares: list[float], place: str) -> list[float]:
    """They are written with six digits, so that their sum is a little off."""
    total = sum(shares)
    if min(shares) < 0 or abs(total - 1) > 0.01:
        raise UserError(f"{place}: the shares of the classes sum to {total:g}; they must sum to 1")
    return [share / total for share in shares]
