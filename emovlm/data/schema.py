"""The columns of a row, their types, and the checks that every row of every source passes.

A row is a dict as a source gives it; `PLACE` is where it was written (`metadata.csv:12`), for messages alone.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from emovlm import UserError

PLACE = "_place"
SPLITS = ("train", "validation", "test")
TEXTS = ("id", "subject", "source", "text", "answer", "track")
SECONDS = ("start_s", "end_s", "onset_s", "apex_s", "offset_s", "half_onset_s", "half_offset_s")
# `fps`: of pictures that are the frames of a film, so that their times are seconds.
KNOWN = ("id", "media", "label", "soft_label", "split", *TEXTS[1:], *SECONDS, "fps", "action_units", "box")
# Given as a text, a list of these is cut at blanks, commas, semicolons and plus signs: "AU6+AU12".
_UNIT_CUT = re.compile(r"[\s,;+]+")
_NUMBERS_CUT = re.compile(r"[\s,;]+")


def check_row(row: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The row with every known column in its type and without empty values. Raises UserError naming place and column.

    Blanks around text are stripped and an empty text is no value; `None`, `NA`, `null` and `no` are text like others.
    `label` is left to labels.py and stays as it is.
    """
    checked: dict[str, Any] = {}
    for column, value in row.items():
        if not isinstance(column, str):
            continue
        typed = _TYPES.get(column)
        if typed is None and (ours := _misspelt(column)):
            raise UserError(f"{place}: column '{column}' would be ignored; did you mean '{ours}'? rename it")
        # Texts, most of what there is, cost no call: rows come by the million.
        if isinstance(value, str):
            value = value.strip()
            if not value:
                continue
            typed = None if typed is _text else typed
        elif value is None:
            continue
        checked[column] = value if typed is None else typed(value, column, place)
    checked.pop(PLACE, None)
    for column in ("id", "media"):
        if not checked.get(column):
            raise UserError(f"{place}: no {column}; every row needs one (columns here: {', '.join(checked) or 'none'})")
    if checked.get("split", SPLITS[0]) not in SPLITS:
        raise UserError(f"{place}: split '{checked['split']}' is unknown; allowed: {', '.join(SPLITS)}")
    if not checked.keys().isdisjoint(SECONDS):
        _check_times(checked, place)
    return checked


@functools.lru_cache(maxsize=10_000)
def _misspelt(column: str) -> str | None:
    """The known column that this one equals but for capitals: test rows of a `Split` would be trained on."""
    return None if column in KNOWN else next((name for name in KNOWN if name == column.casefold()), None)


def _text(value: Any, column: str, place: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UserError(f"{place}: {column} {value!r} is no text")
    return str(value)


def _media(value: Any, column: str, place: str) -> list[str]:
    media = [value] if isinstance(value, str) else value
    if not isinstance(media, list) or "" in media or {*map(type, media)} - {str}:
        raise UserError(f"{place}: {column} {value!r} must be a path or a list of paths")
    return media


def _fps(value: Any, column: str, place: str) -> float:
    rate = number(value, column, place)
    if rate <= 0:
        raise UserError(f"{place}: {column} {value!r} must be above 0: pictures a second")
    return rate


def _units(value: Any, column: str, place: str) -> list[str]:
    units = [unit for unit in _UNIT_CUT.split(value) if unit] if isinstance(value, str) else value
    if not isinstance(units, list) or not all(isinstance(unit, str) for unit in units):
        raise UserError(f"{place}: {column} {value!r} must be a list of texts such as AU6, AU12")
    return units


def _box(value: Any, column: str, place: str) -> list[float]:
    box = [number(part, column, place) for part in _parts(value)]
    if len(box) != 4:
        raise UserError(f"{place}: {column} {value!r} must be four numbers")
    return box


def _soft_label(value: Any, column: str, place: str) -> Any:
    return value if isinstance(value, Mapping) else [number(part, column, place) for part in _parts(value)]


def _parts(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [part for part in _NUMBERS_CUT.split(value.strip("[]() ")) if part]
    return list(value) if isinstance(value, list | tuple) else [value]


def number(value: Any, column: str, place: str) -> float:
    """A finite number from a cell or a JSON value. Raises UserError."""
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise UserError(f"{place}: {column} {value!r} is not a number; leave it empty where it is not known")
    return found


# Column -> (value, column, place) -> the value in its type; other columns stay as they are.
_TYPES: dict[str, Callable[[Any, str, str], Any]] = {
    **dict.fromkeys((*TEXTS, "split"), _text),
    **dict.fromkeys(SECONDS, number),
    "media": _media,
    "fps": _fps,
    "action_units": _units,
    "box": _box,
    "soft_label": _soft_label,
}


def _check_times(row: dict[str, Any], place: str) -> None:
    if row.get("start_s", 0) < 0:
        raise UserError(f"{place}: start_s {row['start_s']} lies before the clip; seconds count from its first frame")
    for earlier, later, strict in (
        ("start_s", "end_s", True),
        ("onset_s", "apex_s", False),
        ("apex_s", "offset_s", False),
        ("half_onset_s", "half_offset_s", True),
    ):
        if earlier not in row or later not in row:
            continue
        if row[later] < row[earlier] or (strict and row[later] == row[earlier]):
            raise UserError(f"{place}: {later} {row[later]} does not come after {earlier} {row[earlier]}")


def check_soft_label(value: Any, classes: list[str], place: str) -> list[float]:
    """Shares in class order, from a list or from {class name: share}. Raises UserError unless they sum to 1."""
    if isinstance(value, Mapping):
        for name in value:
            if name not in classes:
                raise UserError(
                    f"{place}: soft_label names '{name}', which is not in data.classes: {', '.join(classes)}"
                )
        value = [number(value.get(name, 0), "soft_label", place) for name in classes]
    if len(value) != len(classes):
        raise UserError(
            f"{place}: soft_label has {len(value)} numbers for {len(classes)} classes ({', '.join(classes)})"
        )
    if min(value) < 0 or abs(sum(value) - 1) > 1e-3:
        raise UserError(
            f"{place}: soft_label sums to {sum(value):g}; give shares that sum to 1 (votes over their number)"
        )
    return value


def features(columns: list[str], classes: list[str]) -> dict[str, Any]:
    """The `datasets` feature of each known column in `columns`; the others are for the caller to infer."""
    import datasets

    text, seconds = datasets.Value("string"), datasets.Value("float64")
    known: dict[str, Any] = {**dict.fromkeys(TEXTS, text), **dict.fromkeys(SECONDS, seconds)}
    known |= {
        "media": datasets.List(text),
        "label": datasets.ClassLabel(names=classes),
        "soft_label": datasets.List(seconds),
        "fps": seconds,
        "action_units": datasets.List(text),
        "box": datasets.List(seconds),
    }
    return {name: known[name] for name in columns if name in known}
