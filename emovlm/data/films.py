"""Folders of numbered frames with a known rate: a frame's time follows from its number, never from its place.

Time 0 is the first frame that is listed. Some sets number the frames of a clip from 1, some from its place in the
recording, some begin at the onset: the numbers in the file names say which, so annotations in frames become seconds.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emovlm import UserError
from emovlm.data.mediafiles import missing_file, stays
from emovlm.data.sources.folder import PICTURES

# So many lost frames are other files.
MOST_MISSING = 10_000
# `img46.jpg`, `reg_img46.jpg`, `006_05562.jpg`: the last number counts.
_FRAME = re.compile(r"(\d+)\D*$")


@dataclass(frozen=True)
class Numbering:
    """The numbers of the first and the last frame that are shown, and the frames a second."""

    first: int
    last: float
    fps: float

    def at_s(self, number: int) -> float:
        """When frame `number` is shown, seconds from the first frame."""
        return (number - self.first) / self.fps


@dataclass(frozen=True)
class Film:
    """pictures: frame number -> path, ascending; none where the folder is not there (see mediafiles.collecting).

    fps: frames a second.
    """

    folder: Path
    pictures: dict[int, str]
    fps: float

    @property
    def first(self) -> int:
        return next(iter(self.pictures))

    @property
    def last(self) -> int:
        return next(reversed(self.pictures))

    @property
    def numbering(self) -> Numbering | None:
        return Numbering(self.first, self.last, self.fps) if self.pictures else None

    def cut(self, first: int, last: int | None, place: str) -> Film:
        """The frames from `first` to `last`, or to the end. Raises UserError where there is none."""
        if not self.pictures:
            return self
        last = self.last if last is None else last
        kept = {number: path for number, path in self.pictures.items() if first <= number <= last}
        if not kept:
            raise UserError(f"{place}: no frame from {first} to {last}; the folder has {self.first} to {self.last}")
        return Film(self.folder, kept, self.fps)

    def columns(self) -> dict[str, Any]:
        """`media`, `fps`, and the number of `missing_frames` where there are gaps.

        For a frame that is missing the one before it stays on display: without that all later times would be wrong.
        """
        if not self.pictures:
            return {"media": [str(self.folder)]}
        media, shown = [], ""
        for number in range(self.first, self.last + 1):
            shown = self.pictures.get(number, shown)
            media.append(shown)
        missing = len(media) - len(self.pictures)
        return {"media": media, "fps": self.fps, **({"missing_frames": missing} if missing else {})}


def read_film(folder: Path, fps: float, place: str, top: Path) -> Film:
    """All numbered pictures of a folder. Raises UserError for none, for two of one number, for links out of `top`."""
    pictures: dict[int, str] = {}
    if not folder.is_dir():
        missing_file(folder, folder.name, place)
        return Film(folder, {}, fps)
    root, there = str(top.absolute()), folder.absolute()
    stays(str(there), place, root)
    with os.scandir(there) as entries:
        links = {entry.name: entry.is_symlink() for entry in entries}
    for name in sorted(links):
        stem, suffix = os.path.splitext(name)
        number = _FRAME.search(stem)
        if name.startswith(".") or suffix.lower() not in PICTURES or number is None:
            continue
        path = f"{there}/{name}"
        if links[name]:
            stays(path, place, root)
        other = pictures.setdefault(int(number[1]), path)
        if other != path:
            raise UserError(f"{place}: {folder}: '{name}' and '{os.path.basename(other)}' are both frame {number[1]}")
    if not pictures:
        raise UserError(f"{place}: the folder {folder} holds no numbered picture; fill it, or take this line out")
    film = Film(folder, dict(sorted(pictures.items())), fps)
    if film.last - film.first > len(pictures) + MOST_MISSING:
        raise UserError(
            f"{place}: {folder}: {len(pictures)} pictures have numbers from {film.first} to {film.last}; move those "
            "away that are no frames of this clip"
        )
    return film


def event(
    numbering: Numbering | None, onset: int | None, apex: int | None, offset: int | None, place: str
) -> dict[str, Any]:
    """`onset_s`, `apex_s` and `offset_s` of an annotation in frames, as far as they are known and in order.

    An apex outside of the event and an offset before the onset are slips of the table: they are left out, and the
    column `annotation_note` tells them. Raises UserError where the folder has none of the annotated frames: then it is
    numbered otherwise, and every time would be wrong.
    """
    notes, found = [], {}
    if onset is None or numbering is None:
        return {}
    if offset is not None and offset < onset:
        notes.append(f"offset {offset} before onset {onset}")
        offset = None
    if apex is not None and (apex < onset or (offset is not None and apex > offset)):
        notes.append(f"apex {apex} outside of {onset} to {'?' if offset is None else offset}")
        apex = None
    first, last = numbering.first, numbering.last
    if onset > last or (offset if offset is not None else onset) < first:
        raise UserError(
            f"{place}: the event is in frames {onset} to {offset}, but the folder has {first} to {last}; its "
            "files are numbered otherwise than the table: take the official frames, or take this line out"
        )
    for name, number in (("onset_s", onset), ("apex_s", apex), ("offset_s", offset)):
        if number is not None:
            found[name] = numbering.at_s(number)
    return found | ({"annotation_note": "; ".join(notes)} if notes else {})


def subfolder(folder: Path, name: str, place: str) -> Path:
    """The entry of that name, whatever its case (tables and disks differ in it). Raises UserError.

    Where files that are not there are kept (mediafiles.collecting), the path at which it should be.
    """
    found = find_entry(folder, name)
    if found is None:
        found = folder / name.replace("/", "_")
        missing_file(found, name, place)
    return found


def find_entry(folder: Path, name: str) -> Path | None:
    """Looked up in what the folder holds, so that a name with .. or / leads nowhere."""
    if not folder.is_dir():
        return None
    with os.scandir(folder) as entries:
        found = {entry.name.casefold(): entry.name for entry in entries}
    return folder / found[name.casefold()] if name.casefold() in found else None


def action_units(text: str) -> list[str]:
    """`4+L10`, `R14A or 17A`, `1,2`: AU4 AU10; the side and the intensity (A to E) are left out."""
    return [f"AU{number}" for number in dict.fromkeys(re.findall(r"(?<!\d)\d{1,2}(?!\d)", text))]
