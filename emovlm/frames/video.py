"""The chosen frames of one video file: times first, then pixels.

pts: presentation time in ticks of the stream's time base. Ticks stay whole numbers until they are turned into seconds
from the first visible frame, so that two passes agree to the last digit.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from emovlm.frames import geometry
from emovlm.frames.clip import Choose, Clip, ClipError
from emovlm.frames.container import Frame, Tick, Video
from emovlm.frames.geometry import View

# A span that begins later than this is reached by a jump to the key frame before it.
JUMP_AFTER_S = 4.0
# Annotated times are rounded; half a microsecond is far below any container's tick.
SLACK_S = 5e-7


@dataclass
class Visible:
    """The frames of the span: their times in ticks, where the last one ends, and the file's first one."""

    time_base: Fraction
    first_pts: int = 0
    end_pts: int = 0
    pts_T: list[int] = field(default_factory=list)

    def times_s_T(self) -> np.ndarray:
        ticks_T = np.array(self.pts_T, dtype=np.int64) - self.first_pts
        return ticks_T * self.time_base.numerator / self.time_base.denominator

    def span_s(self, asked_s: tuple[float, float]) -> tuple[float, float]:
        """What is visible of the asked span, seconds."""
        return asked_s[0], min(asked_s[1], float((self.end_pts - self.first_pts) * self.time_base))


def read_video(path: str, choose: Choose, asked_s: tuple[float, float], view: View) -> Clip:
    """The frames of the span that `choose` picks; see decode.read. Raises ClipError."""
    guess = _guess(path, asked_s)
    for _ in range(3):
        indices = choose(guess.times_s_T(), guess.span_s(asked_s)) if guess.pts_T else np.array([], dtype=np.int64)
        wanted = indices.tolist()
        seen, pixels = _decode(path, asked_s, wanted, view)
        if not seen.pts_T:
            raise nothing_there(path, seen, asked_s)
        if seen == guess:
            frames_THWC = np.stack([pixels[i] for i in wanted])
            return Clip(frames_THWC, seen.times_s_T()[indices], True, len(seen.pts_T), view.crop)
        guess = seen
    raise ClipError(f"{path}: passes over the file gave different frame times; re-encode it")


def nothing_there(path: str, seen: Visible, asked_s: tuple[float, float]) -> ClipError:
    if asked_s == (0.0, math.inf):
        what = "has a video stream but not one frame can be seen in it; replace the file or leave the row out"
        return ClipError(f"{path}: {what}", "no_frame")
    last_s = float((seen.end_pts - seen.first_pts) * seen.time_base)
    what = f"no frame can be seen from {asked_s[0]} s to {asked_s[1]} s; the picture ends at {last_s:.3f} s"
    return ClipError(f"{path}: {what}", "span")


def glance(path: str, asked_s: tuple[float, float]) -> Visible:
    """The times of the span's frames as the packets tell them, which hidden frames make wrong."""
    with Video(path) as source:
        guess = Visible(source.time_base)
        for _ in _walk(source.ticks(), guess, asked_s, source.tick_guess):
            pass
        return guess


def _guess(path: str, asked_s: tuple[float, float]) -> Visible:
    """A glance; empty where reading all packets would cost more than it saves."""
    if asked_s[0] > JUMP_AFTER_S:
        with Video(path) as source:
            return Visible(source.time_base)
    return glance(path, asked_s)


def _decode(
    path: str, asked_s: tuple[float, float], wanted: Collection[int], view: View
) -> tuple[Visible, dict[int, np.ndarray]]:
    """One pass: the times of the span's frames, and the pixels of those whose place in the span is in `wanted`."""
    if asked_s[0] > JUMP_AFTER_S:
        with Video(path) as source:
            found = _jump(source, asked_s[0])
            if found is not None:
                first_pts, frames = found
                return _pixels(source, frames, first_pts, asked_s, wanted, view)
    with Video(path) as source:
        return _pixels(source, source.frames(), None, asked_s, wanted, view)


def _jump(source: Video, start_s: float) -> tuple[int, Iterator[Frame]] | None:
    """(the file's first tick, frames from a key frame before start_s), or None where no jump lands before it."""
    if source.untimed:
        return None  # a key frame in the middle may drop the frames around it, and with them the rhythm
    try:
        first = next(source.frames(), None)
        if first is None:
            return None
        target = first.pts + math.floor(start_s / source.time_base)
        landed = source.frames_from(target)
        opening = next(landed, None)
    except ClipError:
        return None  # the pass from the beginning decides, and names the fault if it is one
    if opening is None or opening.pts > target:
        return None
    return first.pts, _prepend(opening, landed)


def _pixels(
    source: Video,
    frames: Iterable[Frame],
    first_pts: int | None,
    asked_s: tuple[float, float],
    wanted: Collection[int],
    view: View,
) -> tuple[Visible, dict[int, np.ndarray]]:
    seen = Visible(source.time_base)
    pixels: dict[int, np.ndarray] = {}
    stored: tuple[int, int] | None = None
    size: tuple[int, int] = (0, 0)
    for place, frame in enumerate(_walk(frames, seen, asked_s, source.tick_guess, first_pts)):
        if place not in wanted:
            continue
        picture, turn = source.picture(frame), source.turn(frame)
        part = view.part_px(picture.size, turn)
        if stored is None:
            stored = picture.size
            size = geometry.fitted_size(part[2] - part[0], part[3] - part[1], source.pixel_aspect, view.max_pixels)
        elif not geometry.same_shape(picture.size, stored):
            change = f"{stored[0]}x{stored[1]} to {picture.width}x{picture.height}"
            raise ClipError(f"{source.path}: the picture changes from {change} on the way; re-encode it at one size")
        picture = geometry.resized(picture, part, size, rough=view.rough)
        pixels[place] = np.asarray(picture if turn is None else picture.transpose(turn))
    return seen, pixels


def _walk(
    items: Iterable[Tick], seen: Visible, asked_s: tuple[float, float], tick_guess: int, first_pts: int | None = None
) -> Iterator:
    """Yield the items that begin in the span, or, where none does, the one on display at its start; fill in `seen`.

    Stops behind the span, so that what lies there is neither decoded nor judged.
    """
    held: tuple[Tick, int] | None = None
    for place, (item, end_pts) in enumerate(_with_ends(items, tick_guess)):
        if place == 0:
            seen.first_pts = item.pts if first_pts is None else first_pts
        time_s = float((item.pts - seen.first_pts) * seen.time_base)
        if time_s >= asked_s[1] - SLACK_S:
            break
        seen.end_pts = end_pts
        if time_s >= asked_s[0] - SLACK_S:
            held = None
            seen.pts_T.append(item.pts)
            yield item
        elif float((end_pts - seen.first_pts) * seen.time_base) > asked_s[0] + SLACK_S:
            held = (item, end_pts)
    if held is not None:
        seen.pts_T.append(held[0].pts)
        seen.end_pts = held[1]
        yield held[0]


def _with_ends(items: Iterable[Tick], tick_guess: int) -> Iterator[tuple[Tick, int]]:
    """Each item with the tick at which it stops being shown: where the next begins, or by its own duration."""
    last: Tick | None = None
    gap = tick_guess
    for item in items:
        if last is not None:
            gap = item.pts - last.pts
            yield last, item.pts
        last = item
    if last is not None:
        yield last, last.pts + (last.duration or gap)


def _prepend(first: Frame, rest: Iterator[Frame]) -> Iterator[Frame]:
    yield first
    yield from rest
