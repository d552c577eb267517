"""Pixels cut out, brought upright, square and within a budget. Pure.

Marks of orientation are applied after the resize: a quarter turn is exact, and turning the small picture is cheaper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from PIL import Image

from emovlm.frames import boxes
from emovlm.frames.boxes import Box

# (a, b, c, d) of a display matrix with x' = a x + c y, y' = b x + d y and y pointing down -> the PIL operation.
TURNS: dict[tuple[int, ...], Image.Transpose | None] = {
    (1, 0, 0, 1): None,
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}


@dataclass(frozen=True)
class View:
    """What is shown of a picture: the part `crop` of it (None: all), in at most `max_pixels`; `rough`: in a hurry."""

    max_pixels: int
    crop: Box | None = None
    rough: bool = False

    def part_px(self, size: tuple[int, int], turn: Image.Transpose | None) -> tuple[int, int, int, int]:
        """(left, top, right, bottom) of the part in a stored picture of `size` that `turn` brings upright."""
        return boxes.in_pixels(boxes.unturned(self.crop or boxes.WHOLE, turn), size)


def turn_of(matrix: bytes) -> Image.Transpose | None:
    """The operation that a 36-byte display matrix (nine 32-bit numbers, 16.16 fixed point) asks for.

    The whole matrix is read and not its angle alone: front cameras write mirrored ones. ValueError for an angle that
    is no quarter turn (one degree of slack for encoders that round), which no turn of pixels can do exactly.
    """
    a, b, _, c, d = np.frombuffer(matrix, dtype=np.int32)[:5].astype(float)
    size = max(math.hypot(a, b), math.hypot(c, d))
    rounded = tuple(round(value / size) for value in (a, b, c, d)) if size else ()
    if rounded not in TURNS or max(abs(v / size - r) for v, r in zip((a, b, c, d), rounded, strict=True)) > 0.02:
        raise ValueError(f"its rotation mark is no quarter turn (matrix {a:.0f} {b:.0f} {c:.0f} {d:.0f})")
    return TURNS[rounded]


def fitted_size(width_px: int, height_px: int, pixel_aspect: Fraction | None, max_pixels: int) -> tuple[int, int]:
    """(width, height) as displayed, brought down to at most `max_pixels`; never enlarged beyond the displayed size.

    pixel_aspect: width over height of one stored pixel (None: square). As players do, the width alone carries it.
    """
    display_width = width_px * float(pixel_aspect or 1)
    scale = min(1.0, math.sqrt(max_pixels / (display_width * height_px)))
    width = round(display_width) if scale == 1 else math.floor(display_width * scale)
    width = min(max(1, width), max_pixels)
    height = height_px if scale == 1 else math.floor(height_px * scale)
    return width, max(1, min(height, max_pixels // width))


def resized(
    picture: Image.Image, part_px: tuple[int, int, int, int], size: tuple[int, int], *, rough: bool = False
) -> Image.Image:
    """A part of the picture at `size`, by PIL's bicubic, which averages over the covered area when it shrinks (no
    aliasing). `rough`: whole pixels are averaged first, six times faster for a thumbnail.
    """
    left, top, right, bottom = part_px
    if (right - left, bottom - top) == size:
        return picture if picture.size == size else picture.crop(part_px)
    return picture.resize(size, Image.Resampling.BICUBIC, box=part_px, reducing_gap=1.0 if rough else None)


def over_white(picture: Image.Image) -> Image.Image:
    """RGB of a picture with alpha laid over white: dropping alpha would show whatever lies under transparent pixels."""
    rgba = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def same_shape(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes have the same aspect to within 2 %, so that bringing one to the other distorts nothing."""
    return abs(math.log(size[0] * other[1] / (size[1] * other[0]))) < 0.02
