"""Spreadsheets as data sets ship them: .xlsx, or the .csv that somebody exported from one. Every cell is text.

Excel keeps every number as a float: 46.0 is read as 46; what was typed as text stays (`01`, `006_1_2`). Such files
have notes above their header, columns without a name, and line breaks in names.
"""

from __future__ import annotations

import csv
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from emovlm import UserError

# What openpyxl raises for a damaged file is not documented in one place: met with files that were changed at random.
DAMAGED = (OSError, EOFError, zipfile.BadZipFile, zlib.error, ParseError, LookupError, ValueError, ArithmeticError)
DAMAGED += (TypeError, AttributeError, NotImplementedError)

# Ways to write that a frame is not known.
UNKNOWN = frozenset({"", "/", "-", "na", "nan", "none", "n/a", "?"})


def find_sheet(folder: Path, pattern: str, given: str | None = None) -> Path:
    """The one .xlsx or .csv in `folder` whose name begins with `pattern` (a glob), or the file `given`."""
    if given is not None:
        path = folder / given
        if not path.is_file():
            raise UserError(f"data.table: '{given}': there is no file {path}")
        return path
    found = sorted(path for suffix in ("xlsx", "csv") for path in folder.glob(f"{pattern}*.{suffix}"))
    found = [path for path in found if not path.name.startswith((".", "~"))]
    if len(found) != 1:
        listed = f" ({', '.join(path.name for path in found)})" if found else ""
        raise UserError(
            f"{folder}: holds {len(found) or 'no'} tables {pattern}*.xlsx or .csv{listed}; name the table in data.table"
        )
    return found[0]


def read_table(
    path: Path, columns: Mapping[str, Sequence[str]], *, optional: Sequence[str] = (), sheet: str | None = None
) -> Iterator[tuple[dict[str, str], str]]:
    """(row, place) of each line below the header, which is the first line that names all columns but the optional ones.

    columns: our name -> the spellings of it that are known; blanks, case and punctuation play no part. Lines that are
    empty in all these columns are left out. Raises UserError.
    """
    meant = {_plain(spelling): name for name, spellings in columns.items() for spelling in spellings}
    needed = [name for name in columns if name not in optional]
    lines = read_cells(path, sheet)
    where: dict[str, int] = {}
    for cells, _ in lines:
        where = {}
        for index, cell in enumerate(cells):
            if _plain(cell) in meant:
                where.setdefault(meant[_plain(cell)], index)
        if all(name in where for name in needed):
            break
    else:
        wanted = ", ".join(columns[name][0] for name in needed)
        raise UserError(f"{path}: no line names the columns {wanted}; is it the official table?")
    for cells, place in lines:
        row = {name: cells[index] if index < len(cells) else "" for name, index in where.items()}
        if any(row.values()):
            yield row, place


def read_cells(path: Path, sheet: str | None = None) -> Iterator[tuple[list[str], str]]:
    """(cells, place) of every line, also of empty ones. sheet: its name; by default the first. Raises UserError."""
    if path.suffix.lower() == ".csv":
        yield from (([_text(cell) for cell in cells], place) for cells, place in csv_cells(path))
    elif path.suffix.lower() == ".xlsx":
        yield from _xlsx_cells(path, sheet)
    else:
        raise UserError(f"{path}: only .xlsx and .csv are read; save it as one of them (in a spreadsheet program)")


def frame_number(text: str, name: str, place: str) -> int | None:
    """The number of a frame; None where the cell says that it is not known. Raises UserError."""
    if text.casefold() in UNKNOWN:
        return None
    if not re.fullmatch(r"-?\d{1,9}(\.0{1,9})?", text):
        raise UserError(
            f"{place}: {name} '{text}' is no number of a frame; correct it, or write / where it is not known"
        )
    return int(float(text))


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()


def csv_cells(path: Path) -> Iterator[tuple[list[str], str]]:
    """(the cells of a record as they are written, where it ends). Raises UserError naming the line."""
    line = 0
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            # strict: without it a quote that nothing closes takes all rows after it into one cell.
            reader = csv.reader(file, strict=True)
            for cells in reader:
                line = reader.line_num
                yield cells, f"{path}:{line}"
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except csv.Error as error:
        raise UserError(f"{path}:{line + 1}: cannot be read as csv ({error}); close its quotes") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read as csv ({error})") from None


def _xlsx_cells(path: Path, sheet: str | None) -> Iterator[tuple[list[str], str]]:
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        if sheet is not None and sheet not in book.sheetnames:
            raise UserError(f"{path}: has no sheet '{sheet}'; it has {', '.join(book.sheetnames)}")
        page = book.worksheets[0] if sheet is None else book[sheet]
        lines = [[_text(cell) for cell in cells] for cells in page.iter_rows(values_only=True)]
        book.close()
    except UserError:
        raise
    except (*DAMAGED, InvalidFileException) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: cannot be read as a spreadsheet ({reason}); save it anew") from None
    for number, cells in enumerate(lines, start=1):
        yield cells, f"{path}:{number}"


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return " ".join(str(cell).split())
