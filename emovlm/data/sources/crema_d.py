"""CREMA-D: 91 actors say twelve sentences in six emotions; about ten raters each of sound, picture and both.

Where    https://github.com/CheyneyComputerScience/CREMA-D, cloned with Git LFS
Licence  Open Database License 1.0

    root/SentenceFilenames.csv                 Stimulus_Number,Filename
    root/VideoFlash/1001_DFA_ANG_XX.flv        `clips:` names another folder, such as one of converted files
    root/processedResults/tabulatedVotes.csv   the votes: A anger, D disgust, F fear, H happy, N neutral, S sad

A name is actor, sentence, intended emotion (ANG DIS FEA HAP NEU SAD) and level (LO MD HI, or XX). 7,442 clips: 1,271 of
each class and 1,087 neutral. A line of votes is numbered 1xxxxx for the sound alone, 2xxxxx for the picture alone,
3xxxxx for both. Traps: the label that others use is seldom said: by the raters of the sound more than half of the clips
are neutral (3,897 of 7,442); 6 to 9 of a hundred clips have no single majority and are left out then, counted; a clone
without Git LFS has pointers of 130 bytes for videos; names spell the intended label. No official folds: split by
data.splits, `subject` is the actor. Verified against the official files (all names, all 22,326 lines of votes).
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

from emovlm import UserError
from emovlm.data import leftout
from emovlm.data.clipfolder import find_clips, read_lines
from emovlm.data.schema import PLACE
from emovlm.data.tablefile import read_csv
from emovlm.lookup import near_miss

CLASSES = ["anger", "disgust", "fear", "happy", "neutral", "sad"]
CODES: dict[str, str] = dict(zip(("ANG", "DIS", "FEA", "HAP", "NEU", "SAD"), CLASSES, strict=True))
LETTERS = dict(zip("ADFHNS", CLASSES, strict=True))
# What was rated -> first digit of the number of a line of votes.
RATED = {"audio": "1", "picture": "2", "both": "3"}
# Label -> clips; of votes those with a single majority.
PUBLISHED_BY = "label"
PUBLISHED = {
    "intended": {"all": {name: 1087 if name == "neutral" else 1271 for name in CLASSES}},
    "audio": {"all": dict(zip(CLASSES, [986, 547, 645, 353, 3897, 370], strict=True))},
    "picture": {"all": dict(zip(CLASSES, [968, 1057, 822, 1266, 2076, 783], strict=True))},
    "both": {"all": dict(zip(CLASSES, [1019, 1139, 1084, 1219, 1972, 589], strict=True))},
}
_NAME = re.compile(r"(\d{4})_([A-Z]{3})_(ANG|DIS|FEA|HAP|NEU|SAD)_(LO|MD|HI|XX)")


def load(root: str, label: str, soft: bool = False, clips: str = "VideoFlash") -> list[dict]:
    """The rows. label: `intended`, or the majority of the raters of the `audio`, the `picture` or `both`.

    soft: the votes as soft labels; without it a clip whose votes have no single majority is left out, counted. Raises
    UserError.
    """
    top = Path(root).expanduser()
    if label not in PUBLISHED:
        raise UserError(f"data.label: '{label}'; {near_miss(label, PUBLISHED)}")
    if soft and label == "intended":
        raise UserError(
            "data.soft: true, but an intended emotion has no votes; set data.label to audio, picture or both"
        )
    votes = {} if label == "intended" else _votes(top / "processedResults" / "tabulatedVotes.csv", RATED[label])
    rows = []
    for values, place in read_csv(top / "SentenceFilenames.csv"):
        name = values.get("Filename", "")
        found = _NAME.fullmatch(name)
        if found is None:
            raise UserError(f"{place}: Filename {name!r} is no name of CREMA-D, as 1001_DFA_ANG_XX")
        actor, sentence, code, level = found.groups()
        row = {
            "id": name,
            "subject": actor,
            "sentence": sentence,
            "level": level,
            "intended": CODES[code],
            PLACE: place,
        }
        if label == "intended":
            row["label"] = CODES[code]
        elif name not in votes:
            raise UserError(f"{place}: there are no votes on '{name}' in tabulatedVotes.csv; take the official file")
        else:
            row |= _voted(votes[name], soft)
        rows.append(row)
    kept = [row for row in rows if soft or "label" in row]
    leftout.tell("crema_d", len(rows), {"without a single majority": len(rows) - len(kept)})
    media = find_clips([(row["id"], row[PLACE]) for row in kept], top / clips)
    return [row | {"media": files} for row, files in zip(kept, media, strict=True)]


def _votes(path: Path, digit: str) -> dict[str, dict[str, int]]:
    """File -> class -> votes, of the lines whose number starts with the digit."""
    found: dict[str, dict[str, int]] = {}
    header: list[str] = []
    # Not read_csv: the first column, the number, has no name.
    for line, place in read_lines(path):
        try:
            cells = next(csv.reader([line], strict=True))
        except csv.Error as error:
            raise UserError(f"{place}: is no regular csv ({error}); take the official file") from None
        header = header or cells
        values = dict(zip(header, cells, strict=False))
        if cells is header or not values.get("", "").startswith(digit):
            continue
        counts = {name: values.get(letter, "") for letter, name in LETTERS.items()}
        if not all(re.fullmatch("[0-9]{1,6}", count) for count in counts.values()) or not values.get("fileName"):
            raise UserError(f"{place}: columns fileName and A, D, F, H, N, S with whole numbers are needed")
        found[values["fileName"]] = {name: int(count) for name, count in counts.items()}
    return found


def _voted(votes: dict[str, int], soft: bool) -> dict:
    """The label, if one class has the most votes, and the shares of the votes if they are asked for."""
    most = [name for name in CLASSES if votes[name] == max(votes.values())]
    total = sum(votes.values())
    row: dict = {"label": most[0]} if len(most) == 1 else {}
    return row | ({"soft_label": {name: count / total for name, count in votes.items()}} if soft and total else {})
