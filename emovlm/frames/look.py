"""A row's clip through the frame policy that the recipe names: the one way from a row to pixels."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from emovlm import UserError, lookup
from emovlm.frames import decode
from emovlm.frames.clip import Choose, Clip

if TYPE_CHECKING:
    from emovlm.recipe import Frames

# What a policy may know of a row. Not its label: a choice of frames that depends on it would give the answer away.
ANNOTATIONS = ("onset_s", "apex_s", "offset_s", "action_units", "box")

# (times_s_T, span_s, the policy's indices_K) -> the indices of the frames that are to be read as well.
Also: TypeAlias = Callable[[np.ndarray, tuple[float, float], np.ndarray], np.ndarray]


def look(row: Mapping[str, Any], frames: Frames, key: tuple[int, int, str], also: Also | None = None) -> Clip:
    """Choose and decode the frames of one row.

    key: (seed, epoch, id), the only randomness of a policy. also: what is to be read beside the policy's choice; it may
    be asked several times, and the last time counts. Raises ClipError for a file that cannot be read, UserError for a
    policy that breaks its contract.
    """
    annotations = {name: row[name] for name in ANNOTATIONS if row.get(name) is not None}
    policy = lookup.resolve(lookup.POLICY, frames.pick)
    choose = functools.partial(_checked, policy, frames.pick, dict(frames.args), annotations, key)
    if also:
        choose = functools.partial(_with_more, choose, also)
    return decode.read(
        row["media"], choose, start_s=row.get("start_s"), end_s=row.get("end_s"), max_pixels=frames.max_pixels
    )


def _with_more(choose: Choose, also: Also, times_s_T: np.ndarray, span_s: tuple[float, float]) -> np.ndarray:
    own_K = choose(times_s_T, span_s)
    return np.union1d(own_K, also(times_s_T, span_s, own_K))


def _checked(
    policy: Callable[..., np.ndarray],
    name: str,
    args: dict[str, Any],
    annotations: dict[str, Any],
    key: tuple[int, int, str],
    times_s_T: np.ndarray,
    span_s: tuple[float, float],
) -> np.ndarray:
    found = policy(times_s_T, span_s, **args, annotations=annotations, key=key, thumbnails=None)
    indices_T = np.asarray(found)
    whole = indices_T.ndim == 1 and indices_T.size > 0 and np.issubdtype(indices_T.dtype, np.integer)
    if not whole or np.any(np.diff(indices_T) <= 0) or indices_T[0] < 0 or indices_T[-1] >= len(times_s_T):
        raise UserError(
            f"frames.pick: {name} gave {found!r} for {len(times_s_T)} frames; a policy returns at least one index, "
            "whole numbers, strictly ascending, each below the number of frames"
        )
    return indices_T
