"""What the layouts of micro-expression sets are made of: folders of numbered frames, and spreadsheets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import openpyxl

from . import picture


def film(folder: Path, name: str, numbers: Iterable[int]) -> None:
    """Frames whose names are `name` with their number in it."""
    for number in numbers:
        picture(folder / name.format(number))


def workbook(path: Path, sheets: Mapping[str, list[list[Any]]]) -> Path:
    """An .xlsx; its numbers are numbers, so that they come back as such."""
    path.parent.mkdir(parents=True, exist_ok=True)
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, lines in sheets.items():
        page = book.create_sheet(name)
        for line in lines:
            page.append(line)
    book.save(path)
    return path
