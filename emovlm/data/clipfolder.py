"""Clips that a list names: a video file, or a folder of its frames, in one folder of a data set."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from emovlm import UserError
from emovlm.data.sources.folder import PICTURES, VIDEOS, by_number


def find_clips(
    listed: Sequence[tuple[str, str]], folder: Path, spelling: Callable[[str], str] = str
) -> list[list[str]]:
    """The media of each (name, place) of a list: [video], or the pictures of the folder of that name by their numbers.

    A name may hold / and may have or lack its suffix. spelling: what is compared of a name and of a file's. Raises
    UserError that names the first clip which is not there, and how many more are not.
    """
    stems = [spelling(_stem(name)) for name, _ in listed]
    there = {}
    for parent in sorted({stem.rpartition("/")[0] for stem in stems}):
        there |= {spelling(f"{parent}/{stem}" if parent else stem): path for stem, path in _entries(folder / parent)}
    missing = [index for index, stem in enumerate(stems) if stem not in there]
    if missing:
        name, place = listed[missing[0]]
        more = f" (nor for {len(missing) - 1} more of {len(listed)})" if len(missing) > 1 else ""
        raise UserError(
            f"{place}: names '{name}', but there is no video and no folder of frames for it in {folder}{more}; "
            "complete the folder, or take these lines out of the list"
        )
    return [_media(there[stem], listed[index]) for index, stem in enumerate(stems)]


def _stem(name: str) -> str:
    return name[: -len(Path(name).suffix)] if Path(name).suffix.lower() in VIDEOS else name


def _entries(folder: Path) -> list[tuple[str, Path]]:
    """(name without suffix, path) of each video and each folder; a video wins over a folder of the same name."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        seen = sorted(entries, key=lambda entry: (not entry.is_dir(), entry.name))
        return [
            (_stem(entry.name), Path(entry.path).absolute())
            for entry in seen
            if not entry.name.startswith(".") and (entry.is_dir() or Path(entry.name).suffix.lower() in VIDEOS)
        ]


def _media(path: Path, listed: tuple[str, str]) -> list[str]:
    if not path.is_dir():
        return [str(path)]
    with os.scandir(path) as entries:
        frames = [
            entry.name
            for entry in entries
            if not entry.name.startswith(".") and os.path.splitext(entry.name)[1].lower() in PICTURES
        ]
    if not frames:
        raise UserError(f"{listed[1]}: names '{listed[0]}', but the folder {path} holds no picture; fill it")
    return [f"{path}/{name}" for name in sorted(frames, key=by_number)]
