"""predictions.jsonl, the border between models and numbers: a header line, then one line a row.

Everything after this file needs no GPU and no model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emovlm import UserError
from emovlm.data.folds import ids_hash
from emovlm.frames.coverage import event_of, num_hits
from emovlm.metrics.recognition import UNREADABLE
from emovlm.run import write_jsonl

FORMAT = 1


@dataclass(frozen=True)
class Predictions:
    """header: classes, scorer, prior, split, recipe_hash, protocol. rows: one dict a clip, in the order of the set."""

    header: dict[str, Any]
    rows: list[dict[str, Any]]

    @property
    def classes(self) -> list[str]:
        return self.header["classes"]

    def targets_N(self) -> np.ndarray:
        """Class index of each row's target, -1 where it has none."""
        index = {name: c for c, name in enumerate(self.classes)}
        return np.array([index.get(row["target"], -1) for row in self.rows], dtype=np.int64)

    def has_scores(self) -> bool:
        """False where the model wrote text, which rules have read."""
        return self.header["scorer"] != "generation"

    def log_probabilities(self) -> bool:
        """Whether the softmax of the scores is a distribution; a mean over tokens is none."""
        return self.has_scores() and self.header["protocol"].get("score") != "mean"

    def scores_NC(self) -> np.ndarray:
        return np.array([row["scores"] for row in self.rows])

    def predicted_N(self) -> np.ndarray:
        """The class with the largest score; of a text the class that was read, -1 where none could be."""
        if self.has_scores():
            return self.scores_NC().argmax(axis=1)
        index = {name: c for c, name in enumerate(self.classes)}
        return np.array([index.get(row["parsed"], UNREADABLE) for row in self.rows], dtype=np.int64)


def row_of(row: Mapping[str, Any], classes: Sequence[str], times_s: Sequence[float], **answer: Any) -> dict[str, Any]:
    """One line of the file. Only what was given to a scorer and what came out of it (`answer`).

    answer: `scores`, one a class; or of a scorer that writes `text`, `parsed` and `cut_off`. Beside the scores, where
    asked for: `raw` (before a prior was taken off), `blank` (of a clip that shows nothing), `look`, `orders`.
    """
    label = row.get("label")
    return {
        "id": row["id"],
        "target": None if label is None else classes[label],
        "soft_target": row.get("soft_label"),
        "subject": row.get("subject"),
        "source": row.get("source"),
        "media": row["media"],
        "start_s": row.get("start_s"),
        "end_s": row.get("end_s"),
        "fps": row.get("fps"),
        **{"scores": [], "text": None, "parsed": None, **answer},
        "times_s": [round(float(time_s), 6) for time_s in times_s],
        "hit": event_hit(row, times_s),
    }


def event_hit(row: Mapping[str, Any], times_s: Sequence[float]) -> bool | None:
    """Whether a chosen frame lies in the annotated event (coverage.event_of); None where none is annotated."""
    event = event_of(row)
    return None if event is None else num_hits(times_s, event) > 0


def write(path: Path, predictions: Predictions) -> None:
    write_jsonl(path, [{"format": FORMAT, **predictions.header}, *predictions.rows])


def read(path: Path) -> Predictions:
    """UserError naming the line: not JSON, no header, a missing or repeated id, an unknown class, a NaN score."""
    try:
        # Not splitlines: an id may hold U+2028, which is no line end in JSON lines.
        lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}; run `emovlm evaluate` first") from error
    parsed = [_parse(path, number, line) for number, line in enumerate(lines, start=1)]
    if not parsed or parsed[0].get("format") != FORMAT or not isinstance(parsed[0].get("classes"), list):
        raise UserError(f"{path}:1: no header line with format {FORMAT} and classes; is it a predictions file?")
    header, rows = parsed[0], parsed[1:]
    for key in ("scorer", "split", "protocol"):
        if key not in header:
            raise UserError(f"{path}:1: the header lacks '{key}'; run `emovlm evaluate` again")
    if not rows:
        raise UserError(f"{path}: holds no row")
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, start=2):
        row_id, scores = row.get("id"), row.get("scores")
        if not isinstance(row_id, str) or not row_id:
            raise UserError(f"{path}:{number}: the id is missing or no text")
        if row_id in seen:
            raise UserError(f"{path}:{number}: id '{row_id}' is already in line {seen[row_id]}")
        seen[row_id] = number
        if "target" not in row:
            raise UserError(f"{path}:{number}: the target is missing (null where a clip has none)")
        if row.get("target") is not None and row["target"] not in header["classes"]:
            raise UserError(f"{path}:{number}: class '{row['target']}' is not in the header ({header['classes']})")
        expected = 0 if header.get("scorer") == "generation" else len(header["classes"])
        if not isinstance(scores, list) or len(scores) != expected:
            raise UserError(f"{path}:{number}: {expected} scores are expected, one a class (none for generated text)")
        if row.get("parsed") is not None and row["parsed"] not in header["classes"]:
            raise UserError(f"{path}:{number}: parsed '{row['parsed']}' is not in the header ({header['classes']})")
        if not all(isinstance(score, int | float) and math.isfinite(score) for score in scores):
            raise UserError(f"{path}:{number}: a score is no finite number: {scores}")
    wanted = header["protocol"].get("num_rows", len(rows))
    if len(rows) != wanted or header["protocol"].get("ids_hash") not in (None, ids_hash(seen)):
        raise UserError(f"{path}: holds {len(rows)} rows, of {wanted} that were scored, or others; evaluate again")
    return Predictions({key: value for key, value in header.items() if key != "format"}, rows)


def _parse(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise UserError(f"{path}:{number}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}:{number}: an object is expected")
    return value
