"""SAMM: 159 micro-expressions of 29 people of many origins, filmed at 200 frames a second; onset, apex, offset, units.

Where    http://www2.docm.mmu.ac.uk/STAFF/M.Yap/dataset.php (a signed agreement)
Licence  for academic research alone, not to be passed on

    root/SAMM_Micro_FACS_Codes_v2.xlsx       or a .csv exported from it; 13 lines of notes stand above its header
    root/SAMM/006/006_1_2/006_05562.jpg      frames as `clips:` names their folder, `SAMM` by default

Names, no numbers: anger, contempt, disgust, fear, happiness, sadness, surprise, other. `grouping: eight` keeps all;
`five` is that of most papers (anger, contempt, happiness, surprise, other); `three` is that of MEGC 2019: negative
(anger, contempt, disgust, fear, sadness), positive (happiness), surprise. With five or three write `classes:` too.
Traps: the numbers of frames count in the whole recording; two apexes lie outside of their event and are left out;
subjects are 6 in an exported table and 006 on disk. No official split: leave one subject out by `splits: {folds: each,
fold: 1}`. Verified against the official table (the counts below; no frames were at hand) and against public code that
reads the official folders.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from emovlm import UserError
from emovlm.data import leftout, spreadsheet
from emovlm.data.films import action_units, event, read_film, subfolder
from emovlm.data.schema import PLACE
from emovlm.lookup import near_miss

FPS = 200.0
CLASSES = ["anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise", "other"]
_FIVE = ["anger", "contempt", "happiness", "surprise", "other"]
# Grouping -> emotion of the table -> class.
GROUPINGS = {
    "eight": {name: name for name in CLASSES},
    "five": {name: name for name in _FIVE},
    "three": dict.fromkeys(["anger", "contempt", "disgust", "fear", "sadness"], "negative")
    | {"happiness": "positive", "surprise": "surprise"},
}
_EIGHT = dict(zip(CLASSES, [57, 12, 9, 8, 26, 6, 15, 26], strict=True))
PUBLISHED_BY = "grouping"
PUBLISHED = {
    "eight": {"all": _EIGHT},
    "five": {"all": {name: _EIGHT[name] for name in _FIVE}},
    "three": {"all": {"negative": 92, "positive": 26, "surprise": 15}},
}
COLUMNS = {
    "subject": ("Subject",),
    "clip": ("Filename",),
    "onset": ("Onset Frame", "Onset"),
    "apex": ("Apex Frame", "Apex"),
    "offset": ("Offset Frame", "Offset"),
    "units": ("Action Units", "AU"),
    "emotion": ("Estimated Emotion", "Emotion"),
}


def load(root: str, grouping: str = "eight", clips: str = "SAMM", table: str | None = None) -> list[dict]:
    """The rows. clips: the folder of frames; table: the file, where there are several. Raises UserError."""
    top = Path(root).expanduser()
    if grouping not in GROUPINGS:
        raise UserError(f"data.grouping: '{grouping}'; {near_miss(grouping, GROUPINGS)}")
    rows, left = [], Counter[str]()
    for values, emotion, place in read_codes(spreadsheet.find_sheet(top, "SAMM*Micro_FACS_Codes", table)):
        if emotion in GROUPINGS[grouping]:
            rows.append(_row(values, place, top / clips) | {"label": GROUPINGS[grouping][emotion], "emotion": emotion})
        else:
            left[f"of {emotion}"] += 1
    leftout.tell("samm", len(rows) + left.total(), left)
    return rows


def read_codes(path: Path) -> list[tuple[dict[str, str], str, str]]:
    """(values, emotion, place) of each micro-expression in the table of codes. Raises UserError."""
    found = []
    for values, place in spreadsheet.read_table(path, COLUMNS, optional=["units"]):
        if not values["clip"] and not values["onset"]:
            continue  # a note below the table
        emotion = values["emotion"].casefold()
        emotion = "other" if emotion == "others" else emotion
        if emotion not in CLASSES:
            raise UserError(f"{place}: emotion '{values['emotion']}'; allowed: {', '.join(CLASSES)}")
        found.append((values, emotion, place))
    return found


def _row(values: dict[str, str], place: str, folder: Path) -> dict:
    if not values["subject"].isdecimal() or not values["clip"]:
        raise UserError(f"{place}: subject '{values['subject']}' and clip '{values['clip']}': both must be given")
    subject = f"{int(values['subject']):03}"
    film = read_film(subfolder(subfolder(folder, subject, place), values["clip"], place), FPS, place, folder)
    frames = [spreadsheet.frame_number(values[name], name, place) for name in ("onset", "apex", "offset")]
    row = {"id": values["clip"], "subject": subject, "action_units": action_units(values.get("units", ""))}
    return row | film.columns() | event(film.numbering, *frames, place=place) | {PLACE: place}
