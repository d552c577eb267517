"""Clips that cannot be used are left out by a list, counted with their reasons; no clip takes the place of another.

`data.quarantine` names the list, JSON lines as `emovlm data check` writes them:

    {"id": "0007", "media": ["/data/clips/0007.mp4"], "reason": "truncated", "detail": "..."}
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from emovlm import UserError
from emovlm.data import checked
from emovlm.data.leftout import LeftOut
from emovlm.data.tablefile import read_jsonl

Row = Mapping[str, Any]
# Split -> reason -> rows.
Reasons = dict[str, dict[str, int]]


class Splits(dict[str, Any]):
    """Split name -> rows; `left_out`: what `data.quarantine` took out of each split."""

    def __init__(self, rows: Mapping[str, Any], left_out: Reasons | None = None):
        super().__init__(rows)
        self.left_out: Reasons = left_out or {}


def read(path: Path | None, ids: Iterable[str]) -> dict[str, str]:
    """Id -> reason of a list; empty without one. ids: of all rows. Raises UserError, also for an id that no row has."""
    if path is None:
        return {}
    if not path.is_file():
        raise UserError(f"data.quarantine: '{path}': no such file (from {Path.cwd()}); `emovlm data check` writes it")
    reasons: dict[str, str] = {}
    known = set(ids)
    for values, place in read_jsonl(path):
        name, reason = values.get("id"), values.get("reason")
        if not isinstance(name, str) or not isinstance(reason, str) or not reason.strip():
            raise UserError(f"{place}: a line of a quarantine needs an id and a reason, both text")
        if name not in known:
            raise UserError(
                f"{place}: id '{name}' is of no row; a quarantine belongs to the rows that were checked: run `emovlm "
                "data check RECIPE` again, or remove the line"
            )
        reasons[name] = reason.strip()
    return reasons


def apply(by_split: Mapping[str, Sequence[Row]], reasons: Mapping[str, str]) -> Splits:
    """The splits without the rows that `reasons` names; warns of how many (LeftOut).

    Raises UserError where nothing of a split is left.
    """
    kept = {name: [row for row in rows if row["id"] not in reasons] for name, rows in by_split.items()}
    left_out: Reasons = {}
    for name, rows in by_split.items():
        counts = Counter(reasons[row["id"]] for row in rows if row["id"] in reasons)
        if counts and not kept[name]:
            raise UserError(f"data.quarantine: takes all {len(rows)} rows out of the {name} split; mend the files")
        if counts:
            left_out[name] = dict(counts.most_common())
    if left_out:
        told = "; ".join(f"{name} {', '.join(f'{n} {why}' for why, n in by.items())}" for name, by in left_out.items())
        warnings.warn(f"data.quarantine: rows left out: {told}", LeftOut, stacklevel=2)
    return Splits(kept, left_out)


def refuse_known(by_split: Mapping[str, Sequence[Row]]) -> None:
    """Raises UserError for rows that a check found to be unreadable, unless their files have changed since."""
    rows = [row for part in by_split.values() for row in part]
    found = checked.faults(rows)
    if found:
        row, why = found[0]
        raise UserError(
            f"data: {len(found)} of {len(rows)} rows cannot be read, as `emovlm data check` found (the first: "
            f"'{row['id']}', {why}); mend the files, or set data.quarantine to the quarantine.jsonl that it wrote"
        )
