"""Class names: text that identifies a class. A bare number is no name, and nothing is guessed about one."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Collection, Mapping
from typing import Any

from emovlm import UserError

_BARE_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def class_name(written: Any, place: str, names: Mapping[str, str] | None = None) -> str | None:
    """The class that a cell, a folder name or a JSON value spells; None where it is empty (an unlabelled row).

    names: number (or other code) as written -> class name. Raises UserError for a number without such a table, for a
    boolean and for anything else that is no text.
    """
    if written is None:
        return None
    if isinstance(written, bool) or not isinstance(written, str | int | float):
        raise UserError(f"{place}: label {written!r} is no text; write the class name in quotes")
    text = str(written).strip()
    if names is not None:
        if text in names:
            return names[text]
        if not isinstance(written, str) or is_bare_number(text):
            raise UserError(f"{place}: label {text} is not in the table `names` ({', '.join(names)})")
        return text or None
    if not isinstance(written, str) or is_bare_number(text):
        raise UserError(
            f"{place}: label {text} is a bare number; write the class name, or give the table data.names: "
            f"{{'{text}': <class name>, ...}}"
        )
    return text or None


def name_table(names: Mapping[Any, Any] | None) -> dict[str, str] | None:
    """The `names` argument of a source with every code as text. Raises UserError for a name that is no name."""
    if names is None:
        return None
    table = {}
    for code, name in names.items():
        if isinstance(code, bool) or not isinstance(name, str) or not name.strip() or is_bare_number(name.strip()):
            raise UserError(f"data.names: {code!r}: {name!r}: both must be text, and the name no number; use quotes")
        table[str(code).strip()] = name.strip()
    return table


@functools.lru_cache(maxsize=10_000)
def is_bare_number(text: str) -> bool:
    return _BARE_NUMBER.fullmatch(text) is not None


def check_classes(classes: Collection[Any]) -> list[str]:
    """The class order that a recipe gives, checked: distinct names, no numbers, no booleans."""
    if not classes:
        raise UserError("data.classes: is empty; name the classes, or leave it out to take those of the rows")
    checked: list[str] = []
    for name in classes:
        if not isinstance(name, str) or is_bare_number(name.strip()) or not name.strip():
            raise UserError(
                f"data.classes: {name!r} is no class name; write names, in quotes where YAML reads them else"
            )
        checked.append(name.strip())
    _refuse_twins(checked, "data.classes")
    return checked


def class_order(labels: Collection[str], place: str) -> list[str]:
    """The order of classes for a set that names none: alphabetical, so that it depends on nothing else."""
    order = sorted(set(labels))
    _refuse_twins(order, place)
    return order


def unknown_label(label: str, classes: list[str], place: str) -> UserError:
    close = difflib.get_close_matches(label, classes, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"allowed: {', '.join(classes)}"
    return UserError(f"{place}: label '{label}' is not one of data.classes; {hint}")


def _refuse_twins(names: list[str], place: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.setdefault(name.casefold(), name)
        if twin == name and names.count(name) > 1:
            raise UserError(f"{place}: class '{name}' is given twice")
        if twin != name:
            raise UserError(f"{place}: classes '{twin}' and '{name}' differ only in case; spell them alike")
