"""From what an annotation writes to the file: it lies inside the root, and it is there.

An annotation may come from elsewhere, so a path that leads out of its folder is refused by name: by `..`, by a symbolic
link, and in a `folder` (whose convention is relative paths) by being absolute. A jsonl is the user's own list: absolute
paths in it are meant. `data.outside: true` of these two allows all of them. The root itself may be a link; in an
official layout the root is the folder that has the media, so it may lie on another disk as a whole.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from emovlm import UserError

Missing = dict[str, UserError]
_missing: ContextVar[Missing | None] = ContextVar("missing", default=None)


@contextmanager
def collecting() -> Iterator[Missing]:
    """Within it a file that is not there is kept, by its path, where it would be raised at once."""
    found: Missing = {}
    token = _missing.set(found)
    try:
        yield found
    finally:
        _missing.reset(token)


def missing_file(path: str | os.PathLike[str], written: str, place: str) -> None:
    """Raise the UserError of a row that names a file which is not there, or keep it (see `collecting`)."""
    if os.path.isdir(path):
        raise UserError(f"{place}: '{written}' is a folder; name its pictures in the column file_names (or media)")
    hint = "write / instead of \\" if "\\" in written else "correct the row or add the file"
    error = UserError(f"{place}: names '{written}', but there is no file {path}; {hint}")
    found = _missing.get()
    if found is None:
        raise error
    found[str(path)] = error


class RegularFiles:
    """`path in files`: whether there is a file (no link) of that name, by a listing of its folder, read once.

    One listing costs less than a question about each of a million files, above all on a network.
    """

    def __init__(self) -> None:
        self._names: dict[str, frozenset[str]] = {}

    def __contains__(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        names = self._names.get(folder)
        if names is None:
            names = self._names[folder] = _regular_files(folder or "/")
        return name in names


def _regular_files(folder: str) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
    except (OSError, ValueError):
        return frozenset()


def located(
    folder: str,
    written: str,
    place: str,
    root: str,
    *,
    outside: bool | None = None,
    absolute: bool = False,
    files: RegularFiles | tuple[()] = (),
) -> str:
    """The absolute path of `written`, relative to `folder` inside `root`. Raises UserError where it leads out.

    outside: the recipe allows that; None where it cannot. absolute: absolute paths are meant, wherever they lead.
    Nothing need be there. files: what is known to be no link.
    """
    if "\0" in written:
        raise UserError(f"{place}: the path {written!r} has a zero byte in it")
    path = written if written.startswith("/") else f"{folder.rstrip('/')}/{written}"
    if outside or (absolute and written.startswith("/")):
        return path
    if written.startswith("/"):
        raise _leaves(place, written, root, "is absolute", outside)
    if ".." in written and ".." in written.split("/") and not _within(os.path.normpath(path), os.path.normpath(root)):
        raise _leaves(place, written, root, "leads out of it by ..", outside)
    if not _real_within(path.rpartition("/")[0], root) or (
        path not in files and os.path.islink(path) and not _within(os.path.realpath(path), os.path.realpath(root))
    ):
        raise _leaves(place, written, root, "leads out of it by a symbolic link", outside)
    return path


def stays(found: str, place: str, root: str) -> str:
    """`found`, which a listing below `root` gave. Raises UserError where it leads out: archives hold links too."""
    return located(root, found.removeprefix(root.rstrip("/") + "/"), place, root)


def _leaves(place: str, written: str, root: str, how: str, outside: bool | None) -> UserError:
    trusted = "" if outside is None else ", or set data.outside: true if you trust this annotation"
    return UserError(f"{place}: the path '{written}' {how}; paths stay inside {root}: copy the file there{trusted}")


def _within(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


@functools.lru_cache(maxsize=100_000)
def _real_within(folder: str, root: str) -> bool:
    """Of folders alone: a million files lie in few of them."""
    return _within(os.path.realpath(folder), os.path.realpath(root))
