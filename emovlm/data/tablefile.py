"""Read a csv or a JSON-lines table as it was written: every cell is text, every row knows its file and line.

The csv module, never a reader that guesses types: `001` stays `001`, and `NA`, `None` and `no` stay words.
"""

from __future__ import annotations

import csv
import functools
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emovlm import UserError

# Columns whose JSON numbers are turned into text as they were written.
_AS_TEXT = ("id", "subject", "source", "split", "text", "answer")


def read_csv(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """(row, place) of a comma-separated file with a header. Raises UserError for anything irregular."""
    text = _text(path)
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise UserError(f"{path}:{line}: holds a zero byte, so it is damaged or no text; save it as UTF-8")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if not any(header):
            raise UserError(f"{path}: is empty; the first line must name the columns")
        if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
            raise UserError(f"{path}:1: only one column, '{header[0]}'; separate the columns by commas")
        for name in header:
            if not name or header.count(name) > 1:
                raise UserError(f"{path}:1: column name '{name}' is empty or given twice")
        for cells in reader:
            place = f"{path}:{reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise UserError(
                    f"{place}: {len(cells)} cells for {len(header)} columns; quote a cell with a comma in it"
                )
            yield {name: cell.strip() for name, cell in zip(header, cells, strict=True)}, place
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num}: is no regular csv ({error})") from None


def read_jsonl(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """(row, place) of a file with one JSON object a line. Raises UserError for anything irregular."""
    name = str(path)
    for line_number, line in enumerate(_lines(path), start=1):
        if line.isspace():
            continue
        place = f"{name}:{line_number}"
        if "\\u0000" in line:
            raise UserError(f"{place}: holds a zero character, which no text has; remove it")
        try:
            row = _DECODER.decode(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{place}: is no valid JSON ({error})") from None
        if not isinstance(row, dict):
            raise UserError(f"{place}: a row must be an object, {{...}}; this is {type(row).__name__}")
        names, texts = _columns(tuple(row))
        numbers = [key for key in texts if type(row[key]) in (int, float)]
        if numbers:
            written = json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
            row.update({key: written[key] for key in numbers})
        if names:
            if len(set(names)) != len(names):
                keys = ", ".join(map(repr, row))
                raise UserError(f"{place}: two keys differ in blanks alone ({keys}); keep one of them")
            row = dict(zip(names, row.values(), strict=True))
        yield row, place


@functools.lru_cache(maxsize=10_000)
def _columns(keys: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """(the names without blanks around them, if any has some; the keys whose numbers are text). Rows are alike."""
    names = [key.strip() for key in keys]
    return [] if names == list(keys) else names, [key for key in keys if key in _AS_TEXT]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key '{next(key for key in keys if keys.count(key) > 1)}' is given twice")
    return row


_DECODER = json.JSONDecoder(object_pairs_hook=_once)


def _lines(path: Path) -> Iterator[str]:
    """Cut at line feeds alone, and one at a time: a file of a million is never whole in memory."""
    start, number = 0, 1
    try:
        with path.open("rb") as file:
            for line in file:
                yield line.decode("utf-8" if start else "utf-8-sig")
                start, number = start + len(line), number + 1
    except UnicodeDecodeError as error:
        raise _no_utf8(path, number, start + error.start) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_utf8(path, error.object[: error.start].count(b"\n") + 1, error.start) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def _no_utf8(path: Path, line: int, byte: int) -> UserError:
    return UserError(f"{path}:{line}: is not UTF-8 (byte {byte}); save it as UTF-8")
