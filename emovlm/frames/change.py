"""How much changes between the frames of a clip, on small grey frames. Pure.

T frames, H rows, W columns. thumbnails_THW: greys of any range; times_s_T: their presentation times, ascending.
"""

from __future__ import annotations

import numpy as np

# Changes are told over this time, so that they do not depend on the frame rate: about what a brief expression takes to
# rise. Smoothing is over the same time, which is as long as a blink.
WINDOW_S = 0.2
# Annotated and computed times closer than this are the same.
_TIE_S = 5e-7


def recent_change(thumbnails_THW: np.ndarray, times_s_T: np.ndarray) -> np.ndarray:
    """change_T: mean absolute difference of each frame to the one that was shown WINDOW_S before it (or the first).

    It is large where a fast change has just ended, which is nearer to an apex than where it is fastest.
    """
    level_THW = _without_brightness(thumbnails_THW)
    before_T = np.searchsorted(times_s_T, times_s_T - WINDOW_S + _TIE_S, side="right") - 1
    return np.abs(level_THW - level_THW[before_T.clip(min=0)]).mean(axis=(1, 2))


def change_from_start(thumbnails_THW: np.ndarray, times_s_T: np.ndarray, start_s: float, end_s: float) -> np.ndarray:
    """change_T: mean absolute difference to the clip's own beginning, averaged over WINDOW_S around each frame.

    The beginning is the median frame of the first second, or of the first third of a clip shorter than three.
    """
    level_THW = _without_brightness(thumbnails_THW)
    first = times_s_T < start_s + min(1.0, (end_s - start_s) / 3) + _TIE_S
    first[0] = True
    difference_T = np.abs(level_THW - np.median(level_THW[first], axis=0)).mean(axis=(1, 2))
    reach = WINDOW_S / 2 + _TIE_S
    begin_T = np.searchsorted(times_s_T, times_s_T - reach)
    stop_T = np.searchsorted(times_s_T, times_s_T + reach, side="right")
    total = np.concatenate([[0.0], np.cumsum(difference_T)])
    return (total[stop_T] - total[begin_T]) / (stop_T - begin_T)


def spread_peaks(change_T: np.ndarray, times_s_T: np.ndarray, duration_s: float, keep: int) -> np.ndarray:
    """Ascending indices of `keep` (at most T) frames, greedily: the largest change first, then the largest among the
    frames at least duration / (2 keep) from all chosen; equal changes go to the frame farthest from the chosen ones.

    k chosen frames block at most k / keep of the time, so that some of it is always left. Where no frame lies in it
    (few frames, odd rates), the frame farthest from the chosen ones is taken.
    """
    gap_s = duration_s / (2 * keep)
    distance_s_T = np.full(len(times_s_T), np.inf)
    chosen: list[int] = []
    while len(chosen) < min(keep, len(times_s_T)):
        free_T = distance_s_T >= gap_s - _TIE_S
        if not free_T.any():
            free_T = distance_s_T == distance_s_T.max()
        free = np.flatnonzero(free_T)
        best = int(free[np.lexsort((-distance_s_T[free], -change_T[free]))[0]])
        chosen.append(best)
        distance_s_T = np.minimum(distance_s_T, np.abs(times_s_T - times_s_T[best]))
    return np.array(sorted(chosen))


def _without_brightness(thumbnails_THW: np.ndarray) -> np.ndarray:
    """Each frame less its mean: a lamp that flickers or an exposure that adapts is no change of the face."""
    level_THW = np.asarray(thumbnails_THW, dtype=np.float32)
    return level_THW - level_THW.mean(axis=(1, 2), keepdims=True)
