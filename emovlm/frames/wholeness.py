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
        return _broken_gif(path)
    return None


def _broken_gif(path: str) -> str | None:
    """FFmpeg ends quietly at the first block that it does not know; so all blocks must lead to the mark at the end."""
    with open(path, "rb") as file:
        content = file.read().rstrip(b"\0\r\n")
    if not content.endswith(b";"):
        return "no end mark"
    place = 13 + _gif_colours(content[10])
    while place < len(content) - 1:
        if content[place] == 0x2C:  # a picture, with its own colours or not
            place += 11 + _gif_colours(content[min(place + 9, len(content) - 1)])
        elif content[place] == 0x21:  # an extension
            place += 2
        else:
            break
        while place < len(content) - 1 and content[place]:
            place += content[place] + 1
        place += 1
    return None if place == len(content) - 1 else "its blocks do not lead to its end mark"


def _gif_colours(flags: int) -> int:
    """Bytes of a table of colours."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


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
