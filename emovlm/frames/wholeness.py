"""Whether a file has its end: FFmpeg reads a truncated WebM, MKV or GIF as a shorter one and says nothing."""

from __future__ import annotations

import os

_SEGMENT = b"\x18\x53\x80\x67"
_POINTER = b"version https://git-lfs"
# No pointer is longer; no clip worth the name is shorter.
_MOST_OF_A_POINTER = 1024


def is_pointer(path: str) -> bool:
    """Whether the file is what Git LFS leaves where the clip itself was not fetched."""
    if os.path.getsize(path) > _MOST_OF_A_POINTER:
        return False
    with open(path, "rb") as file:
        return file.read(len(_POINTER)) == _POINTER


def cut_before_index(path: str) -> str | None:
    """What shows that an mp4 or mov ends before its index (`moov`), without which no player can read it; or None."""
    size, start, first = os.path.getsize(path), 0, None
    with open(path, "rb") as file:
        while start + 8 <= size:
            file.seek(start)
            head = file.read(16)
            length, name = int.from_bytes(head[:4], "big"), head[4:8]
            length = int.from_bytes(head[8:], "big") if length == 1 else length
            first = first or name
            if first != b"ftyp" or (name == b"moov" and start + length <= size):
                return None
            if length < 8:  # 0: this box goes on to the end of the file
                break
            start += length
    if first is None:
        return None
    return f"{start - size} bytes are missing" if start > size else "it has no index"


def missing_end(path: str, format_name: str, num_packets: int, num_indexed: int) -> str | None:
    """What shows that the end is missing, or None. The counts are of the picture stream's packets, hidden ones too."""
    names = set(format_name.split(","))
    if "mp4" in names and num_packets < num_indexed:
        return f"its index lists {num_indexed} frames, {num_packets} are there"
    if "matroska" in names:
        return _short_segment(path)
    if "gif" in names:
        return None if _gif_ends(path) else "no end mark"
    return None


def _gif_ends(path: str) -> bool:
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - 64))
        return file.read().rstrip(b"\0\r\n").endswith(b";")


def _short_segment(path: str) -> str | None:
    """A Matroska segment tells its size, unless it was recorded live; the file must be as long as it says."""
    with open(path, "rb") as file:
        head = file.read(4096)
    start = head.find(_SEGMENT)
    if start < 0 or len(head) < start + 12:
        return None
    first = head[start + 4]
    length = 9 - first.bit_length()
    if length > 8:
        return None
    size = int.from_bytes(head[start + 4 : start + 4 + length], "big") & ((1 << 7 * length) - 1)
    unknown = size == (1 << 7 * length) - 1
    needed = start + 4 + length + size
    missing = needed - os.path.getsize(path)
    return f"{missing} bytes are missing" if not unknown and missing > 0 else None
