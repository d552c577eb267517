"""Which frames of a clip are looked at. Every public function here is a policy that a recipe names in `frames.pick`.

A policy is pure: `(times_s_T, span_s, *, <its own arguments>, annotations, key, thumbnails) -> indices_T`.

T: visible frames of the clip (or of the asked span of it).
times_s_T    presentation times, float seconds from the file's first visible frame, ascending
span_s       (start, end) of what is visible, seconds on the same clock; end is where the last frame stops being shown
annotations  the row's `onset_s`, `apex_s`, `offset_s`, `action_units`, `box`, as far as it has them
key          (seed, epoch, id): all the randomness a policy may use; None where a model is scored, which is not random
thumbnails   small grey frames_THW, float, for policies that look
Returns strictly ascending indices into times_s_T, at least one.

What a policy needs it takes without a default. One that so takes `thumbnails` looks, and costs a second pass of
decoding; one that so takes `key` is random, and the cache keeps all frames of the clip for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from emovlm import UserError
from emovlm.frames import change, counts

Annotations = Mapping[str, Any]
Key = tuple[int, int, str]

# Times closer than this are the same time: half a microsecond is far below any container's tick.
_TIE_S = 5e-7


def uniform(
    times_s_T: np.ndarray,
    span_s: tuple[float, float],
    *,
    keep: int = 8,
    annotations: Annotations | None = None,
    key: Key | None = None,
    thumbnails: np.ndarray | None = None,
) -> np.ndarray:
    """The frames nearest to the middles of `keep` equal parts of the visible time; a clip with fewer gives all it has.

    Nearest by presentation time, the earlier of two that are equally near. Where two middles would share a frame
    (variable rates), the ascending choice with the least total distance is taken, so that no frame comes twice.
    """
    _check("keep", keep, 1)
    start_s, end_s = span_s
    return _nearest(times_s_T, start_s + (np.arange(keep) + 0.5) * (end_s - start_s) / keep)


def fps(
    times_s_T: np.ndarray,
    span_s: tuple[float, float],
    *,
    rate: float = 2.0,
    min: int = 4,
    max: int = 768,
    annotations: Annotations | None = None,
    key: Key | None = None,
    thumbnails: np.ndarray | None = None,
) -> np.ndarray:
    """`rate` frames a second of visible time, rounded to a whole number between `min` and `max`, spread as `uniform`.

    The defaults are those of Qwen2-VL's processor (`fps`, `min_frames`, `max_frames`), which rounds down to pairs.
    """
    if not 0 < rate < float("inf"):
        raise UserError(f"frames.rate: got {rate}; must be a number above 0")
    _check("min", min, 1)
    _check("max", max, min)
    keep, _ = counts.at_rate(span_s[1] - span_s[0], rate, min, max)
    return uniform(times_s_T, span_s, keep=keep)


def segment_random(
    times_s_T: np.ndarray,
    span_s: tuple[float, float],
    *,
    keep: int = 8,
    annotations: Annotations | None = None,
    key: Key | None,
    thumbnails: np.ndarray | None = None,
) -> np.ndarray:
    """A moment at random in each of `keep` equal parts of the visible time, and the frame that is on display then.

    Temporal segment networks (Wang et al. 2016, arXiv 1608.00859, section 3.1): an augmentation of training. Without a
    key, so where a model is scored, it is `uniform`: the middles of the parts.
    """
    if key is None:
        return uniform(times_s_T, span_s, keep=keep)
    _check("keep", keep, 1)
    start_s, end_s = span_s
    moments_s_K = start_s + (np.arange(keep) + _generator(key).random(keep)) * (end_s - start_s) / keep
    shown_K = np.searchsorted(times_s_T, moments_s_K + _TIE_S, side="right") - 1
    return _nearest(times_s_T, times_s_T[shown_K.clip(min=0)])


def keyframes(
    times_s_T: np.ndarray,
    span_s: tuple[float, float],
    *,
    keep: int = 8,
    annotations: Annotations | None = None,
    key: Key | None = None,
    thumbnails: np.ndarray,
) -> np.ndarray:
    """The `keep` frames of the largest visual change over the last fifth of a second, at least half an equal part of
    the time from each other: greedy, see change.spread_peaks. A clip with fewer gives all it has.
    """
    _check("keep", keep, 1)
    strength_T = change.recent_change(thumbnails, times_s_T)
    return change.spread_peaks(strength_T, times_s_T, span_s[1] - span_s[0], keep)


def apex(
    times_s_T: np.ndarray,
    span_s: tuple[float, float],
    *,
    annotations: Annotations,
    key: Key | None = None,
    thumbnails: np.ndarray | None = None,
) -> np.ndarray:
    """The frames nearest to the annotated onset, apex and offset, as far as they are annotated and visible.

    Raises UserError for a row without a visible apex: another choice for such rows alone (the neutral ones, often)
    would tell the label by the number of frames.
    """
    _annotated(annotations, "apex", span_s)
    marks = [annotations.get(f"{name}_s") for name in ("onset", "apex", "offset")]
    visible = [mark for mark in marks if mark is not None and span_s[0] <= mark <= span_s[1]]
    return _nearest(times_s_T, np.array(visible))


def dense_window(
    times_s_T: np.ndarray,
    span_s: tuple[float, float],
    *,
    around: str = "apex",
    keep: int = 8,
    window_s: float = 0.5,
    annotations: Annotations,
    key: Key | None = None,
    thumbnails: np.ndarray | None = None,
) -> np.ndarray:
    """`keep` frames spread over `window_s` seconds around the annotated onset, apex or offset (`around`).

    Fewer where the window has fewer; the default is the longest micro-expression. Raises UserError for a row whose
    moment is not annotated or not visible.
    """
    if around not in ("onset", "apex", "offset"):
        raise UserError(f"frames.around: got '{around}'; allowed: apex, offset, onset")
    return _window(times_s_T, span_s, _annotated(annotations, around, span_s), keep, window_s)


def apex_estimate(
    times_s_T: np.ndarray,
    span_s: tuple[float, float],
    *,
    keep: int = 1,
    window_s: float = 0.5,
    annotations: Annotations | None = None,
    key: Key | None = None,
    thumbnails: np.ndarray,
) -> np.ndarray:
    """The frame that differs most from the clip's own first second, smoothed, or `keep` frames around it as in
    `dense_window`: an estimate of the apex from pixels alone, see change.change_from_start.

    With `frames.crop: face` the eyes are left out of the thumbnails, and blinks with them. A head that sways outweighs
    a brief event: of the 216 events in the demo's micro test clips it hits .40 (.38 without the crop), where four
    `keyframes` hit .99 (.97), one `keyframe` .64 (.57), and four `uniform` frames .40.
    """
    strength_T = change.change_from_start(thumbnails, times_s_T, *span_s)
    return _window(times_s_T, span_s, float(times_s_T[np.argmax(strength_T)]), keep, window_s)


def _check(name: str, value: int, least: int) -> None:
    if value < least:
        raise UserError(f"frames.{name}: got {value}; must be at least {least}")


def _annotated(annotations: Annotations, name: str, span_s: tuple[float, float]) -> float:
    found = annotations.get(f"{name}_s")
    if found is None:
        raise UserError(f"frames.pick: no {name}_s; annotate it, leave the row out, or set frames.pick=apex_estimate")
    if not span_s[0] <= found <= span_s[1]:
        raise UserError(
            f"frames.pick: {name}_s {found} is not visible; the clip shows {span_s[0]:g} to {span_s[1]:g} s"
        )
    return found


def _generator(key: Key) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.blake2b(repr(tuple(key)).encode(), digest_size=16).digest()))


def _window(
    times_s_T: np.ndarray, span_s: tuple[float, float], around_s: float, keep: int, window_s: float
) -> np.ndarray:
    _check("keep", keep, 1)
    if not window_s > 0:
        raise UserError(f"frames.window_s: got {window_s}; must be above 0")
    begin_s, end_s = max(span_s[0], around_s - window_s / 2), min(span_s[1], around_s + window_s / 2)
    inside = np.flatnonzero((times_s_T >= begin_s - _TIE_S) & (times_s_T < end_s - _TIE_S))
    if keep == 1 or not len(inside):
        return _nearest(times_s_T, np.array([around_s]))
    return inside[uniform(times_s_T[inside], (begin_s, end_s), keep=keep)]


def _nearest(times_s_T: np.ndarray, moments_s_K: np.ndarray) -> np.ndarray:
    """The frames nearest to ascending moments, none twice; all frames where there are no more than moments."""
    if len(times_s_T) <= len(moments_s_K):
        return np.arange(len(times_s_T))
    distances_KT = np.abs(times_s_T[None, :] - moments_s_K[:, None])
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
