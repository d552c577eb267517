"""Pictures as a clip: one photograph, or several in the order given.

Where the row says their `fps` they are the frames of a film, and their times are seconds; without it they are 0, 1, 2,
... and no seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from emovlm.frames import geometry
from emovlm.frames.clip import Choose, Clip, ClipError
from emovlm.frames.geometry import View

# Named, because PIL otherwise takes an MPEG video for a picture. ANIMATED: more than one frame makes it a moving clip.
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
# What PIL raises for damaged files, beside OSError (truncated), is not documented in one place: each was met.
DAMAGED = (OSError, ValueError, SyntaxError, EOFError, TypeError, IndexError, KeyError, Image.DecompressionBombError)


def is_picture(path: str) -> bool:
    """Whether the content (never the name) is a still picture; a damaged one that can be recognised counts.

    Raises ClipError for an animated WebP.
    """
    try:
        with Image.open(path, formats=FORMATS) as picture:
            still = picture.format not in ANIMATED or getattr(picture, "n_frames", 1) == 1
            if not still and picture.format == "WEBP":
                raise ClipError(f"{path}: is an animated WebP, which FFmpeg cannot decode; convert it to .mp4 or .gif")
            return still
    except ClipError:
        raise
    except DAMAGED:
        return False


def size_px(path: str) -> tuple[int, int]:
    """(width, height) as stored. Raises ClipError."""
    try:
        with Image.open(path, formats=FORMATS) as picture:
            return picture.size
    except DAMAGED as error:
        raise ClipError(f"{path}: cannot be read as a picture ({_one_line(error)})", "damaged") from None


@dataclass(frozen=True)
class Clock:
    """Which of the pictures belong to the asked span, and when they are shown; seconds where there is an `fps`.

    first: the number of pictures before the span.
    """

    times_s_T: np.ndarray
    span_s: tuple[float, float]
    first: int
    timed: bool


def clock(paths: list[str], fps: float | None, asked_s: tuple[float, float]) -> Clock:
    """Picture k is on display from k / fps to (k + 1) / fps.

    A picture belongs to the span if it begins in it; where none does, the one on display at its start. Raises
    ClipError for a span that begins after the last picture, or that is asked of pictures without an fps.
    """
    if fps is None:
        if asked_s != (0.0, math.inf):
            raise ClipError(
                f"{paths[0]}: a span (start_s, end_s) was asked of pictures, which have no clock without fps", "span"
            )
        return Clock(np.arange(len(paths), dtype=np.float64), (0.0, float(len(paths))), 0, timed=False)
    starts_s_N, end_s = np.arange(len(paths)) / fps, len(paths) / fps
    if asked_s[0] >= end_s:
        raise ClipError(
            f"{paths[0]}: no picture is on display from {asked_s[0]} s to {asked_s[1]} s; at {fps:g} a second the last "
            f"of the {len(paths)} ends at {end_s:.3f} s",
            "span",
        )
    inside = np.flatnonzero((starts_s_N >= asked_s[0]) & (starts_s_N < asked_s[1]))
    if not len(inside):
        inside = np.flatnonzero(starts_s_N <= asked_s[0])[-1:]
    return Clock(starts_s_N[inside], (asked_s[0], min(asked_s[1], end_s)), int(inside[0]), timed=True)


def read_pictures(paths: list[str], choose: Choose, view: View, seen: Clock) -> Clip:
    """The chosen pictures, all at the size of the first of them. Raises ClipError, also for unlike aspects."""
    indices = choose(seen.times_s_T, seen.span_s)
    shown = [paths[seen.first + index] for index in indices]
    frames: list[np.ndarray] = []
    shape: tuple[int, int] = (0, 0)
    size: tuple[int, int] = (0, 0)
    for path in shown:
        picture = _upright(path)
        part = view.part_px(picture.size, None)
        if not frames:
            shape = picture.size
            size = geometry.fitted_size(part[2] - part[0], part[3] - part[1], None, view.max_pixels)
        elif not geometry.same_shape(picture.size, shape):
            raise ClipError(
                f"{path}: is {picture.width}x{picture.height} and the clip's first picture, "
                f"{shown[0]}, has another aspect; crop or pad the pictures of a clip alike"
            )
        frames.append(np.asarray(geometry.resized(picture, part, size, rough=view.rough)))
    return Clip(np.stack(frames), seen.times_s_T[indices], seen.timed, len(seen.times_s_T), view.crop)


def _upright(path: str) -> Image.Image:
    try:
        with Image.open(path, formats=FORMATS) as picture:
            if picture.format == "TIFF" and getattr(picture, "n_frames", 1) > 1:
                raise ClipError(f"{path}: holds several pages; save each picture to a file of its own")
            picture.load()
            return _rgb(ImageOps.exif_transpose(picture), path)
    except ClipError:
        raise
    except DAMAGED as error:
        kind = "truncated" if "truncated" in str(error) else "damaged"
        what = f"{path}: cannot be read as a picture ({_one_line(error)}); replace the file or leave the row out"
        raise ClipError(what, kind) from None


def _rgb(picture: Image.Image, path: str) -> Image.Image:
    if picture.mode == "F":
        raise ClipError(f"{path}: has floating-point pixels without a known range; save it with 8 or 16 bits")
    if picture.mode.startswith("I"):
        # PIL's own conversion of 16-bit greys cuts at 255 and leaves a white picture.
        grey_HW = np.asarray(picture).astype(np.int64)
        if grey_HW.min() < 0 or grey_HW.max() > 65535:
            raise ClipError(f"{path}: has 32-bit pixels without a known range; save it with 8 or 16 bits")
        return Image.fromarray((grey_HW // 257).astype(np.uint8)).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        return geometry.over_white(picture)
    return picture.convert("RGB")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
