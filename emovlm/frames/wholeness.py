"""Whether a file has its end: FFmpeg reads a truncated WebM, MKV or GIF as a shorter one and says nothing."""

from __future__ import annotations

import os

_SEGMENT = b"\x18\x53\x80\x67"


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
