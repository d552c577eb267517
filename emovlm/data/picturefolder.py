"""Pictures that a list names, in one folder of a data set."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from emovlm import UserError
from emovlm.data.mediafiles import located


def find_pictures(listed: Sequence[tuple[str, str]], folder: Path) -> list[str]:
    """The file of each (name, place); a name may hold /. Folders are listed once: a set may have 400,000 pictures.

    Raises UserError that names the first picture which is not there, and how many more are not; and for a name that
    leads out of the folder.
    """
    top, there = str(folder.absolute()), dict[str, frozenset[str]]()
    if not folder.is_dir():
        raise UserError(f"{listed[0][1] if listed else folder}: there is no folder {folder}; add it")
    paths, missing = [], []
    for name, place in listed:
        path = located(top, name, place, top, outside=False)
        parent, file = os.path.split(path)
        if parent not in there:
            there[parent] = frozenset(os.listdir(parent)) if os.path.isdir(parent) else frozenset()
        if file not in there[parent]:
            missing.append((name, place))
        paths.append(path)
    if missing:
        name, place = missing[0]
        more = f" (nor are {len(missing) - 1} more of {len(listed)})" if len(missing) > 1 else ""
        raise UserError(
            f"{place}: names '{name}', which is not in {folder}{more}; complete the folder, or take these lines out of "
            "the list"
        )
    return paths
