"""What a choice of frames can miss: the probability that an event of a given length is seen, and the events that were.

Pure. T chosen frames of a clip; times in seconds on the clip's clock; span_s (start, end) of what is visible.
A frame shows the moment at which it begins: an event [s, s + d] is hit by a frame at t if s <= t <= s + d.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emovlm.frames import counts

# One frame at 25 fps; a micro-expression lasts up to half a second, a macro-expression longer.
DURATIONS_S = (0.04, 0.1, 0.25, 0.5, 1.0)
# What is asked of an event; pairs are those that video input merges, the first frame with the second and so on.
ONE, TWO = "one frame", "two frames"
WHOLE_PAIR, TWO_PAIRS = "a whole pair", "two pairs"


def hit_probability(
    times_s_T: np.ndarray,
    span_s: tuple[float, float],
    duration_s: float,
    *,
    at_least: int = 1,
    merged: int = 1,
    whole: bool = False,
) -> float:
    """Probability that an event at unknown phase, anywhere in the clip, is seen by `at_least` frames: in [0, 1].

    The start of the event is uniform on [0, T - d]; frame i sees it if it lies in [t_i - d, t_i], so for one frame this
    is |union of these within [0, T - d]| / (T - d), which knows the edges of the clip. For regular frames in a long
    clip it becomes min(1, d f), and for two of them clip(d f - 1, 0, 1). An event as long as the clip is always there.

    merged: groups of so many consecutive frames count as one, as a vision tower that merges them sees them. A group
    sees the event if one of its frames does, or with `whole` if all do: then no other moment is mixed in.
    """
    room_s = span_s[1] - span_s[0] - duration_s
    last_T = np.asarray(times_s_T, float) - span_s[0]
    if room_s <= 0:
        starts_P, shares_P = np.zeros(1), np.ones(1)
    else:
        # Between neighbouring edges it does not matter where the event starts.
        edges = np.unique(np.clip(np.concatenate([[0.0, room_s], last_T - duration_s, last_T]), 0.0, room_s))
        starts_P, shares_P = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / room_s
    # Frames first to end - 1 lie in the event.
    first_P = np.searchsorted(last_T, starts_P)
    end_P = np.searchsorted(last_T, starts_P + duration_s, side="right")
    if whole:
        complete_P = np.where(end_P == len(last_T), -(-end_P // merged), end_P // merged)
        groups_P = complete_P - -(-first_P // merged)
    else:
        groups_P = np.where(end_P > first_P, (end_P - 1) // merged - first_P // merged + 1, 0)
    return float(shares_P[groups_P >= at_least].sum())


def probabilities(times_s_T: np.ndarray, span_s: tuple[float, float], duration_s: float) -> dict[str, float]:
    """That at least one frame, two frames, a pair with both its frames, two pairs with a frame each see the event."""
    return {
        ONE: hit_probability(times_s_T, span_s, duration_s),
        TWO: hit_probability(times_s_T, span_s, duration_s, at_least=2),
        WHOLE_PAIR: hit_probability(times_s_T, span_s, duration_s, merged=2, whole=True),
        TWO_PAIRS: hit_probability(times_s_T, span_s, duration_s, at_least=2, merged=2),
    }


@dataclass(frozen=True)
class Event:
    """When an annotated event shows. kind: `half amplitude` or `onset to offset`."""

    start_s: float
    end_s: float
    kind: str


HALF_AMPLITUDE, ONSET_TO_OFFSET = "half amplitude", "onset to offset"


def event_of(row: Mapping[str, Any]) -> Event | None:
    """Where a row's event can be seen, or None without annotation.

    A frame at the onset shows nothing yet. Where a set says between which moments the amplitude is above half
    (`half_onset_s`, `half_offset_s`), that is the event; otherwise all between onset and offset.
    """
    for start, end, kind in (
        ("half_onset_s", "half_offset_s", HALF_AMPLITUDE),
        ("onset_s", "offset_s", ONSET_TO_OFFSET),
    ):
        if row.get(start) is not None and row.get(end) is not None:
            return Event(float(row[start]), float(row[end]), kind)
    return None


def num_hits(times_s_T: Sequence[float] | np.ndarray, event: Event) -> int:
    """Frames inside the event, its borders left out (where it is nothing, or half gone)."""
    times_s_T = np.asarray(times_s_T, float)
    return int(((times_s_T > event.start_s) & (times_s_T < event.end_s)).sum())


@dataclass(frozen=True)
class Looked:
    """What was looked at of one clip. capped: whether the policy's cap took frames away, None where it has none.

    no_face: `frames.crop: face` found none (None: was not asked). Times of pictures are no seconds (timed False).
    """

    id: str
    times_s_T: np.ndarray
    span_s: tuple[float, float]
    num_visible: int
    timed: bool = True
    capped: bool | None = None
    no_face: bool | None = None
    event: Event | None = None
    apex_s: float | None = None

    @property
    def seconds(self) -> float:
        return self.span_s[1] - self.span_s[0]


def summary(looked: Sequence[Looked], *, merged: int = 1) -> dict[str, Any]:
    """Plain values over all clips, for JSON and for a table; None where there is nothing to say it of.

    merged: how many consecutive frames the model makes one step in time. Rates and probabilities are means over the
    clips with a clock; every probability is a clip's own, exact one.
    """
    timed = [clip for clip in looked if clip.timed]
    capped = [clip.capped for clip in looked if clip.capped is not None]
    return {
        "clips": len(looked),
        "clips_with_a_clock": len(timed),
        "frames_per_clip": _spread([len(clip.times_s_T) for clip in looked]),
        "steps_per_clip": _spread([counts.time_steps(len(clip.times_s_T), merged) for clip in looked]),
        "seconds_per_clip": _spread([clip.seconds for clip in timed]),
        "frames_per_second": _spread([len(clip.times_s_T) / clip.seconds for clip in timed]),
        "clips_given_whole": _mean([len(clip.times_s_T) == clip.num_visible for clip in looked]),
        "cap_bites": _mean(capped),
        "clips_without_a_face": _ids(looked),
        "probability": {f"{seconds:g}": _probability(timed, seconds) for seconds in DURATIONS_S},
        "events": _events(timed),
        "apex": _apex(timed),
    }


def _probability(timed: Sequence[Looked], duration_s: float) -> dict[str, float] | None:
    found = [probabilities(clip.times_s_T, clip.span_s, duration_s) for clip in timed]
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]} if found else None


def _events(timed: Sequence[Looked]) -> dict[str, Any] | None:
    """Of the annotated events: how many were hit, by one frame and by two, and what their lengths let expect."""
    pairs = [(clip, clip.event) for clip in timed if clip.event is not None]
    if not pairs:
        return None
    hits = np.array([num_hits(clip.times_s_T, event) for clip, event in pairs])
    lengths = [event.end_s - event.start_s for _, event in pairs]
    chances = [
        hit_probability(clip.times_s_T, clip.span_s, length) for (clip, _), length in zip(pairs, lengths, strict=True)
    ]
    return {
        "clips": len(pairs),
        "counted_by": {
            kind: sum(event.kind == kind for _, event in pairs) for kind in sorted({e.kind for _, e in pairs})
        },
        "seconds": _spread(lengths),
        "hit": float(np.mean(hits >= 1)),
        "hit_twice": float(np.mean(hits >= 2)),
        "hit_expected": float(np.mean(chances)),
        "missed": [clip.id for (clip, _), number in zip(pairs, hits, strict=True) if number == 0],
    }


def _apex(timed: Sequence[Looked]) -> dict[str, Any] | None:
    """How far the nearest chosen frame is from the annotated apex, seconds."""
    errors = [float(np.abs(clip.times_s_T - clip.apex_s).min()) for clip in timed if clip.apex_s is not None]
    return {"clips": len(errors), "error_s": _spread(errors)} if errors else None


def _ids(looked: Sequence[Looked]) -> list[str] | None:
    asked = [clip for clip in looked if clip.no_face is not None]
    return [clip.id for clip in asked if clip.no_face] if asked else None


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    least, median, most = np.quantile(values, [0, 0.5, 1])
    return {"mean": float(np.mean(values)), "least": float(least), "median": float(median), "most": float(most)}


def _mean(flags: Sequence[bool]) -> float | None:
    return float(np.mean(flags)) if len(flags) else None
