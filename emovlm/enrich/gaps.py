"""Which of the frames that a policy skipped are described. Pure.

T visible frames of the clip (or of its span), K chosen ones. Gap k lies between chosen frame k and chosen frame k + 1;
gap -1 before the first and gap K - 1 after the last.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from emovlm.frames.policy import uniform

# A clip is compared with its own first frames, never with an annotated onset. A single frame may be a blink or a blur;
# later than this, an event may have begun.
REFERENCE_S = 0.1
MOST_REFERENCE = 3


def between(
    times_s_T: np.ndarray,
    span_s: tuple[float, float],
    chosen_K: np.ndarray,
    frames_per_gap: int,
    *,
    before_first: bool = False,
    after_last: bool = False,
) -> dict[int, np.ndarray]:
    """-> gap: indices of its frames, ascending, never a chosen one; a gap without a frame in between is left out.

    The frames nearest to equal steps of presentation time from one chosen frame to the next; all of them where a gap
    has no more than `frames_per_gap`. At the ends the steps go over the middles of equal parts.
    """
    found: dict[int, np.ndarray] = {}
    for gap, (left, right) in enumerate(pairwise(chosen_K.tolist())):
        step_s = float(times_s_T[right] - times_s_T[left]) / (frames_per_gap + 1)
        edges_s = (float(times_s_T[left]) + step_s / 2, float(times_s_T[right]) - step_s / 2)
        _add(found, gap, times_s_T, range(left + 1, right), edges_s, frames_per_gap)
    first, last = int(chosen_K[0]), int(chosen_K[-1])
    if before_first:
        _add(found, -1, times_s_T, range(first), (span_s[0], float(times_s_T[first])), frames_per_gap)
    if after_last:
        rest = range(last + 1, len(times_s_T))
        _add(found, len(chosen_K) - 1, times_s_T, rest, (float(times_s_T[last]), span_s[1]), frames_per_gap)
    return dict(sorted(found.items()))


def reference(times_s_T: np.ndarray) -> np.ndarray:
    """Indices of the clip's own first frames, at most MOST_REFERENCE that begin within REFERENCE_S of the first."""
    early = int(np.searchsorted(times_s_T, times_s_T[0] + REFERENCE_S))
    return np.arange(max(1, min(early, MOST_REFERENCE)))


def nearest_chosen(times_s_T: np.ndarray, chosen_K: np.ndarray, gaps: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    """The same gaps with each in-between frame replaced by the chosen frame nearest to it (the earlier of two)."""
    times_s_K = times_s_T[chosen_K]
    return {
        gap: np.array([chosen_K[np.argmin(np.abs(times_s_K - times_s_T[index]))] for index in indices])
        for gap, indices in gaps.items()
    }


def _add(
    found: dict[int, np.ndarray],
    gap: int,
    times_s_T: np.ndarray,
    skipped: range,
    edges_s: tuple[float, float],
    frames_per_gap: int,
) -> None:
    if len(skipped):
        found[gap] = skipped.start + uniform(times_s_T[skipped.start : skipped.stop], edges_s, keep=frames_per_gap)
