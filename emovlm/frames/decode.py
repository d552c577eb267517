"""The one place that decodes. Training, evaluation, prediction and everything shown read clips through `read`.

Frames are chosen by presentation time among the frames that are really visible, which only decoding can tell: edit
lists hide frames, headers miscount them, rates vary. So the choice always stands on the times of decoded frames:
1. the times of the packets, read without decoding, make a first guess (measured: 0.2 to 2.5 % of the cost for filmed
   clips, 19 % for a demo clip, 0.7 of 3.8 ms);
2. one pass decodes the clip, or the asked span, and keeps the pixels of what was chosen on the guess;
3. where the times of the decoded frames are not exactly the guessed ones, the choice is made again on the true times,
   and a second pass keeps that.
Cost: one decode, two for the few files whose packets mislead and for spans that begin late (they are not guessed).
Memory: the chosen frames at their final size.

Errors: everything that cannot be read as it should be raises ClipError (one line that begins with the file): missing,
empty, truncated, damaged, audio only, no video at all. Limits: damage inside a frame that a decoder hides by copying
its neighbours raises nothing here, nor does a transport stream that was cut exactly between two frames.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from emovlm.frames import pictures, video
from emovlm.frames.boxes import Box
from emovlm.frames.clip import Choose, Clip, ClipError
from emovlm.frames.geometry import View
from emovlm.frames.wholeness import is_pointer

__all__ = ["Choose", "Clip", "ClipError", "Header", "glance", "header", "read"]


def read(
    media: list[str],
    choose: Choose,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    fps: float | None = None,
    max_pixels: int,
    crop: Box | None = None,
    rough: bool = False,
) -> Clip:
    """Decode the frames that `choose` picks.

    media: one video, or one or more pictures (told apart by content). start_s, end_s: the span to look at, seconds
    from the file's first visible frame; a frame belongs to it if it begins in it, and where none does, the frame that
    is on display at start_s. fps: of pictures that are the frames of a film; a video has its own clock.
    max_pixels: the most pixels of a frame, square and upright; larger ones are shrunk.
    crop: the part of the upright picture that is shown, the same in all frames; all its pixels go into the budget.
    rough: shrink in a hurry, for thumbnails. Raises ClipError.
    """
    view = View(max_pixels, crop, rough)
    still, asked_s = _asked(media, start_s, end_s)
    if still:
        return pictures.read_pictures(media, choose, view, pictures.clock(media, fps, asked_s))
    return video.read_video(os.path.abspath(media[0]), choose, asked_s, view)


def glance(
    media: list[str], *, start_s: float | None = None, end_s: float | None = None, fps: float | None = None
) -> tuple[np.ndarray, tuple[float, float], bool]:
    """(times_s_T, span_s, timed) of what `read` would choose from, by the packets alone: nothing is decoded.

    For surveys of a data set. The few files whose packets mislead (frames that an edit list hides, damage) are told
    by decoding alone. Raises ClipError.
    """
    still, asked_s = _asked(media, start_s, end_s)
    if still:
        clock = pictures.clock(media, fps, asked_s)
        return clock.times_s_T, clock.span_s, clock.timed
    seen = video.glance(os.path.abspath(media[0]), asked_s)
    if not seen.pts_T:
        raise video.nothing_there(media[0], seen, asked_s)
    return seen.times_s_T(), seen.span_s(asked_s), True


@dataclass(frozen=True)
class Header:
    """What a clip's first file says of itself. hdr: its colours are meant for a screen of high dynamic range.

    frames, seconds: of the whole file, None where it does not tell.
    """

    still: bool
    width_px: int
    height_px: int
    hdr: bool
    frames: int | None = None
    seconds: float | None = None


def header(media: list[str]) -> Header:
    """Raises ClipError. The size is as stored: turned clips have their sides exchanged."""
    still, _ = _asked(media, None, None)
    if still:
        return Header(True, *pictures.size_px(media[0]), hdr=False, frames=len(media))
    with video.Video(os.path.abspath(media[0])) as source:
        return Header(False, *source.size_px, source.hdr, *source.told)


def _asked(media: list[str], start_s: float | None, end_s: float | None) -> tuple[bool, tuple[float, float]]:
    """(are these pictures, the span that is asked of them). Raises ClipError for what is neither pictures nor video."""
    assert media, "a row without media passed the checks of data/"
    for path in media:
        _check_file(path)
    still = [pictures.is_picture(path) for path in media]
    if len(media) > 1 and not all(still):
        odd = media[still.index(False)]
        raise ClipError(f"{odd}: is not a readable picture; a clip is one video, or one or more pictures")
    begin_s, stop_s = 0.0 if start_s is None else start_s, float("inf") if end_s is None else end_s
    if not 0 <= begin_s < stop_s:
        raise ClipError(
            f"{media[0]}: the span from {start_s} s to {end_s} s is empty or begins before the clip", "span"
        )
    return all(still), (begin_s, stop_s)


def _check_file(path: str) -> None:
    if os.path.isdir(path):
        raise ClipError(f"{path}: is a folder; give the files of a clip one by one (metadata column file_names)")
    if not os.path.isfile(path):
        raise ClipError(f"{path}: no such file", "missing")
    if not os.access(path, os.R_OK):
        raise ClipError(f"{path}: may not be read (permissions)")
    if os.path.getsize(path) == 0:
        raise ClipError(f"{path}: is empty (0 bytes); replace the file or leave the row out", "empty")
    if is_pointer(path):
        raise ClipError(f"{path}: is a Git LFS pointer, not the clip itself; run `git lfs pull`", "git_lfs")
