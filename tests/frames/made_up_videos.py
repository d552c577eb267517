"""Small videos whose pixels tell which frame they are (grey level) or which corner is which (four colours)."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

LEVEL = 6  # grey levels between consecutive frames: above what coding at this quality moves
RED, GREEN, BLUE, YELLOW = (200, 30, 30), (30, 160, 30), (40, 40, 200), (210, 210, 40)


def grey(index: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    return np.full((size[1], size[0], 3), 10 + LEVEL * index, np.uint8)


def corners(size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """Red top left, green top right, blue bottom left, yellow bottom right."""
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2], picture[: height // 2, width // 2 :] = RED, GREEN
    picture[height // 2 :, : width // 2], picture[height // 2 :, width // 2 :] = BLUE, YELLOW
    return picture


def indices_of(frames_THWC: np.ndarray) -> list[int]:
    """Which frames these are, by their grey level."""
    return [round((float(frame.mean()) - 10) / LEVEL) for frame in frames_THWC]


def colours_of(frame_HWC: np.ndarray) -> list[str]:
    """Names of the colours top left, top right, bottom left, bottom right."""
    height, width = frame_HWC.shape[:2]
    table = {"red": RED, "green": GREEN, "blue": BLUE, "yellow": YELLOW}
    names = []
    for y in (height // 4, 3 * height // 4):
        for x in (width // 4, 3 * width // 4):
            distance = {name: np.abs(frame_HWC[y, x].astype(int) - colour).sum() for name, colour in table.items()}
            names.append(min(distance, key=lambda name: distance[name]))
    return names


def write_video(
    path: Path,
    frames: list[np.ndarray],
    *,
    pts: list[int] | None = None,
    time_base: Fraction = Fraction(1, 20),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    pixel_aspect: Fraction | None = None,
    rotation: int = 0,
    audio: str = "none",
    audio_s: float = 2.0,
    cover: bool = False,
    full_range: bool = False,
) -> Path:
    """audio: none, first (stream 0 is sound) or last."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        sound = _add_sound(container) if audio == "first" else None
        stream = container.add_stream(codec, rate=round(1 / time_base))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.options = pix_fmt, options or {}
        stream.codec_context.time_base = time_base
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        if full_range:
            stream.codec_context.color_range = 2
        if rotation:
            stream.set_display_rotation(rotation)
        sound = _add_sound(container) if audio == "last" else sound
        if cover:
            _add_cover(container)
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            if full_range:
                frame = frame.reformat(format=pix_fmt, dst_color_range=2)
            frame.pts, frame.time_base = (pts[index] if pts else index), time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound is not None:
            write_sound(container, sound, audio_s)
    return path


def _add_sound(container):
    return container.add_stream("aac" if container.format.name != "webm" else "libopus", rate=48000)


def write_sound(container, stream, seconds: float) -> None:
    for start in range(0, round(48000 * seconds), 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def _add_cover(container) -> None:
    stream = container.add_stream("mjpeg", rate=1)
    stream.width, stream.height, stream.pix_fmt = 32, 32, "yuvj420p"
    stream.disposition = Disposition.attached_pic
    frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
    frame.pts = 0
    container.mux(stream.encode(frame))
    container.mux(stream.encode())
