"""The terminal, or what stands in its place."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def stdout(width: int = 140) -> Console:
    """A pipe has no width, and a table folded to 80 columns could not be read: it gets `width` columns."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else width)
