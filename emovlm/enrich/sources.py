"""Texts that no describer gave. Each public function is a source, named in `enrich.source`.

`(row, seen, **args) -> {gap: texts}`. Unlike a describer a source may read the row, and so may spell the answer.
seen(): the times of the clip's frames and gaps (sight.Seen, without pixels).
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from emovlm import UserError
from emovlm.enrich import units
from emovlm.enrich.sight import Seen
from emovlm.prompts.arrangement import WHOLE, GapTexts

_UNIT = re.compile(r"[A-Za-z]*(\d+)[A-Za-z]*(?:\s*=\s*([0-9.]+))?")
WHOLE_CLIP = "whole"


def file(row: Mapping[str, Any], seen: Callable[[], Seen], *, path: str) -> GapTexts:
    """Texts of a JSON file {id: {gap: text or [texts]}}; gap k lies between frames k and k + 1, "whole" is the clip."""
    content = _content(path)
    if row["id"] not in content:
        raise UserError(f"enrich.path: {path}: no texts for the id '{row['id']}'; every clip needs an entry, if empty")
    gaps = content[row["id"]]
    try:
        by_gap = {
            WHOLE if gap == WHOLE_CLIP else int(gap): [found] if isinstance(found, str) else list(found)
            for gap, found in gaps.items()
        }
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(f"enrich.path: {path}: '{row['id']}': {{gap number: text}} is expected") from error
    if not all(isinstance(text, str) and text.strip() for found in by_gap.values() for text in found):
        raise UserError(f"enrich.path: {path}: '{row['id']}': a text is expected for every gap; leave out empty ones")
    return by_gap


def true_units(row: Mapping[str, Any], seen: Callable[[], Seen]) -> GapTexts:
    """The annotated action units as a perfect describer would tell them: an oracle, for studies.

    Needs `action_units` ("AU1", "AU12=0.6") with `onset_s`, `apex_s` and `offset_s`; a row without units does not move.
    A unit rises from onset to apex and falls to offset, both in a straight line.
    """
    strengths = _annotated(row)
    looked = seen()
    if strengths and not looked.timed:
        raise UserError(f"row {row['id']}: true_units needs a video; pictures have no clock")

    def levels(time_s: float) -> dict[int, float]:
        share = float(np.interp(time_s, *_ramp(row))) if strengths else 0.0
        return {unit: share * strength for unit, strength in strengths.items()}

    own_s = looked.own.times_s_T
    found: dict[int, list[str]] = {}
    for gap, frames in looked.between.items():
        each = [levels(time_s) for time_s in frames.times_s_T]
        levels_T = {unit: np.array([level[unit] for level in each]) for unit in strengths}
        before, after = (levels(own_s[k]) if 0 <= k < len(own_s) else None for k in (gap, gap + 1))
        found[gap] = [units.told(levels_T, frames.times_s_T, before, after, None)]
    return found


def _annotated(row: Mapping[str, Any]) -> dict[int, float]:
    """Unit -> strength at the apex, 1 where none is given; units that are not in the table of words are left out."""
    found: dict[int, float] = {}
    for text in row.get("action_units") or ():
        match = _UNIT.fullmatch(text.strip())
        if match is None:
            raise UserError(f"row {row['id']}: action unit '{text}' cannot be read; expected such as AU12 or AU12=0.6")
        found[int(match[1])] = float(match[2] or 1)
    return {unit: strength for unit, strength in found.items() if unit in units.WORDS}


def _ramp(row: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    moments_s = [row.get(name) for name in ("onset_s", "apex_s", "offset_s")]
    if any(moment_s is None for moment_s in moments_s):
        raise UserError(f"row {row['id']}: true_units needs onset_s, apex_s and offset_s beside action_units")
    return [float(moment_s) for moment_s in moments_s if moment_s is not None], [0.0, 1.0, 0.0]


@functools.lru_cache(maxsize=8)
def _content(path: str) -> dict[str, Any]:
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"enrich.path: {path}: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"enrich.path: {path}: {{id: {{gap: text}}}} is expected")
    return content
