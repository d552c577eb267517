"""What a clip is after decoding, and the one error that says why it could not be decoded.

Shapes: T chosen frames, H rows, W columns, C = 3 (red, green, blue).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from emovlm import UserError
from emovlm.frames.boxes import Box

# (times_s_T, (start_s, end_s)) -> indices_T: what a frame policy is once its own arguments are bound.
Choose: TypeAlias = Callable[[np.ndarray, tuple[float, float]], np.ndarray]


class ClipError(UserError):
    """A file that cannot be read as a clip. The message is one line that begins with the file.

    kind: by which `emovlm data check` groups: missing, empty, git_lfs, truncated, damaged, audio_only, no_video,
    no_frame, span, too_slow, or unreadable for what is no clip at all.
    """

    def __init__(self, message: str, kind: str = "unreadable"):
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Clip:
    """Chosen frames with their clock.

    frames_THWC: uint8, upright, square pixels, all of one size.
    times_s_T: float64, seconds from the first visible frame of the FILE (so that they compare with `apex_s` and the
        like), ascending. For pictures without an `fps` 0, 1, 2, ... and no seconds at all.
    timed: False for pictures without an `fps`, whose times are only an order.
    num_visible: visible frames there were to choose from (in the asked span).
    crop: the part of the picture that the frames show, by `frames.crop`; None for all of it.
    """

    frames_THWC: np.ndarray
    times_s_T: np.ndarray
    timed: bool
    num_visible: int
    crop: Box | None = None
