"""The test splits of all folds together. Two numbers come of them, which differ and are named: over all clips as one
set ("pooled over folds"), and the mean of each fold's own ("mean of folds"). Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from emovlm import UserError
from emovlm.data.folds import ids_hash
from emovlm.evaluate.predictions import Predictions

POOLED, MEAN = "pooled over folds", "mean of folds"
# What is each fold's own, where all else was done alike: of the header, and of its protocol.
OF_A_FOLD = ("recipe_hash", "prior", "protocol")
OF_A_FOLD_PROTOCOL = ("fold", "num_rows", "ids_hash", "left_out")


def pool(parts: Sequence[Predictions]) -> Predictions:
    """All rows, fold after fold, each clip tested once. Raises UserError: an id in two folds, folds not scored alike.

    The header is the first fold's; `recipe_hash`, `prior` and the protocol's `fold` list those of all folds.
    """
    assert parts, "there is a fold"
    fold_of: dict[str, Any] = {}
    for number, part in enumerate(parts, start=1):
        _check_alike(parts[0], part, number)
        for row in part.rows:
            first = fold_of.setdefault(row["id"], number)
            if first != number:
                raise UserError(
                    f"id '{row['id']}' is in the test of two folds ({_name(parts[first - 1], first)} and "
                    f"{_name(part, number)}); pool the folds of one division, each of them once"
                )
    headers = [part.header for part in parts]
    protocol = headers[0]["protocol"] | {
        "fold": [header["protocol"].get("fold") for header in headers],
        "num_rows": len(fold_of),
        "ids_hash": ids_hash(fold_of),
    }
    left_out = sum((Counter(header["protocol"].get("left_out")) for header in headers), Counter())
    protocol |= {"left_out": dict(left_out)} if left_out else {}
    own = {key: [header.get(key) for header in headers] for key in ("recipe_hash", "prior")}
    return Predictions({**headers[0], **own, "protocol": protocol}, [row for part in parts for row in part.rows])


def over_folds(parts: Sequence[Predictions], score: Callable[[Predictions], float]) -> dict[str, float]:
    """{POOLED: score, MEAN: score}, without the mean where it would be no score of the method."""
    found = {POOLED: score(pool(parts))}
    if has_mean(parts):
        found[MEAN] = float(np.mean([score(part) for part in parts]))
    return found


def has_mean(parts: Sequence[Predictions]) -> bool:
    """Whether folds are small copies of the whole, so that the mean of their scores says something.

    Not where a fold lacks a class (its UAR is then over others than the next fold's), nor where it tests one subject:
    of leave-one-subject-out only the pooled score is given (compare Forman and Scholz 2010 on F1 over folds).
    """
    subjects = [{row.get("subject") for row in part.rows} for part in parts]
    if any(len(names) == 1 and None not in names for names in subjects):
        return False
    classes = [{row["target"] for row in part.rows} - {None} for part in parts]
    return all(of_fold == classes[0] for of_fold in classes)


def _check_alike(first: Predictions, part: Predictions, number: int) -> None:
    ours, theirs = _shared(first.header), _shared(part.header)
    for key in sorted(ours.keys() | theirs.keys()):
        if ours.get(key) != theirs.get(key):
            raise UserError(
                f"{_name(part, number)} was scored otherwise than {_name(first, 1)}: {key} {theirs.get(key)!r}, not "
                f"{ours.get(key)!r}; score all folds alike"
            )


def _shared(header: dict[str, Any]) -> dict[str, Any]:
    plain = {key: value for key, value in header.items() if key not in OF_A_FOLD}
    plain |= {key: value for key, value in header["protocol"].items() if key not in OF_A_FOLD_PROTOCOL}
    # The numbers of a prior are estimated fold by fold, its kind is chosen.
    return plain | {"prior": (header.get("prior") or {}).get("kind")}


def _name(part: Predictions, number: int) -> str:
    return f"fold {part.header['protocol'].get('fold') or number}"
