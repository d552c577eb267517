"""Rows that a source leaves out, said and counted."""

from __future__ import annotations

import warnings
from collections.abc import Mapping


class LeftOut(UserWarning):
    """One line of `tell`."""


def tell(source: str, total: int, reasons: Mapping[str, int]) -> None:
    """Warn that of `total` rows some are left out. reasons: why -> how many; nothing is said where there are none."""
    told = ", ".join(f"{number} {why}" for why, number in reasons.items() if number)
    if told:
        warnings.warn(f"data.source: {source}: of {total} rows left out: {told}", LeftOut, stacklevel=3)
