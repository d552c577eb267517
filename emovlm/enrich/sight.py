"""What can be seen of a clip for its texts: chosen frames, frames in between, first frames.

`see` reads the pixels. `Seen` is the same without pixels: times, and a digest of each frame. It is kept on disk under
the digest of the file and of the choice, so that the texts of a clip that was seen once are found without decoding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emovlm import UserError, lookup
from emovlm.enrich import gaps, identities
from emovlm.enrich.cache import digest, file_digests, frame_digests
from emovlm.frames import cache as caches
from emovlm.frames.clip import ClipError
from emovlm.frames.look import ANNOTATIONS, look, needs
from emovlm.prompts.arrangement import DenseClip

if TYPE_CHECKING:
    from emovlm.recipe import Recipe

VERSION = 1


@dataclass(frozen=True)
class Frames:
    """pixels_THWC: None where only the digests are known."""

    times_s_T: np.ndarray
    digests_T: tuple[str, ...]
    pixels_THWC: np.ndarray | None = None

    def frames_THWC(self) -> np.ndarray:
        assert self.pixels_THWC is not None, "was read from the cache, without pixels"
        return self.pixels_THWC

    def part(self, places: list[int]) -> Frames:
        digests = tuple(self.digests_T[place] for place in places)
        return Frames(self.times_s_T[places], digests, self.frames_THWC()[places])


@dataclass(frozen=True)
class Seen:
    """own: the policy's frames. between: gap -> frames. reference: the clip's own first frames."""

    timed: bool
    own: Frames
    between: Mapping[int, Frames]
    reference: Frames

    def record(self) -> dict[str, Any]:
        """As JSON, without pixels."""
        between = {str(gap): _record(frames) for gap, frames in self.between.items()}
        return {
            "timed": self.timed,
            "own": _record(self.own),
            "between": between,
            "reference": _record(self.reference),
        }


def of_record(record: Mapping[str, Any]) -> Seen:
    """The inverse of `Seen.record`."""
    between = {int(gap): _frames(frames) for gap, frames in record["between"].items()}
    return Seen(record["timed"], _frames(record["own"]), between, _frames(record["reference"]))


def key(row: Mapping[str, Any], recipe: Recipe) -> str:
    """Of everything that decides what is seen, the decoders with it; the path and the name are no part of it.

    Raises ClipError for a file that cannot be read.
    """
    frames = recipe.frames.model_dump(mode="json", exclude={"input", "cache", "cache_gb"})
    named = ["start_s", "end_s", "fps"]
    if needs(lookup.resolve(lookup.POLICY, recipe.frames.pick), "annotations"):
        named += ANNOTATIONS
    by_box = frames.get("crop") == "box"
    told = {name: row[name] for name in (*named, *(["box"] if by_box else [])) if row.get(name) is not None}
    try:
        files = file_digests(row["media"])
        track = file_digests([row["track"]]) if by_box and row.get("track") else []
    except OSError as error:
        raise ClipError(f"{error.filename}: {error.strerror}") from error
    landmarker = identities.landmarker() if frames.get("crop") == "face" else None
    code = [VERSION, caches.VERSION, gaps.REFERENCE_S, gaps.MOST_REFERENCE]
    return digest([code, files, track, told, landmarker, frames, _gap_settings(recipe)])


def see(row: Mapping[str, Any], recipe: Recipe) -> Seen:
    """Decode the frames of one row. Raises ClipError.

    For the control `texts_of_keyframes` the nearest chosen frames stand in the gaps.
    """
    choice = _Choice(recipe, with_reference=True)
    clip = look(row, recipe.frames, (recipe.seed, 0, row["id"]), also=choice)

    def frames(indices: np.ndarray) -> Frames:
        places = np.searchsorted(choice.indices, indices)
        pixels_THWC = clip.frames_THWC[places]
        return Frames(clip.times_s_T[places], tuple(frame_digests(pixels_THWC)), pixels_THWC)

    between = {gap: frames(indices) for gap, indices in choice.between.items()}
    return Seen(clip.timed, frames(choice.own_K), between, frames(choice.reference))


def dense_clip(row: Mapping[str, Any], recipe: Recipe, key: tuple[int, int, str] | None) -> DenseClip:
    """The policy's frames and those in between, as one clip. key: the policy's. Raises ClipError."""
    choice = _Choice(recipe, with_reference=False)
    clip = look(row, recipe.frames, key, also=choice)

    def places(indices: np.ndarray) -> tuple[int, ...]:
        return tuple(np.searchsorted(choice.indices, indices).tolist())

    between = {gap: places(indices) for gap, indices in choice.between.items()}
    return DenseClip(**vars(clip), own_K=places(choice.own_K), between=between)


def check_fixed(recipe: Recipe) -> None:
    """Raises UserError for a policy that chooses other frames in every epoch: texts stand between fixed ones."""
    if needs(lookup.resolve(lookup.POLICY, recipe.frames.pick), "key"):
        raise UserError(
            f"frames.pick: {recipe.frames.pick} chooses other frames in every epoch, and texts stand between fixed "
            "ones; take a policy without chance, such as uniform"
        )


class _Choice:
    """Asked for the in-between frames while a clip is read; afterwards it knows what was chosen (the last time)."""

    def __init__(self, recipe: Recipe, *, with_reference: bool):
        assert recipe.enrich, "a recipe without enrich: has no gaps"
        self.asked, self.with_reference = recipe.enrich, with_reference
        self.own_K = self.reference = self.indices = np.array([], dtype=np.int64)
        self.between: dict[int, np.ndarray] = {}

    def __call__(self, times_s_T: np.ndarray, span_s: tuple[float, float], own_K: np.ndarray) -> np.ndarray:
        asked = self.asked
        ends = {"before_first": asked.before_first, "after_last": asked.after_last}
        self.own_K = own_K
        self.between = gaps.between(times_s_T, span_s, own_K, asked.frames_per_gap, **ends)
        if asked.control == "texts_of_keyframes":
            self.between = gaps.nearest_chosen(times_s_T, own_K, self.between)
        self.reference = gaps.reference(times_s_T) if self.with_reference else own_K[:0]
        self.indices = np.unique(np.concatenate([own_K, *self.between.values(), self.reference]))
        return self.indices


def _gap_settings(recipe: Recipe) -> list[Any]:
    asked = recipe.enrich
    assert asked, "a recipe without enrich: has no gaps"
    return [asked.frames_per_gap, asked.before_first, asked.after_last, asked.control == "texts_of_keyframes"]


def _record(frames: Frames) -> dict[str, Any]:
    return {"times_s": frames.times_s_T.tolist(), "digests": list(frames.digests_T)}


def _frames(record: Mapping[str, Any]) -> Frames:
    return Frames(np.array(record["times_s"]), tuple(record["digests"]))
