"""Pictures that a list names, in one folder of a data set."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from emovlm.data.mediafiles import located, missing_file


def find_pictures(listed: Sequence[tuple[str, str]], folder: Path) -> list[str]:
    """The file of each (name, place); a name may hold /. Folders are listed once: a set may have 400,000 pictures.

    Raises UserError for a picture that is not there (see mediafiles.collecting) and for a name that leads out of the
    folder.
    """
    top, there = str(folder.absolute()), dict[str, frozenset[str]]()
    paths = []
    for name, place in listed:
        path = located(top, name, place, top)
        parent, file = os.path.split(path)
        if parent not in there:
            there[parent] = frozenset(os.listdir(parent)) if os.path.isdir(parent) else frozenset()
        if file not in there[parent]:
            missing_file(path, name, place)
        paths.append(path)
    return paths
