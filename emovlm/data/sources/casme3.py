"""CAS(ME)^3, part A: 860 labelled micro-expressions of 100 people, filmed at 30 frames a second, with depth.

Where    http://casme.psych.ac.cn/casme/e4 (a signed agreement)
Licence  for academic research alone, not to be passed on

    root/annotation/cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx        or in root, or a .csv exported from its sheet
    root/Part_A_ME_clip/frame/spNo.1_a_355/355.jpg     subject_film_onset, cut out; the default of `clips:`
    root/data/spNO.1/a/color/355.jpg                   the long recordings: `clips: data`

Names, no numbers: happy, disgust, fear, anger, sad, surprise, others. `grouping: seven` keeps all; `four` joins
disgust, fear, anger and sad (negative), happy (positive), surprise, others; `three` leaves others out. With four or
three write `classes:` too. From the long recordings a row shows `margin_s` seconds before the onset and after the
offset. Traps: the table writes spNO, the folders spNo; one film has several events, so that the onset belongs to the
id; some offsets lie before their onsets and some apexes outside (they are left out); in some clips a hand hides the
face. No official split: leave one subject out by `splits: {folds: each, fold: 1}`. Verified against public code that
reads the official table and folders; the counts are those of the paper (TPAMI 2022).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from emovlm import UserError
from emovlm.data import leftout, spreadsheet
from emovlm.data.films import Film, action_units, event, find_entry, read_film, subfolder
from emovlm.data.schema import PLACE
from emovlm.lookup import near_miss

FPS = 30.0
CLASSES = ["happy", "disgust", "fear", "anger", "sad", "surprise", "others"]
_FOUR = {"happy": "positive", "surprise": "surprise", "others": "others"}
_FOUR |= dict.fromkeys(["disgust", "fear", "anger", "sad"], "negative")
# Grouping -> emotion of the table -> class.
GROUPINGS = {
    "seven": {name: name for name in CLASSES},
    "four": _FOUR,
    "three": {name: label for name, label in _FOUR.items() if label != "others"},
}
PUBLISHED_BY = "grouping"
PUBLISHED = {
    "seven": {"all": dict(zip(CLASSES, [55, 250, 86, 64, 57, 187, 161], strict=True))},
    "four": {"all": {"positive": 55, "negative": 457, "surprise": 187, "others": 161}},
    "three": {"all": {"positive": 55, "negative": 457, "surprise": 187}},
}
COLUMNS = {
    "subject": ("Subject", "sub"),
    "film": ("Filename", "seq"),
    "onset": ("Onset",),
    "apex": ("Apex",),
    "offset": ("Offset",),
    "units": ("AU", "Action Units"),
    "emotion": ("emotion",),
}
_SPELLINGS = {"happiness": "happy", "sadness": "sad", "other": "others"}


def load(
    root: str,
    grouping: str = "seven",
    clips: str = "Part_A_ME_clip/frame",
    margin_s: float = 0.0,
    table: str | None = None,
) -> list[dict]:
    """The rows. clips: a folder of cut clips, or of long recordings. Raises UserError."""
    top = Path(root).expanduser()
    if grouping not in GROUPINGS:
        raise UserError(f"data.grouping: '{grouping}'; {near_miss(grouping, GROUPINGS)}")
    place_of_table = top / "annotation" if table is None and (top / "annotation").is_dir() else top
    path = spreadsheet.find_sheet(place_of_table, "[cC][aA][sS](*)3_part_A_ME", table)
    rows, left, films = [], Counter[str](), dict[Path, Film]()
    for values, place in spreadsheet.read_table(path, COLUMNS, optional=["units"]):
        emotion = values["emotion"].casefold()
        emotion = _SPELLINGS.get(emotion, emotion)
        if emotion not in CLASSES:
            raise UserError(f"{place}: emotion '{values['emotion']}'; allowed: {', '.join(CLASSES)}")
        if emotion in GROUPINGS[grouping]:
            row = _row(values, place, top / clips, margin_s, films)
            rows.append(row | {"label": GROUPINGS[grouping][emotion], "emotion": emotion})
        else:
            left[f"of {emotion}"] += 1
    leftout.tell("casme3", len(rows) + left.total(), left)
    return rows


def _row(values: dict[str, str], place: str, folder: Path, margin_s: float, films: dict[Path, Film]) -> dict:
    subject, name = values["subject"].casefold().replace("spno", "spNO"), values["film"].casefold()
    onset, apex, offset = (spreadsheet.frame_number(values[one], one, place) for one in ("onset", "apex", "offset"))
    if not subject or not name or onset is None:
        raise UserError(f"{place}: subject, film and onset must be given; found '{subject}', '{name}' and {onset}")
    clip = f"{subject}_{name}_{onset}"
    recordings = find_entry(folder, subject)
    if recordings is not None:
        long = subfolder(recordings, name, place) / "color"
        if long not in films:
            films[long] = read_film(long, FPS, place, folder)
        more = round(margin_s * FPS)
        film = films[long].cut(onset - more, max(offset or onset, onset) + more, place)
    else:
        film = read_film(subfolder(folder, clip, place), FPS, place, folder)
    row = {"id": clip, "subject": subject, "source": f"{subject}_{name}", PLACE: place}
    row |= {"action_units": action_units(values.get("units", ""))}
    return row | film.columns() | event(film.numbering, onset, apex, offset, place)
