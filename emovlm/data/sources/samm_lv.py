"""SAMM Long Videos: 147 recordings of 32 people at 200 frames a second, with 159 micro- and 343 macro-expressions.

Where    http://www2.docm.mmu.ac.uk/STAFF/M.Yap/dataset.php (a signed agreement)
Licence  for academic research alone, not to be passed on

    root/SAMM_LongVideos_V2_Release.xlsx     or _V1_, _V3_, or a .csv; 9 lines of notes stand above its header
    root/SAMM_Micro_FACS_Codes_v2.xlsx       the emotions of the micro-expressions
    root/SAMM_longvideos/006_1/006_1_0001.jpg    frames as `clips:` names their folder

A row is one expression: its frames from the onset to the offset with `margin_s` seconds before and after, cut out of
the recording (`source`). `kind: micro`, `macro` or `all`; the column `kind` says which. A macro-expression has no
emotion, so its row has no label. Classes as in the source samm. Traps: the table of the long videos names no emotions;
an apex of -1 is none; an offset of 0, or one before its onset, means that the expression outlasts the recording: the
row ends with the recording's last frame, and has no offset. No official split: leave one subject out by `splits:
{folds: each, fold: 1}`. Verified against public code that reads the official tables and folders; counts of the paper
(FG 2020).
"""

from __future__ import annotations

from pathlib import Path

from emovlm import UserError
from emovlm.data import spreadsheet
from emovlm.data.films import Film, action_units, event, read_film, subfolder
from emovlm.data.schema import PLACE
from emovlm.data.sources import samm
from emovlm.lookup import near_miss

FPS = samm.FPS
CLASSES = samm.CLASSES
KINDS = ("micro", "macro", "all")
PUBLISHED_BY = "kind"
# None: rows without a label.
PUBLISHED = {
    "micro": samm.PUBLISHED["eight"],
    "macro": {"all": {None: 343}},
    "all": {"all": samm.PUBLISHED["eight"]["all"] | {None: 343}},
}
COLUMNS = {
    "clip": ("Filename",),
    "onset": ("Onset", "Onset Frame"),
    "apex": ("Apex", "Apex Frame"),
    "offset": ("Offset", "Offset Frame"),
    "kind": ("Type",),
    "units": ("Action Units",),
}


def load(
    root: str, kind: str = "micro", clips: str = "SAMM_longvideos", margin_s: float = 0.0, table: str | None = None
) -> list[dict]:
    """The rows. margin_s: seconds of the recording that are shown around the expression. Raises UserError."""
    top = Path(root).expanduser()
    if kind not in KINDS:
        raise UserError(f"data.kind: '{kind}'; {near_miss(kind, KINDS)}")
    emotions = {}
    if kind != "macro":
        codes = samm.read_codes(spreadsheet.find_sheet(top, "SAMM*Micro_FACS_Codes"))
        emotions = {values["clip"]: emotion for values, emotion, _ in codes}
    rows, films = [], dict[Path, Film]()
    path = spreadsheet.find_sheet(top, "SAMM_LongVideos", table)
    for values, place in spreadsheet.read_table(path, COLUMNS, optional=["units"]):
        if not values["clip"] and not values["onset"]:
            continue  # a note below the table
        found = values["kind"].casefold().partition(" ")[0]
        if found not in KINDS[:2]:
            raise UserError(f"{place}: type '{values['kind']}'; must begin with Micro or Macro")
        if kind in (found, "all"):
            rows.append(_row(values, place, top / clips, margin_s, films) | {"kind": found})
            if found == "micro":
                rows[-1]["label"] = _emotion(values["clip"], emotions, place)
    return rows


def _emotion(clip: str, emotions: dict[str, str], place: str) -> str:
    if clip not in emotions:
        raise UserError(
            f"{place}: the micro-expression '{clip}' is not in the table of codes; are both of one release?"
        )
    return emotions[clip]


def _row(values: dict[str, str], place: str, folder: Path, margin_s: float, films: dict[Path, Film]) -> dict:
    parts = values["clip"].split("_")
    onset, apex, offset = (spreadsheet.frame_number(values[one], one, place) for one in ("onset", "apex", "offset"))
    if len(parts) < 3 or onset is None:
        raise UserError(f"{place}: clip '{values['clip']}' must be subject_recording_number, and the onset be given")
    recording = subfolder(folder, "_".join(parts[:2]), place)
    if recording not in films:
        films[recording] = read_film(recording, FPS, place, folder)
    apex = None if apex is not None and apex < 0 else apex
    offset = None if offset is not None and offset < onset else offset
    more = round(margin_s * FPS)
    film = films[recording].cut(onset - more, None if offset is None else offset + more, place)
    row = {"id": values["clip"], "subject": parts[0], "source": "_".join(parts[:2]), PLACE: place}
    row |= {"action_units": action_units(values.get("units", ""))}
    return row | film.columns() | event(film.numbering, onset, apex, offset, place)
