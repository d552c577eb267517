"""How numbers are written, the same in the terminal and on the page. nan: there is nothing to show."""

from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np

# A title, a value, and what stands small below it; a line of such is an arm's.
Textual = tuple[str, str, tuple[str, ...]]
Line = tuple[str, list[Textual]]


class Spanned(Protocol):
    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


def mean(values: Iterable[float | None]) -> float:
    """Of the values that are there; nan where none is."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else float("nan")


def number(value: float) -> str:
    """Three decimals; a dash where there is nothing to show (no clip of any such class)."""
    return "-" if np.isnan(value) else f"{value:.3f}"


def brief(value: float) -> str:
    """Like `number`, without the leading 0: four intervals side by side leave a terminal little room."""
    return number(value).removeprefix("0")


def chance(p: float) -> str:
    return "<0.001" if p < 0.0005 else f"{p:.3f}"


def signed(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:+.3f}"


def bracket(found: Spanned, shown: Callable[[float], str]) -> str:
    """ "[low, high]"; nothing where there is no interval."""
    return "" if np.isnan(found.low) else f"[{shown(found.low)}, {shown(found.high)}]"
