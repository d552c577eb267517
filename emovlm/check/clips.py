"""One clip decoded whole: what it is, or why it cannot be used. A record is plain JSON values.

T visible frames; K places in the clip that are looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from emovlm.check import alike
from emovlm.frames import decode
from emovlm.frames.clip import ClipError

SMALL_PIXELS = 64 * 64
# Shares of the time that is seen: a copy at another rate shows the same there.
PLACES_K = (1 / 6, 1 / 2, 5 / 6)
# A gap so many times the usual one: a rate that varies, not a time that was rounded.
UNEVEN = 1.5


def record_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Every frame of the clip (of its span) is decoded.

    Keys: fault and kind (None where all is well); frames, seconds (None without a clock), uneven, short (less is there
    than the header tells), width_px, height_px, hdr, still; content: digest of the files; looks: alike.look_of of each
    place.
    """
    media = list(row["media"])
    span = {"start_s": row.get("start_s"), "end_s": row.get("end_s"), "fps": row.get("fps")}
    seen: list[Any] = []

    try:
        header = decode.header(media)

        def choose(times_s_T: np.ndarray, span_s: tuple[float, float]) -> np.ndarray:
            seen[:] = times_s_T, span_s  # asked again where the packets misled: the last time counts
            ends = range(len(times_s_T)) if header.still else (0, len(times_s_T) - 1)
            return np.unique([*ends, *_places(times_s_T)])

        clip = decode.read(media, choose, **span, max_pixels=SMALL_PIXELS, rough=True)
        content = _digest(media)
    except ClipError as error:
        return {"fault": str(error), "kind": error.kind}
    except OSError as error:
        return {"fault": f"{media[0]}: cannot be read ({error.strerror})", "kind": "unreadable"}
    times_s_T, span_s = seen
    at = dict(zip(clip.times_s_T.tolist(), clip.frames_THWC, strict=True))
    return {
        "fault": None,
        "kind": None,
        "frames": clip.num_visible,
        "seconds": round(span_s[1] - span_s[0], 4) if clip.timed else None,
        "uneven": clip.timed and not header.still and _uneven(times_s_T),
        "short": row.get("start_s") is row.get("end_s") is None and _short(header, clip.num_visible, span_s[1]),
        "width_px": header.width_px,
        "height_px": header.height_px,
        "hdr": header.hdr,
        "still": header.still,
        "content": content,
        "looks": [alike.look_of(at[times_s_T[index]]) for index in _places(times_s_T)],
    }


def _places(times_s_T: np.ndarray) -> list[int]:
    """Indices of the frames on display at PLACES_K of the time between the first and the last frame."""
    first_s, last_s = times_s_T[0], times_s_T[-1]
    asked_s_K = [first_s + share * (last_s - first_s) for share in PLACES_K]
    return [int(np.searchsorted(times_s_T, time_s + 1e-9, side="right")) - 1 for time_s in asked_s_K]


def _uneven(times_s_T: np.ndarray) -> bool:
    gaps_s = np.diff(times_s_T)
    usual_s = float(np.median(gaps_s)) if len(gaps_s) else 0.0
    return usual_s > 0 and bool((gaps_s > UNEVEN * usual_s).any() or (gaps_s < usual_s / UNEVEN).any())


def _short(header: decode.Header, frames: int, seconds: float) -> bool:
    slack_s = max(2 * seconds / frames, 0.05 * seconds)
    return frames < (header.frames or 0) or (not header.still and seconds + slack_s < (header.seconds or 0.0))


def _digest(media: Sequence[str]) -> str:
    found = hashlib.blake2b(digest_size=20)
    for path in media:
        with open(path, "rb") as file:
            found.update(hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=20)).digest())
    return found.hexdigest()
