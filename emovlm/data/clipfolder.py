"""The lists of a data set, and the clips that they name: a video file, or a folder of its frames, in one folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from emovlm import UserError
from emovlm.data.mediafiles import located, missing_file, stays
from emovlm.data.sources.folder import PICTURES, VIDEOS, by_number


def read_lines(path: Path, encoding: str = "utf-8-sig") -> Iterator[tuple[str, str]]:
    """(line without the blanks around it, place) of every line that has something. Raises UserError."""
    try:
        text = path.read_bytes().decode(encoding)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not {encoding} (byte {error.start}); take the official file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield line.strip(), f"{path}:{number}"


def find_clips(
    listed: Sequence[tuple[str, str]], folder: Path, spelling: Callable[[str], str] = str
) -> list[list[str]]:
    """The media of each (name, place) of a list: [video], or the pictures of the folder of that name by their numbers.

    A name may hold / and may have or lack its suffix. spelling: what is compared of a name and of a file's. Raises
    UserError for a clip that is not there (see mediafiles.collecting), and for a name or a link that leads out of the
    folder.
    """
    top, there = str(folder.absolute()), {}
    paths = [located(top, name, place, top) for name, place in listed]
    stems = [spelling(_stem(name)) for name, _ in listed]
    for parent in sorted({stem.rpartition("/")[0] for stem in stems}):
        there |= {spelling(f"{parent}/{stem}" if parent else stem): path for stem, path in _entries(folder / parent)}
    media = []
    for stem, path, (name, place) in zip(stems, paths, listed, strict=True):
        if stem in there:
            media.append(_media(there[stem], name, place, top))
        else:
            missing_file(path, name, place)
            media.append([path])
    return media


def _stem(name: str) -> str:
    return name[: -len(Path(name).suffix)] if Path(name).suffix.lower() in VIDEOS else name


def _entries(folder: Path) -> list[tuple[str, Path]]:
    """(name without suffix, path) of each video and each folder; a video wins over a folder of the same name."""
    if not os.path.isdir(folder):  # not folder.is_dir(), which raises where a name is too long for a file
        return []
    with os.scandir(folder) as entries:
        seen = sorted(entries, key=lambda entry: (not entry.is_dir(), entry.name))
        return [
            (_stem(entry.name), Path(entry.path).absolute())
            for entry in seen
            if not entry.name.startswith(".") and (entry.is_dir() or Path(entry.name).suffix.lower() in VIDEOS)
        ]


def _media(path: Path, name: str, place: str, top: str) -> list[str]:
    stays(str(path), place, top)
    if not path.is_dir():
        return [str(path)]
    with os.scandir(path) as entries:
        frames = [
            entry
            for entry in entries
            if not entry.name.startswith(".") and os.path.splitext(entry.name)[1].lower() in PICTURES
        ]
    if not frames:
        raise UserError(f"{place}: names '{name}', but the folder {path} holds no picture; fill it")
    for frame in frames:
        if frame.is_symlink():
            stays(frame.path, place, top)
    return [f"{path}/{name}" for name in sorted((frame.name for frame in frames), key=by_number)]
