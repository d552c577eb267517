"""CAS(ME)^2, part A: 98 recordings of 22 people at 30 frames a second, with 57 micro- and 300 macro-expressions.

Where    http://casme.psych.ac.cn/casme/e3 (a signed agreement)
Licence  for academic research alone, not to be passed on

    root/CAS(ME)^2code_final.xlsx        no header; sheets: the codes, `naming rule1`, `naming rule2`
    root/rawvideo/s15/15_0101disgustingteeth.avi           the default of `clips:`
    root/rawpic/s15/15_0101disgustingteeth/img_1.jpg       its frames: `clips: rawpic`

A row is one expression, as a span of its recording (`source`): `start_s` to `end_s`, with `margin_s` seconds before the
onset and after the offset. `kind: micro`, `macro` or `all`; the column `kind` says which. Names, no numbers: positive,
negative, surprise, others. Traps: the sheet's people are numbered 1 to 22 and the folders s15 to s40, and films are
named by what was shown: two more sheets tell which is which, in one of them as the number 101 for 0101; frames count
from 1; an offset of 0 means that the expression outlasts the recording. A recording may hold several expressions, also
of other classes. No official split: leave one subject out by `splits: {folds: each, fold: 1}`. Verified against public
code that reads the official table and folders; the counts of all expressions are the paper's (TAC 2018).
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from emovlm import UserError
from emovlm.data import spreadsheet
from emovlm.data.films import Numbering, action_units, event, read_film
from emovlm.data.mediafiles import stays
from emovlm.data.schema import PLACE
from emovlm.data.sources.folder import VIDEOS
from emovlm.lookup import near_miss

FPS = 30.0
CLASSES = ["positive", "negative", "surprise", "others"]
KINDS = ("micro", "macro", "all")
PUBLISHED_BY = "kind"
PUBLISHED = {
    "micro": {"all": {"positive": 8, "negative": 21, "surprise": 9, "others": 19}},
    "macro": {"all": {"positive": 116, "negative": 105, "surprise": 16, "others": 63}},
    "all": {"all": {"positive": 124, "negative": 126, "surprise": 25, "others": 82}},
}


def load(
    root: str, kind: str = "micro", clips: str = "rawvideo", margin_s: float = 0.0, table: str | None = None
) -> list[dict]:
    """The rows. margin_s: seconds of the recording that are shown around the expression. Raises UserError."""
    top = Path(root).expanduser()
    if kind not in KINDS:
        raise UserError(f"data.kind: '{kind}'; {near_miss(kind, KINDS)}")
    path = spreadsheet.find_sheet(top, "CAS(ME)^2code_final", table)
    people = {cells[2]: cells[1] for cells, _ in spreadsheet.read_cells(path, "naming rule1") if len(cells) > 2}
    shown = {cells[1]: cells[0].zfill(4) for cells, _ in spreadsheet.read_cells(path, "naming rule2") if len(cells) > 1}
    recordings = _recordings(top / clips)
    rows = []
    for cells, place in spreadsheet.read_cells(path):
        if len(cells) < 8 or not cells[7].casefold().startswith(KINDS[:2]):
            if any(cells[1:4]) and spreadsheet.frame_number(cells[2], "onset", place) is not None:
                raise UserError(f"{place}: column 8 must be micro-expression or macro-expression: {', '.join(cells)}")
            continue
        found = cells[7].casefold().partition("-")[0]
        if kind in (found, "all"):
            film = cells[1].partition("_")[0]
            if cells[0] not in people or film not in shown:
                raise UserError(f"{place}: person '{cells[0]}' or film '{film}' is not in the sheets of naming rules")
            key = (people[cells[0]].casefold().lstrip("s"), shown[film])
            if key not in recordings:
                raise UserError(f"{place}: there is no recording {key[0]}_{key[1]}* in {top / clips}")
            rows.append(
                _row(cells, place, recordings[key], top / clips, margin_s) | {"subject": f"s{key[0]}", "kind": found}
            )
    return rows


def _recordings(folder: Path) -> dict[tuple[str, str], Path]:
    """(person's number, film's number) -> a video, or a folder of frames."""
    found = {}
    for path in sorted(folder.glob("*/*")):
        named = re.match(r"(\d+)_(\d{4})", path.name)
        if named and (path.is_dir() or path.suffix.lower() in VIDEOS):
            found[named[1], named[2]] = path
    if not found:
        raise UserError(f"data.clips: there is no recording in {folder}; sources/cas_me2.py shows the tree")
    return found


def _row(cells: list[str], place: str, recording: Path, folder: Path, margin_s: float) -> dict:
    emotion = cells[6].casefold()
    emotion = "others" if emotion == "other" else emotion
    if emotion not in CLASSES:
        raise UserError(f"{place}: emotion '{cells[6]}'; allowed: {', '.join(CLASSES)}")
    onset, apex, offset = (spreadsheet.frame_number(cells[index], "frame", place) for index in (2, 3, 4))
    if onset is None:
        raise UserError(f"{place}: has no onset; correct it, or take this line out")
    # A macro-expression may begin where a micro-expression does.
    row = {"id": f"{recording.stem}_{onset}_{offset or 0}"}
    offset = None if offset is not None and offset < onset else offset
    row |= {"source": recording.stem, "label": emotion, PLACE: place}
    row |= {"action_units": action_units(cells[5])}
    more = round(margin_s * FPS)
    if recording.is_dir():
        film = read_film(recording, FPS, place, folder)
        film = film.cut(onset - more, None if offset is None else offset + more, place)
        return row | film.columns() | event(film.numbering, onset, apex, offset, place)
    # Frame 1 is shown from 0 s; the last frame of the span is shown until the next begins.
    frames = Numbering(1, math.inf, FPS)
    row |= {
        "media": [stays(str(recording.absolute()), place, str(folder.absolute()))],
        "start_s": frames.at_s(max(onset - more, 1)),
    }
    row |= {} if offset is None else {"end_s": frames.at_s(offset + more + 1)}
    return row | event(frames, onset, apex, offset, place)
