"""Where and how much the picture moves, by optical flow. No model and no face detector: `frames.crop: face` helps.

P consecutive pairs of frames, H rows, W columns; flows in shares of the picture's height, x to the right, y down.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import ndimage

from emovlm.enrich.strip import Failure, Strip

# The flow is found on pictures of this height: fine enough for a brow, coarse enough for 10 ms a pair.
HEIGHT_PX = 96
LEVELS = 3  # motions up to about 2 ** LEVELS pixels, 8 % of the height, are followed
WINDOW_PX = 3.0
# Below, noise of the camera and of the codec.
LEAST = 0.003
TOLD = 2  # of the nine parts of the picture, those that move most
ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")
NOTHING = "nothing moves"


def load(*, stage: str, max_words: int | None) -> Motion:
    """Takes no arguments."""
    return Motion(max_words)


class Motion:
    version = 1
    at_once = 1

    def __init__(self, max_words: int | None):
        self.max_words = max_words
        self.identity: dict[str, Any] = {}

    def describe(self, strips: Sequence[Strip]) -> list[str | Failure]:
        return [self._tell(strip) for strip in strips]

    def _tell(self, strip: Strip) -> str:
        """`bottom centre moves up 1.2 %, peak 0.4 s; all moves left 2.0 %`."""
        near = [[found] if found else [] for found in (strip.before, strip.after)]
        between = list(zip(strip.frames_THWC, strip.times_s_T.tolist(), strict=True))
        frames = [*near[0], *between, *near[1]]
        if len(frames) < 2:
            return NOTHING
        grey = [_grey(frame) for frame, _ in frames]
        flows_PHW2 = np.stack([flow(one, other) for one, other in pairwise(grey)])
        times_s_P = [time_s for _, time_s in frames[1:]]
        whole_P2 = np.median(flows_PHW2, axis=(1, 2))
        phrases = self._parts(flows_PHW2 - whole_P2[:, None, None], times_s_P if strip.timed else None)
        shift_2 = whole_P2.sum(axis=0)
        if np.abs(shift_2).max() >= LEAST:
            phrases.append(f"all moves {_moves(shift_2)}")
        if self.max_words is not None:
            while len(phrases) > 1 and len(" ".join(phrases).split()) > self.max_words:
                phrases.pop()
        return "; ".join(phrases) or NOTHING

    def _parts(self, flows_PHW2: np.ndarray, times_s_P: list[float] | None) -> list[str]:
        """The parts of the picture that move against the rest, the most moved first."""
        found = []
        for row, band_PHW2 in zip(ROWS, np.array_split(flows_PHW2, len(ROWS), axis=1), strict=True):
            for column, part_PHW2 in zip(COLUMNS, np.array_split(band_PHW2, len(COLUMNS), axis=2), strict=True):
                # A part's motion is that of its most moved quarter: a lip is smaller than a ninth of the picture.
                sizes_PN = np.asarray(np.linalg.norm(part_PHW2, axis=-1)).reshape(len(part_PHW2), -1)
                p = int(np.argmax(np.quantile(sizes_PN, 0.75, axis=1)))
                moved_N = sizes_PN[p] >= np.quantile(sizes_PN[p], 0.75)
                motion_2 = np.asarray(part_PHW2[p].reshape(-1, 2)[moved_N].mean(axis=0))
                found.append((float(np.linalg.norm(motion_2)), f"{row} {column}", motion_2, p))
        found.sort(key=lambda part: -part[0])
        when = [f", peak {time_s:.1f} s" for time_s in times_s_P] if times_s_P else [""] * len(flows_PHW2)
        return [
            f"{place} moves {_moves(motion_2)}{when[p]}" for size, place, motion_2, p in found[:TOLD] if size >= LEAST
        ]


def flow(one_HW: np.ndarray, other_HW: np.ndarray) -> np.ndarray:
    """flow_HW2: where each pixel of `one` went in `other`, in shares of the height.

    Lucas and Kanade 1981 with Gaussian windows, coarse to fine over LEVELS levels.
    """
    pyramid = [(one_HW, other_HW)]
    for _ in range(LEVELS - 1):
        one, other = (_zoomed(_smoothed(picture_HW, 1), (0.5, 0.5)) for picture_HW in pyramid[-1])
        pyramid.append((one, other))
    flow_HW2: np.ndarray = np.zeros((*pyramid[-1][0].shape, 2))
    for one, other in reversed(pyramid):
        (rows, columns), (before_rows, before_columns) = one.shape, flow_HW2.shape[:2]
        scale = (rows / before_rows, columns / before_columns)
        x, y = (_zoomed(flow_HW2[..., axis], scale) * scale[1 - axis] for axis in (0, 1))
        flow_HW2 = np.stack([x, y], axis=-1)
        for _ in range(2):
            flow_HW2 = flow_HW2 + _step(one, other, flow_HW2)
    return flow_HW2 / one_HW.shape[0]


def _step(one_HW: np.ndarray, other_HW: np.ndarray, flow_HW2: np.ndarray) -> np.ndarray:
    """The least-squares correction of a flow in pixels."""
    rows_HW, columns_HW = np.indices(one_HW.shape, dtype=float)
    where = [rows_HW + flow_HW2[..., 1], columns_HW + flow_HW2[..., 0]]
    warped_HW = ndimage.map_coordinates(other_HW, where, order=1, mode="nearest")
    y_HW, x_HW = np.gradient(warped_HW, axis=0), np.gradient(warped_HW, axis=1)
    change_HW = warped_HW - one_HW
    products = (x_HW * x_HW, x_HW * y_HW, y_HW * y_HW, x_HW * change_HW, y_HW * change_HW)
    xx, xy, yy, xt, yt = (_smoothed(product_HW, WINDOW_PX) for product_HW in products)
    # Where there is no texture nothing can be seen to move: the correction is damped to zero.
    damped = (xx + yy) * 0.01 + 1e-4
    xx, yy = xx + damped, yy + damped
    determinant = xx * yy - xy * xy
    step_HW2 = np.stack([(xy * yt - yy * xt) / determinant, (xy * xt - xx * yt) / determinant], axis=-1)
    return step_HW2.clip(-2, 2)


def _grey(frame_HWC: np.ndarray) -> np.ndarray:
    """Brightness in [0, 1] at HEIGHT_PX rows, averaged over what a pixel covers."""
    grey_HW = frame_HWC.mean(axis=-1) / 255
    factor = HEIGHT_PX / grey_HW.shape[0]
    return _zoomed(_smoothed(grey_HW, 0.4 / factor) if factor < 1 else grey_HW, (factor, factor))


def _smoothed(picture_HW: np.ndarray, width_px: float) -> np.ndarray:
    return np.asarray(ndimage.gaussian_filter(picture_HW, width_px))


def _zoomed(picture_HW: np.ndarray, factors: tuple[float, float]) -> np.ndarray:
    # Not scipy's default, which takes zeros for the border where a coordinate is rounded beyond it.
    return np.asarray(ndimage.zoom(picture_HW, factors, order=1, mode="nearest"))


def _moves(motion_2: np.ndarray) -> str:
    x, y = motion_2
    way = ("right" if x > 0 else "left") if abs(x) > abs(y) else ("down" if y > 0 else "up")
    return f"{way} {100 * float(np.hypot(x, y)):.1f} %"
