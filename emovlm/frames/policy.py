"""Which frames of a clip are looked at. Every public function here is a policy that a recipe names in `frames.pick`.

A policy is pure: `(times_s_T, span_s, *, <its own arguments>, annotations, key, thumbnails) -> indices_T`.

T: visible frames of the clip (or of the asked span of it).
times_s_T    presentation times, float seconds from the file's first visible frame, ascending
span_s       (start, end) of what is visible, seconds on the same clock; end is where the last frame stops being shown
annotations  the row's `onset_s`, `apex_s`, `offset_s`, `action_units`, `box`, as far as it has them
key          (seed, epoch, id): all the randomness a policy may use
thumbnails   small grey frames_THW for policies that look; None unless asked for
Returns strictly ascending indices into times_s_T, at least one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from emovlm import UserError

# Times closer than this are the same time: half a microsecond is far below any container's tick.
_TIE_S = 5e-7


def uniform(
    times_s_T: np.ndarray,
    span_s: tuple[float, float],
    *,
    keep: int = 8,
    annotations: Mapping[str, Any] | None = None,
    key: tuple[int, int, str] | None = None,
    thumbnails: np.ndarray | None = None,
) -> np.ndarray:
    """The frames nearest to the middles of `keep` equal parts of the visible time; a clip with fewer gives all it has.

    Nearest by presentation time, the earlier of two that are equally near. Where two middles would share a frame
    (variable rates), the ascending choice with the least total distance is taken, so that no frame comes twice.
    """
    if keep < 1:
        raise UserError(f"frames.keep: got {keep}; a clip needs at least 1 frame")
    if len(times_s_T) <= keep:
        return np.arange(len(times_s_T))
    start_s, end_s = span_s
    middles_s_K = start_s + (np.arange(keep) + 0.5) * (end_s - start_s) / keep
    distances_KT = np.abs(times_s_T[None, :] - middles_s_K[:, None])
    nearest_K = np.argmax(distances_KT <= distances_KT.min(axis=1, keepdims=True) + _TIE_S, axis=1)
    if np.all(np.diff(nearest_K) > 0):
        return nearest_K
    return _cheapest_ascending(distances_KT)


def _cheapest_ascending(distances_KT: np.ndarray) -> np.ndarray:
    """Strictly ascending indices_K with the least sum of distances, by dynamic programming over the K rows."""
    num_rows, num_frames = distances_KT.shape
    total_T = distances_KT[0]
    came_from_KT = np.zeros((num_rows, num_frames), dtype=np.int64)
    for row in range(1, num_rows):
        best_T = np.minimum.accumulate(total_T)
        came_from_KT[row] = np.maximum.accumulate(np.where(total_T == best_T, np.arange(num_frames), 0))
        total_T = distances_KT[row] + np.concatenate([[np.inf], best_T[:-1]])
    chosen = [int(np.argmin(total_T))]
    for row in range(num_rows - 1, 0, -1):
        chosen.append(int(came_from_KT[row, chosen[-1] - 1]))
    return np.array(chosen[::-1])
