"""One open video file: which stream is the picture, its packets, its decoded frames, and what is wrong with it (PyAV).

Opened where it is used (a container must not cross a fork), decoded by one thread (workers are many), always closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from time import monotonic
from typing import Any

import av
import av.error
from av.video.reformatter import VideoReformatter
from PIL import Image

from emovlm.frames import geometry
from emovlm.frames.clip import ClipError
from emovlm.frames.wholeness import cut_before_index, missing_end

# A clip that takes longer is named and refused: one hanging file must not hold a whole run.
TIME_LIMIT_S = 120.0
# FFmpeg opens these for a text file or a play list, which is no clip.
NO_CLIPS = frozenset({"tty", "hls", "dash", "concat", "ffmetadata", "srt", "webvtt", "ass", "aqtitle"})
REMEDY = "replace the file or leave the row out"


@dataclass
class Tick:
    """pts and duration in ticks (0: unknown)."""

    pts: int
    duration: int


@dataclass
class Frame(Tick):
    """A visible frame; `raw` is PyAV's."""

    raw: Any


class Video:
    """A context manager around one file and its picture stream. Raises ClipError for whatever makes it no clip."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._reformatter = VideoReformatter()
        try:
            self._container = av.open(path, timeout=TIME_LIMIT_S, metadata_errors="replace")
        except (av.error.FFmpegError, OSError, ValueError) as error:
            if cut := cut_before_index(path):
                raise ClipError(
                    f"{path}: is cut off ({cut}), so that nothing can be read; {REMEDY}", "truncated"
                ) from None
            raise ClipError(f"{path}: cannot be opened as a video ({_reason(error)}); {REMEDY}") from None
        try:
            self._stream = self._picture_stream()
        except BaseException:
            self._container.close()
            raise
        self._deadline = monotonic() + TIME_LIMIT_S
        self._first_pts: int | None = None
        self._last_pts: int | None = None

    def __enter__(self) -> Video:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def _picture_stream(self) -> Any:
        streams = self._container.streams
        if set(self._container.format.name.split(",")) & NO_CLIPS:
            raise ClipError(f"{self.path}: is a text file or a play list, no clip")
        # A cover picture is a video stream of one frame by its container; the first real one may come behind audio.
        moving = [stream for stream in streams.video if not stream.disposition & type(stream.disposition).attached_pic]
        if not moving:
            kind = "audio only" if streams.audio else "no video stream"
            cover = " and a cover picture" if streams.video else ""
            what = f"{self.path}: {kind}{cover}; a clip needs a moving picture"
            raise ClipError(what, "audio_only" if streams.audio else "no_video")
        default = [stream for stream in moving if stream.disposition & type(stream.disposition).default]
        stream = (default or moving)[0]
        if stream.codec_context is None:
            raise ClipError(f"{self.path}: no decoder for its video stream; re-encode it, for example to H.264")
        stream.codec_context.thread_count = 1
        return stream

    @property
    def time_base(self) -> Fraction:
        return self._stream.time_base or Fraction(1, av.time_base)

    @property
    def tick_guess(self) -> int:
        """Length of a frame in ticks for a file that tells none: used for the end of the last frame alone."""
        rate = self._stream.average_rate
        return round(1 / (rate * self.time_base)) if rate else 0

    @property
    def untimed(self) -> bool:
        """AVI has times of decoding alone (and a parser invents some of presentation): frames leave in their rhythm."""
        return self._container.format.name == "avi"

    @property
    def pixel_aspect(self) -> Fraction | None:
        return self._stream.sample_aspect_ratio or None

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height) as stored."""
        return self._stream.codec_context.width, self._stream.codec_context.height

    @property
    def hdr(self) -> bool:
        """Whether its brightness is coded by PQ or HLG (SMPTE ST 2084, ARIB STD-B67): numbers of ITU-T H.273."""
        return self._stream.codec_context.color_trc in (16, 18)

    @property
    def told(self) -> tuple[int | None, float | None]:
        """(frames, seconds) by the header, None where it tells nothing about the picture alone."""
        duration = self._container.duration if len(self._container.streams) == 1 else None
        return self._stream.frames or None, duration / av.time_base if duration else None

    def ticks(self) -> Iterator[Tick]:
        """The times of the packets, in order of presentation: a guess at the frames. Raises and decodes nothing."""
        found: list[tuple[int, int]] = []
        try:
            for packet in self._container.demux(self._stream):
                when = packet.dts if packet.pts is None or self.untimed else packet.pts
                if when is not None and not packet.is_discard:
                    found.append((when, packet.duration or 0))
        except (av.error.FFmpegError, OSError):
            pass  # the pass that decodes meets the same fault and names it
        return (Tick(pts, duration) for pts, duration in sorted(found))

    def frames_from(self, pts: int) -> Iterator[Frame]:
        """Decoded frames from the key frame before `pts`; damage to frames that come before it is not judged."""
        try:
            self._container.seek(pts, stream=self._stream, backward=True)
        except (av.error.FFmpegError, OSError) as error:
            raise ClipError(f"{self.path}: cannot be searched ({_reason(error)})") from None
        self._last_pts = None
        return self.frames(judged_from_pts=pts)

    def frames(self, judged_from_pts: int | None = None) -> Iterator[Frame]:
        """The visible frames in order of presentation, to the end of the file. Raises ClipError at the first fault."""
        waiting: list[int] = []
        num_packets = 0
        for packet in self._packets():
            stands_still = not packet.size and packet.dts is not None
            num_packets += packet.size > 0 or stands_still
            if stands_still:
                continue  # "show the last frame again"; handed to the decoder it would mean the end of the stream
            if packet.dts is not None and not packet.is_discard:
                waiting.append(packet.dts)
            for raw in self._decoded(packet):
                rhythm = waiting.pop(0) if waiting else None
                pts = rhythm if raw.pts is None or self.untimed else raw.pts
                if pts is None:
                    raise ClipError(f"{self.path}: its frames have no times (a raw stream?); put it into an .mp4")
                if self._last_pts is not None and pts < self._last_pts:
                    raise self._fault("its presentation times run backwards", "re-encode the file")
                judged = judged_from_pts is None or pts >= judged_from_pts
                if judged and (raw.is_corrupt or packet.is_corrupt):
                    raise self._fault("is damaged")
                self._first_pts = pts if self._first_pts is None else self._first_pts
                self._last_pts = pts
                yield Frame(pts, raw.duration or 0, raw)
        listed = len(self._stream.index_entries) if judged_from_pts is None else 0  # after a jump not all were counted
        missing = missing_end(self.path, self._container.format.name, num_packets, listed)
        if missing is not None:
            raise self._fault(f"is cut off ({missing})", kind="truncated")

    def _packets(self) -> Iterator[Any]:
        try:
            yield from self._container.demux(self._stream)
        except (av.error.FFmpegError, OSError) as error:
            raise self._fault(f"cannot be read ({_reason(error)})") from None

    def _decoded(self, packet: Any) -> list[Any]:
        if monotonic() > self._deadline:
            raise self._fault(f"took more than {TIME_LIMIT_S:.0f} s to decode", "shorten or drop it", "too_slow")
        try:
            return packet.decode()
        except (av.error.FFmpegError, OSError) as error:
            raise self._fault(f"is damaged or cut off ({_reason(error)})") from None

    def _fault(self, what: str, remedy: str = REMEDY, kind: str = "damaged") -> ClipError:
        place = "before its first frame"
        if self._first_pts is not None and self._last_pts is not None:
            place = f"after {float((self._last_pts - self._first_pts) * self.time_base):.3f} s"
        return ClipError(f"{self.path}: {what} {place}; {remedy}", kind)

    def picture(self, frame: Frame) -> Image.Image:
        """RGB pixels as stored: not yet upright, pixels not yet square."""
        raw = frame.raw
        see_through = any(component.is_alpha for component in raw.format.components)
        rgb = self._reformatter.reformat(raw, format="rgba" if see_through else "rgb24", threads=1)
        picture = Image.fromarray(rgb.to_ndarray())
        return geometry.over_white(picture) if see_through else picture

    def turn(self, frame: Frame) -> Image.Transpose | None:
        matrix = frame.raw.side_data.get("DISPLAYMATRIX")
        try:
            return None if matrix is None else geometry.turn_of(bytes(matrix))
        except ValueError as error:
            raise ClipError(f"{self.path}: {error}; re-encode it upright") from None


def _reason(error: BaseException) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
