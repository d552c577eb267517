"""CASME II: 255 micro-expressions of 26 people, filmed at 200 frames a second; onset, apex, offset and action units.

Where    http://casme.psych.ac.cn/casme/e2 (a signed agreement)
Licence  for academic research alone, not to be passed on; few people's faces may be published

    root/CASME2-coding-20190701.xlsx             or -20140508, or a .csv exported from one
    root/CASME2_RAW_selected/sub01/EP02_01f/img46.jpg    from onset to offset; the default of `clips:`
    root/CASME2-RAW/sub01/EP02_01f/img1.jpg              whole clips, numbered from 1: `clips: CASME2-RAW`
    root/Cropped/sub01/EP02_01f/reg_img46.jpg            registered faces: `clips: Cropped`

Names, no numbers: happiness, surprise, disgust, repression, others, sadness, fear. `grouping: five` leaves the last two
out (6 clips), as most papers do; `seven` keeps all; `three` is that of MEGC 2019: negative (disgust, repression),
positive (happiness), surprise. With seven or three write `classes:` too. Traps: the numbers of frames count in the
whole clip, so the selected and cropped folders begin at the onset's number; an apex that is not known is `/` (one clip
in the table of 2019, many in that of 2014); subjects are 1 or 01; the table of 2014 calls three clips of sub24 sadness
that are surprise in that of 2019, so most papers count 25 of surprise and 246 in five classes, and the first paper 247.
No official split: leave one subject out by `splits: {folds: each, fold: 1}`. Verified against the official table of
2019 (the counts below; no frames were at hand) and against public code that reads the official folders.
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
CLASSES = ["happiness", "surprise", "disgust", "repression", "others"]
SEVEN = [*CLASSES, "sadness", "fear"]
# Grouping -> emotion of the table -> class.
GROUPINGS = {
    "five": {name: name for name in CLASSES},
    "seven": {name: name for name in SEVEN},
    "three": {"disgust": "negative", "repression": "negative", "happiness": "positive", "surprise": "surprise"},
}
# The table of 2019.
_SEVEN = dict(zip(SEVEN, [32, 28, 63, 27, 99, 4, 2], strict=True))
PUBLISHED_BY = "grouping"
PUBLISHED = {
    "five": {"all": {name: _SEVEN[name] for name in CLASSES}},
    "seven": {"all": _SEVEN},
    "three": {"all": {"negative": 90, "positive": 32, "surprise": 28}},
}
COLUMNS = {
    "subject": ("Subject",),
    "clip": ("Filename",),
    "onset": ("OnsetFrame", "Onset"),
    "apex": ("ApexFrame", "ApexFrame1", "Apex"),
    "offset": ("OffsetFrame", "Offset"),
    "units": ("Action Units", "AU"),
    "emotion": ("Estimated Emotion", "Emotion"),
}


def load(root: str, grouping: str = "five", clips: str = "CASME2_RAW_selected", table: str | None = None) -> list[dict]:
    """The rows. clips: the folder of frames; table: the file, where there are several. Raises UserError."""
    top = Path(root).expanduser()
    if grouping not in GROUPINGS:
        raise UserError(f"data.grouping: '{grouping}'; {near_miss(grouping, GROUPINGS)}")
    path = spreadsheet.find_sheet(top, "CASME2", table)
    rows, left = [], Counter[str]()
    for values, place in spreadsheet.read_table(path, COLUMNS, optional=["units"]):
        emotion = values["emotion"].casefold()
        if emotion not in SEVEN:
            raise UserError(f"{place}: emotion '{values['emotion']}'; allowed: {', '.join(SEVEN)}")
        if emotion in GROUPINGS[grouping]:
            rows.append(_row(values, place, top / clips) | {"label": GROUPINGS[grouping][emotion]})
        else:
            left[f"of {emotion}"] += 1
    leftout.tell("casme2", len(rows) + left.total(), left)
    return rows


def _row(values: dict[str, str], place: str, folder: Path) -> dict:
    if not values["subject"].isdecimal() or not values["clip"]:
        raise UserError(f"{place}: subject '{values['subject']}' and clip '{values['clip']}': both must be given")
    subject = f"sub{int(values['subject']):02}"
    film = read_film(subfolder(subfolder(folder, subject, place), values["clip"], place), FPS, place, folder)
    frames = [spreadsheet.frame_number(values[name], name, place) for name in ("onset", "apex", "offset")]
    row = {"id": f"{subject}/{values['clip']}", "subject": subject, "emotion": values["emotion"].casefold()}
    row |= {"action_units": action_units(values.get("units", "")), PLACE: place}
    return row | film.columns() | event(film.numbering, *frames, place=place)
