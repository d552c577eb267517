"""Decoded frames on disk: a clip is decoded once, and then read.

What is kept is what decoding tells and a choice does not change: the times of the visible frames, and pixels by their
places. The policy itself runs anew on the kept times, which costs microseconds, so no change of a policy, of its
arguments or of an annotation can meet an old choice. A random policy chooses others in every epoch; for it all frames
are kept, and the chosen ones read.

An entry is one file in the safetensors format, named by a hash of all that its content depends on:
- the content of the media: size, time of change, and the first and last 64 KiB. The path is not part of it, so a data
  set may be moved (or copied with its times: rsync -a, tar). Not all bytes are read, or a warm read of a long film
  would cost as much as a cold one; an edit of a video inside those bounds changes its time, and a new encoding its
  index at one of the ends.
- the span, the most pixels, the crop, the places, and VERSION: of the code here and of the libraries that decode.
Each array carries a checksum a row, so that an entry that is cut off or damaged is recognised, and decoded anew.

Several processes may share a folder: an entry is written under a temporary name and renamed, and two that write the
same one write the same bytes. The time of the last use is the file's own; the oldest go when the folder is full.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import time
import warnings
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import PIL
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from emovlm import UserError
from emovlm.frames import decode
from emovlm.frames.boxes import Box
from emovlm.frames.clip import Choose, Clip

VERSION = (1, av.__version__, PIL.__version__)
END_BYTES = 64 * 1024
# All frames of a clip are kept for a random policy up to this size (9 s of 448 x 224 at 25 fps), because they are in
# memory for a moment; a longer clip is decoded in every epoch.
MOST_DENSE_BYTES = 64 * 1024**2
# A process looks at the whole folder again when it has written so much: 1/32 of the free room, at least 1/256 of all;
# and makes room until 1/16 is free. So up to sixteen processes that know nothing of each other stay within `max_bytes`.
FREE_SHARE, LEAST_SHARE, LEAVE_FREE = 1 / 32, 1 / 256, 1 / 16
# A temporary file this old was left by a process that was killed.
ABANDONED_S = 3600.0
# Endings that nobody else uses: somebody may point the cache at a folder that holds other things.
ENTRY, TEMPORARY, CHECK = ".emovlm-frames", ".emovlm-frames-tmp", ".check"


class DamagedError(Exception):
    """An array of an entry is not what was written."""


class Cache:
    """Arrays by key in a folder of at most `max_bytes`. Made once a process; holds no open file."""

    def __init__(self, folder: Path, max_bytes: float) -> None:
        self.folder, self.max_bytes = folder, max_bytes
        self._room = 0.0
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"frames.cache: {folder}: cannot be made ({error.strerror})") from None

    def get(self, key: str, rows: Sequence[int] | None = None) -> dict[str, np.ndarray] | None:
        """The arrays of an entry, or these rows of them; None where there is no entry that can be read."""
        path = self._path(key)
        try:
            with safe_open(path, framework="np") as file:
                names = [name for name in file.keys() if not name.endswith(CHECK)]  # noqa: SIM118 (it is no dict)
                found = {name: _rows(file, name, rows) for name in names}
        except (OSError, SafetensorError, DamagedError):
            return None
        with contextlib.suppress(OSError):  # it may be gone by now, or not ours to touch
            os.utime(path)
        return found

    def holds(self, key: str) -> bool:
        """Whether there is an entry, without reading it."""
        return self._path(key).is_file()

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep arrays of at least one dimension. A folder that cannot take them costs time and changes no number."""
        kept = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        kept |= {f"{name}{CHECK}": _checks(array) for name, array in kept.items()}
        path = self._path(key)
        # At random: processes of two machines that share the folder may have the same number.
        temporary = path.with_name(f"{path.stem}.{os.urandom(8).hex()}{TEMPORARY}")
        size = sum(array.nbytes for array in kept.values())
        try:
            if self._make_room(size):
                path.parent.mkdir(exist_ok=True)
                save_file(kept, temporary)
                os.replace(temporary, path)
                if self._room < size:
                    # Others may have found the same room meanwhile: whoever writes last sees all of it.
                    self._room = -1
                    self._make_room(0)
        except (OSError, SafetensorError) as error:
            temporary.unlink(missing_ok=True)
            message = f"frames.cache: {self.folder}: cannot be written ({error}); clips are decoded in every epoch"
            warnings.warn(message, stacklevel=2)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}{ENTRY}"

    def _make_room(self, size: int) -> bool:
        """Whether there is room for `size` bytes, after the longest unused entries have gone."""
        self._room -= size
        if self._room >= 0:
            return True
        entries = sorted(self._entries())
        total = sum(bytes_ for _, bytes_, _ in entries)
        if total + size > self.max_bytes:
            for _, bytes_, path in entries:
                if total + size <= self.max_bytes * (1 - LEAVE_FREE):
                    break
                path.unlink(missing_ok=True)
                total -= bytes_
        free = self.max_bytes - total - size
        self._room = max(free * FREE_SHARE, self.max_bytes * LEAST_SHARE)
        return free >= 0

    def _entries(self) -> list[tuple[float, int, Path]]:
        """(time of last use, bytes, path); what a killed process left half-written goes."""
        found = []
        for folder in self.folder.iterdir():
            if not folder.is_dir():
                continue
            for path in folder.iterdir():
                try:
                    state = path.stat()
                except FileNotFoundError:
                    continue  # another process made room
                if path.suffix == ENTRY:
                    found.append((state.st_mtime, state.st_size, path))
                elif path.suffix == TEMPORARY and state.st_mtime < time.time() - ABANDONED_S:
                    path.unlink(missing_ok=True)
        return found


@functools.cache
def at(folder: Path, max_gb: float) -> Cache:
    """The cache of this process in a folder."""
    return Cache(folder, max_gb * 1e9)


@dataclass(frozen=True)
class Part:
    """The part of a clip that is looked at: its span in time and its crop in space, as decode.read has them.

    fps: the clock of pictures.
    """

    media: list[str]
    start_s: float | None = None
    end_s: float | None = None
    crop: Box | None = None
    fps: float | None = None


def read(
    cache: Cache | None, part: Part, choose: Choose, *, max_pixels: int, rough: bool = False, every: bool = False
) -> Clip:
    """What `decode.read` gives, to the last bit. every: keep all frames, because the next choice will be another."""
    span_s = {"start_s": part.start_s, "end_s": part.end_s, "fps": part.fps}
    decoded = functools.partial(decode.read, part.media, **span_s, crop=part.crop, max_pixels=max_pixels, rough=rough)
    content = None if cache is None else content_of(part.media)
    if cache is None or content is None:
        return decoded(choose)
    span = (content, part.start_s, part.end_s, part.fps)

    def frames_key(indices: np.ndarray) -> str:
        return key_of("frames", *span, part.crop, max_pixels, rough, "all" if every else indices.tolist())

    known = cache.get(key_of("times", *span))
    if known is not None:
        times_s_T, (start_s, end_s) = known["times_s_T"], known["span_s"].tolist()
        indices = choose(times_s_T, (start_s, end_s))
        found = cache.get(frames_key(indices), rows=indices.tolist() if every else None)
        if found is not None:
            return Clip(found["frames_THWC"], times_s_T[indices], bool(known["timed"][0]), len(times_s_T), part.crop)
    last: list[Any] = []

    def remember(times_s_T: np.ndarray, span_s: tuple[float, float]) -> np.ndarray:
        last[:] = times_s_T, span_s, choose(times_s_T, span_s)
        dense = every and 3 * max_pixels * len(times_s_T) <= MOST_DENSE_BYTES
        return np.arange(len(times_s_T)) if dense else last[2]

    clip = decoded(remember)
    times_s_T, span_s, indices = last  # of the last call, which stands on the times of the decoded frames
    if known is None:
        timed = np.array([clip.timed], np.uint8)
        cache.put(key_of("times", *span), {"times_s_T": times_s_T, "span_s": np.array(span_s), "timed": timed})
    if not every:
        cache.put(frames_key(indices), {"frames_THWC": clip.frames_THWC})
    elif len(clip.frames_THWC) == len(times_s_T):
        cache.put(frames_key(indices), {"frames_THWC": clip.frames_THWC})
        clip = replace(clip, frames_THWC=clip.frames_THWC[indices], times_s_T=times_s_T[indices])
    return clip


def key_of(*parts: Any) -> str:
    """The name of an entry: a hash of all that its content depends on, VERSION with it."""
    return hashlib.blake2b(json.dumps([VERSION, *parts]).encode(), digest_size=20).hexdigest()


def content_of(media: list[str]) -> list[str] | None:
    """What the files are, by size, time of change and both ends; None where one cannot be read (decoding says why)."""
    try:
        return [_content(path) for path in media]
    except OSError:
        return None


def _content(path: str) -> str:
    with open(path, "rb") as file:
        state = os.fstat(file.fileno())
        known = hashlib.blake2b(f"{state.st_size} {state.st_mtime_ns} ".encode(), digest_size=20)
        known.update(file.read(END_BYTES))
        if state.st_size > END_BYTES:
            file.seek(state.st_size - END_BYTES)
            known.update(file.read(END_BYTES))
    return known.hexdigest()


def _checks(array: np.ndarray) -> np.ndarray:
    """checks_N: a CRC-32 of each row."""
    return np.array([zlib.crc32(memoryview(row)) for row in array], np.uint32)


def _rows(file: Any, name: str, rows: Sequence[int] | None) -> np.ndarray:
    """The array `name` of an open entry, or these rows of it. Raises DamagedError where it is not what was written."""
    checks_N = file.get_tensor(f"{name}{CHECK}")
    if rows is None:
        array = file.get_tensor(name)
    else:
        kept = file.get_slice(name)
        array, checks_N = np.concatenate([kept[row : row + 1] for row in rows]), checks_N[rows]
    if not np.array_equal(_checks(array), checks_N):
        raise DamagedError(name)
    return array
