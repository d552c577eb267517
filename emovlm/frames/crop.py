"""Whose emotion: the part of the picture that is looked at, one and the same for the whole clip.

A crop that follows a face from frame to frame moves with every error of the detector, and to a VLM that is motion of
the face. So the clip gets one box that holds the person at all times, with a margin.

Legend: N boxes of a track, K sampled frames; boxes as in boxes.py.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from emovlm import UserError
from emovlm.frames import boxes, faces, policy
from emovlm.frames import cache as caches
from emovlm.frames.boxes import Box
from emovlm.frames.cache import Cache, Part

# The frames in which a clip's face is looked for, and their size: small enough to be quick, large enough for landmarks.
SAMPLED_FRAMES = 8
SAMPLED_PIXELS = 640 * 360
COLUMNS = ("time_s", "left", "top", "right", "bottom")


class Cut(NamedTuple):
    """The part to show, None for all of it, and where the eyes are in the whole picture, None where nobody knows."""

    box: Box | None
    eyes: Box | None = None


def cut_of(row: Mapping[str, Any], part: Part, kind: str, margin: float, cache: Cache | None) -> Cut:
    """The part of a row's clip that `frames.crop` (none, box or face) shows. Raises UserError, ClipError.

    A clip without a face is shown whole: it is counted (`box` None), and nothing is guessed.
    """
    if kind == "none":
        return Cut(None)
    if kind == "box":
        return Cut(boxes.widened(_row_box(row), margin))
    face_K4, eyes_K4 = _face_boxes(part, cache)
    if not len(face_K4):
        return Cut(None)
    return Cut(boxes.widened(boxes.union(face_K4), margin), boxes.union(eyes_K4))


def _row_box(row: Mapping[str, Any]) -> Box:
    """The row's `box`, or the union of its `track` over what is shown of the clip."""
    place = f"row {row['id']}"
    if row.get("track") is not None:
        start_s, end_s = row.get("start_s"), row.get("end_s")
        found = _union_over(*read_track(row["track"]), start_s, end_s)
        if found is None:
            raise UserError(f"{place}: the track {row['track']} has no box from {start_s} to {end_s} s")
        return found
    if row.get("box") is None:
        raise UserError(f"{place}: frames.crop=box needs a box or a track; give one, or set frames.crop=none")
    if not boxes.is_box(row["box"]):
        raise UserError(f"{place}: box {list(row['box'])} must be left, top, right, bottom as shares from 0 to 1")
    left, top, right, bottom = row["box"]
    return left, top, right, bottom


def _face_boxes(part: Part, cache: Cache | None) -> tuple[list[Box], list[Box]]:
    """(faces_K, eyes_K) of the one person of the clip, where it is seen in the sampled frames: faces.one_person."""
    content = None if cache is None else caches.content_of(part.media)
    span = (content, part.start_s, part.end_s, part.fps)
    key = caches.key_of("face", *span, SAMPLED_FRAMES, SAMPLED_PIXELS, faces.version())
    known = cache.get(key) if cache is not None and content is not None else None
    if known is None:
        clip = caches.read(None, part, _sampled, max_pixels=SAMPLED_PIXELS)
        found = [face for face in faces.reader().read(clip.frames_THWC) if face is not None]
        known = {"faces_K4": _table([face.box for face in found]), "eyes_K4": _table([face.eyes for face in found])}
        if cache is not None and content is not None:
            cache.put(key, known)
    return [tuple(box) for box in known["faces_K4"].tolist()], [tuple(box) for box in known["eyes_K4"].tolist()]


def _sampled(times_s_T: np.ndarray, span_s: tuple[float, float]) -> np.ndarray:
    return policy.uniform(times_s_T, span_s, keep=SAMPLED_FRAMES)


def _table(found: list[Box]) -> np.ndarray:
    return np.array(found, np.float64).reshape(len(found), 4)


@functools.lru_cache(maxsize=256)
def read_track(path: str) -> tuple[np.ndarray, list[Box]]:
    """(times_s_N ascending, N boxes) of a CSV file `time_s,left,top,right,bottom`. Raises UserError with its line."""
    times: list[float] = []
    found: list[Box] = []
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise UserError(f"{path}: its first line must be {','.join(COLUMNS)}")
            for line in reader:
                place = f"{path}:{reader.line_num}"
                try:
                    time_s, left, top, right, bottom = (float(line[column]) for column in COLUMNS)
                except (TypeError, ValueError):
                    raise UserError(f"{place}: five numbers are expected ({','.join(COLUMNS)})") from None
                if not boxes.is_box((left, top, right, bottom)):
                    raise UserError(f"{place}: left, top, right, bottom must be shares from 0 to 1, left below right")
                if times and time_s <= times[-1]:
                    raise UserError(f"{place}: time_s {time_s} does not come after {times[-1]}")
                times.append(time_s)
                found.append((left, top, right, bottom))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: the track cannot be read ({error})") from None
    if not found:
        raise UserError(f"{path}: the track has no box")
    return np.array(times), found


def _union_over(times_s_N: np.ndarray, boxes_N: list[Box], start_s: float | None, end_s: float | None) -> Box | None:
    """Of the boxes in the span, and of the last one before it, which may still hold at its start."""
    begin = int(np.searchsorted(times_s_N, start_s, side="right")) - 1 if start_s is not None else 0
    stop = int(np.searchsorted(times_s_N, end_s)) if end_s is not None else len(boxes_N)
    held = boxes_N[max(0, begin) : stop]
    return boxes.union(held) if held else None


def without_eyes(thumbnails_THW: np.ndarray, cut: Cut) -> np.ndarray:
    """Thumbnails of the part that is shown, with the eyes blanked: nothing changes there, so a blink is no event."""
    if cut.eyes is None:
        return thumbnails_THW
    height, width = thumbnails_THW.shape[1:]
    place = boxes.widened(boxes.within(cut.eyes, cut.box or boxes.WHOLE), 0.1)
    left, top, right, bottom = boxes.in_pixels(place, (width, height))
    blanked = thumbnails_THW.copy()
    blanked[:, top:bottom, left:right] = 0
    return blanked
