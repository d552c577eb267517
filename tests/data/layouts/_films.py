"""What the layouts of micro-expression sets are made of: folders of numbered frames, spreadsheets, and damage."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import openpyxl

from . import picture


def film(folder: Path, name: str, numbers: Iterable[int]) -> None:
    """Frames whose names are `name` with their number in it."""
    for number in numbers:
        picture(folder / name.format(number))


def damaged(content: bytes, dice: random.Random) -> bytes:
    """Changed at up to four places: a byte, some lost, some put in, or cut off."""
    changed = bytearray(content)
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(changed) + 1)
        kind = dice.randrange(4)
        if kind == 0:
            changed[place : place + 1] = bytes([dice.randrange(256)])
        elif kind == 1:
            del changed[place : place + dice.randint(1, 40)]
        elif kind == 2:
            changed[place:place] = dice.choice(
                [b"\0", b'"', b"../", b"-1", b"1e999", b"\xff\xfe", b"NaN", b"\r\n", b"(("]
            )
        else:
            del changed[place:]
    return bytes(changed)


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
