"""Boxes in a picture. Pure.

A box is (left, top, right, bottom) as shares of the width and the height of the upright picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

from PIL import Image

Box: TypeAlias = tuple[float, float, float, float]
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


def is_box(box: Sequence[float]) -> bool:
    """Whether these are the corners of some part of a picture."""
    return len(box) == 4 and 0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1


def area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def overlap(one: Box, other: Box) -> float:
    """Intersection over union, in [0, 1]."""
    shared = area((max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])))
    return shared / (area(one) + area(other) - shared) if shared else 0.0


def union(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds all of them (at least one)."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def widened(box: Box, margin: float) -> Box:
    """By `margin` times its width at either side, and its height at top and bottom, as far as the picture goes."""
    across, down = margin * (box[2] - box[0]), margin * (box[3] - box[1])
    return max(0.0, box[0] - across), max(0.0, box[1] - down), min(1.0, box[2] + across), min(1.0, box[3] + down)


def within(box: Box, frame: Box) -> Box:
    """The same place told in shares of `frame`, cut at its borders."""
    wide, high = frame[2] - frame[0], frame[3] - frame[1]
    corners = ((box[0] - frame[0]) / wide, (box[1] - frame[1]) / high, (box[2] - frame[0]) / wide)
    left, top, right, bottom = (min(1.0, max(0.0, share)) for share in (*corners, (box[3] - frame[1]) / high))
    return left, top, right, bottom


def unturned(box: Box, turn: Image.Transpose | None) -> Box:
    """Where a box of the upright picture lies in the stored one, which `turn` brings upright."""
    left, top, right, bottom = box
    match turn:
        case Image.Transpose.ROTATE_90:
            return 1 - bottom, left, 1 - top, right
        case Image.Transpose.ROTATE_270:
            return top, 1 - right, bottom, 1 - left
        case Image.Transpose.ROTATE_180:
            return 1 - right, 1 - bottom, 1 - left, 1 - top
        case Image.Transpose.FLIP_LEFT_RIGHT:
            return 1 - right, top, 1 - left, bottom
        case Image.Transpose.FLIP_TOP_BOTTOM:
            return left, 1 - bottom, right, 1 - top
        case Image.Transpose.TRANSPOSE:
            return top, left, bottom, right
        case Image.Transpose.TRANSVERSE:
            return 1 - bottom, 1 - right, 1 - top, 1 - left
    return box


def in_pixels(box: Box, size_px: tuple[int, int]) -> tuple[int, int, int, int]:
    """The whole pixels that a box touches, at least one; size_px: (width, height)."""
    width, height = size_px
    # A share that was meant to fall on a border of pixels may miss it by a rounding error.
    left, top = math.floor(box[0] * width + 1e-6), math.floor(box[1] * height + 1e-6)
    right, bottom = math.ceil(box[2] * width - 1e-6), math.ceil(box[3] * height - 1e-6)
    left, top = min(left, width - 1), min(top, height - 1)
    return left, top, max(right, left + 1), max(bottom, top + 1)
