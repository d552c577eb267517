"""A row's clip through the frame policy that the recipe names: the one way from a row to pixels."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from emovlm import UserError, lookup
from emovlm.frames import cache as caches
from emovlm.frames import crop, decode
from emovlm.frames.cache import Cache, Part
from emovlm.frames.clip import Choose, Clip

if TYPE_CHECKING:
    from emovlm.recipe import Frames

# What a policy may know of a row. Not its label: a choice of frames that depends on it would give the answer away.
ANNOTATIONS = ("onset_s", "apex_s", "offset_s", "action_units", "box")
# Of the small frames that a policy looks at: 85 x 48 of a wide clip.
THUMBNAIL_PIXELS = 4096
TO_GREY = np.full(3, 1 / 3, np.float32)

Policy = Callable[..., np.ndarray]
# (times_s_T, span_s, the policy's indices_K) -> the indices of the frames that are to be read as well.
Also = Callable[[np.ndarray, tuple[float, float], np.ndarray], np.ndarray]


def look(row: Mapping[str, Any], frames: Frames, key: tuple[int, int, str] | None, also: Also | None = None) -> Clip:
    """Choose and decode the frames of one row.

    key: (seed, epoch, id), the only randomness of a policy; None where a model is scored, which is not random. also:
    what is to be read beside the policy's choice; it may be asked several times, and the last time counts. Raises
    ClipError for a file that cannot be read, UserError for a policy that breaks its contract.
    """
    asked = _prepare(row, frames, key)
    choose = functools.partial(_with_more, asked.choose, also) if also else asked.choose
    return caches.read(asked.cache, asked.part, choose, max_pixels=frames.max_pixels, every=asked.is_random)


@dataclass(frozen=True)
class Glance:
    """What `look` would choose. times_s_T: of all frames there are; whole: `frames.crop: face` found no face."""

    times_s_T: np.ndarray
    span_s: tuple[float, float]
    indices_T: np.ndarray
    timed: bool
    whole: bool


def glance(row: Mapping[str, Any], frames: Frames, key: tuple[int, int, str] | None) -> Glance:
    """The choice of `look` without its pixels, for surveys: by decode.glance, unless the policy has to look."""
    asked = _prepare(row, frames, key)
    whole = asked.part.crop is None
    if not asked.looks:
        part = asked.part
        times_s_T, span_s, timed = decode.glance(part.media, start_s=part.start_s, end_s=part.end_s, fps=part.fps)
        return Glance(times_s_T, span_s, asked.choose(times_s_T, span_s), timed, whole)
    last: list[Any] = []

    def remember(times_s_T: np.ndarray, span_s: tuple[float, float]) -> np.ndarray:
        last[:] = times_s_T, span_s, asked.choose(times_s_T, span_s)
        return last[2]

    clip = caches.read(asked.cache, asked.part, remember, max_pixels=THUMBNAIL_PIXELS, rough=True)
    return Glance(*last, timed=clip.timed, whole=whole)


@dataclass(frozen=True)
class _Asked:
    """All that is settled before the frames of a row are chosen."""

    cache: Cache | None
    part: Part
    choose: Choose
    looks: bool
    is_random: bool


def _prepare(row: Mapping[str, Any], frames: Frames, key: tuple[int, int, str] | None) -> _Asked:
    cache = None if frames.cache is None else caches.at(frames.cache, frames.cache_gb)
    part = Part(row["media"], row.get("start_s"), row.get("end_s"), fps=row.get("fps"))
    cut = crop.cut_of(row, part, frames.crop, frames.crop_margin, cache)
    part = replace(part, crop=cut.box)
    policy = lookup.resolve(lookup.POLICY, frames.pick)
    thumbnails_THW = None
    if needs(policy, "thumbnails"):
        small = caches.read(cache, part, _all, max_pixels=THUMBNAIL_PIXELS, rough=True)
        thumbnails_THW = crop.without_eyes(small.frames_THWC.astype(np.float32) @ TO_GREY, cut)
    given = {name: row[name] for name in ANNOTATIONS if row.get(name) is not None}
    supplied = {"annotations": given, "key": key, "thumbnails": thumbnails_THW}
    choose = functools.partial(_checked, policy, frames, row["id"], supplied)
    is_random = key is not None and needs(policy, "key")
    return _Asked(cache, part, choose, looks=thumbnails_THW is not None, is_random=is_random)


def needs(policy: Policy, name: str) -> bool:
    """Whether a policy takes `thumbnails` or `key` without a default: it looks, or is random."""
    parameter = inspect.signature(policy).parameters.get(name)
    return parameter is not None and parameter.default is inspect.Parameter.empty


def _all(times_s_T: np.ndarray, _span_s: tuple[float, float]) -> np.ndarray:
    return np.arange(len(times_s_T))


def _with_more(choose: Choose, also: Also, times_s_T: np.ndarray, span_s: tuple[float, float]) -> np.ndarray:
    own_K = choose(times_s_T, span_s)
    return np.union1d(own_K, also(times_s_T, span_s, own_K))


def _checked(
    policy: Policy,
    frames: Frames,
    row_id: str,
    supplied: dict[str, Any],
    times_s_T: np.ndarray,
    span_s: tuple[float, float],
) -> np.ndarray:
    seen = supplied["thumbnails"]
    if seen is not None and len(seen) != len(times_s_T):
        return np.array([0])  # asked on a guess at the times that decoding has proven wrong: it will be asked again
    try:
        found = policy(times_s_T, span_s, **frames.args, **supplied)
    except UserError as error:
        raise UserError(f"row {row_id}: {error}") from None
    indices_T = np.asarray(found)
    whole = indices_T.ndim == 1 and indices_T.size > 0 and np.issubdtype(indices_T.dtype, np.integer)
    if not whole or np.any(np.diff(indices_T) <= 0) or indices_T[0] < 0 or indices_T[-1] >= len(times_s_T):
        raise UserError(
            f"frames.pick: {frames.pick} gave {found!r} for {len(times_s_T)} frames; a policy returns at least one "
            "index, whole numbers, strictly ascending, each below the number of frames"
        )
    return indices_T
