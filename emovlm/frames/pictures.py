"""Pictures as a clip: one photograph, or several in the order given. Their times are 0, 1, 2, ... and no seconds."""

from __future__ import annotations

import os

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


def read_pictures(paths: list[str], choose: Choose, view: View) -> Clip:
    """The chosen pictures, all at the size of the first of them. Raises ClipError, also for unlike aspects."""
    times_s_T = np.arange(len(paths), dtype=np.float64)
    indices = choose(times_s_T, (0.0, float(len(paths))))
    frames: list[np.ndarray] = []
    shape: tuple[int, int] = (0, 0)
    size: tuple[int, int] = (0, 0)
    for index in indices:
        picture = _upright(paths[index])
        part = view.part_px(picture.size, None)
        if not frames:
            shape = picture.size
            size = geometry.fitted_size(part[2] - part[0], part[3] - part[1], None, view.max_pixels)
        elif not geometry.same_shape(picture.size, shape):
            raise ClipError(
                f"{paths[index]}: is {picture.width}x{picture.height} and the clip's first picture, "
                f"{paths[indices[0]]}, has another aspect; crop or pad the pictures of a clip alike"
            )
        frames.append(np.asarray(geometry.resized(picture, part, size, rough=view.rough)))
    return Clip(np.stack(frames), times_s_T[indices], timed=False, num_visible=len(paths), crop=view.crop)


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
        state = "is empty" if os.path.getsize(path) == 0 else f"cannot be read as a picture ({_one_line(error)})"
        raise ClipError(f"{path}: {state}; replace the file or leave the row out") from None


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
