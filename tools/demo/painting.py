"""The paint map: what geometry does not carry (lips, brows, wrinkles, blush), drawn on the reference face.

A map is a front view of the reference face of SIDE pixels; every vertex keeps its place on that face, so paint moves
with the skin. Wrinkles are drawn dark and mixed in by how strong their action units are.
Legend: S map side, C channels (rasterizing.LIPS ...), V vertices.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tools.demo import rasterizing as r
from tools.demo.geometry import EYE, SKIN, Geometry

SIDE = 320


@dataclass(frozen=True)
class PaintMap:
    """Where the map lies on the reference face (x to the subject's left, y up, decimetres), and what is on it."""

    left: float
    top: float
    pixels_per_unit: float
    paint_SSC: np.ndarray


def eye_vertices(geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the left and of the right eyeball's vertices."""
    return (
        np.flatnonzero(geometry.label_V == "helper-l-eye"),
        np.flatnonzero(geometry.label_V == "helper-r-eye"),
    )


def draw(geometry: Geometry, reference_V3: np.ndarray, half_eye_distance: float, eye_height: float) -> PaintMap:
    """Draws the map on the reference face; lengths below are in half eye distances around the eyes' middle."""
    unit = half_eye_distance
    half_width = 3.6 * unit
    left, top, scale = -half_width, eye_height + 0.8 * half_width, SIDE / (2 * half_width)
    paint_SSC = np.zeros((SIDE, SIDE, r.NUM_PAINTS))
    paint_SSC[..., r.LIPS] = _lips(geometry, reference_V3, left, top, scale)

    def stroke(channel: int, points: list[tuple[float, float]], thickness: int, blur_px: float) -> None:
        """A blurred line through `points`, mirrored onto the other half of the face."""
        for mirror in (-1, 1):
            pixels = [
                (round((mirror * x * unit - left) * scale * 8), round((top - eye_height - y * unit) * scale * 8))
                for x, y in points
            ]
            line = np.zeros((SIDE, SIDE), np.uint8)
            cv2.polylines(line, [np.array(pixels, np.int32).reshape(-1, 1, 2)], False, 255, thickness, cv2.LINE_AA, 3)
            soft = cv2.GaussianBlur(line.astype(np.float64) / 255, (0, 0), blur_px)
            paint_SSC[..., channel] = np.maximum(paint_SSC[..., channel], soft / max(soft.max(), 1e-6))

    stroke(r.BROWS, [(0.42, 0.62), (0.62, 0.72), (0.9, 0.78), (1.2, 0.78), (1.45, 0.70), (1.65, 0.56)], 7, 1.6)
    stroke(r.FROWN, [(0.16, 0.25), (0.18, 0.55), (0.14, 0.85)], 2, 1.2)
    stroke(r.FROWN, [(0.30, 0.40), (0.42, 0.50)], 3, 2.0)
    stroke(r.NASOLABIAL, [(0.55, -0.95), (0.80, -1.25), (1.0, -1.6), (1.08, -1.95)], 3, 1.5)
    for slope in (-0.15, 0.05, 0.22):
        stroke(r.CROWS_FEET, [(1.75, slope * 0.8 - 0.02), (2.05, slope * 1.6 - 0.05)], 2, 1.2)
    for height in (1.25, 1.55, 1.85):
        stroke(r.FOREHEAD, [(x, height - 0.06 * x * x) for x in np.linspace(0.0, 1.2, 7)], 2, 1.4)
    stroke(r.MARIONETTE, [(0.86, -2.0), (0.98, -2.25), (1.02, -2.6)], 3, 1.5)
    stroke(r.CHIN, [(0.0, -2.62), (0.25, -2.66), (0.45, -2.80)], 3, 1.6)
    stroke(r.CHIN, [(0.10, -2.95), (0.20, -3.05)], 4, 1.6)
    stroke(r.CHIN, [(0.38, -3.00), (0.44, -3.10)], 4, 1.6)
    for offset in (1.12, 1.32):
        stroke(r.STRETCH, [(offset, -1.62), (offset + 0.10, -1.90), (offset + 0.02, -2.2)], 3, 1.4)
    paint_SSC[..., r.BLUSH] = _blush(unit, left, top, scale, eye_height)
    return PaintMap(left, top, scale, np.ascontiguousarray(paint_SSC))


def _lips(geometry: Geometry, reference_V3: np.ndarray, left: float, top: float, scale: float) -> np.ndarray:
    """anny's lip mask, carried from uv space to the map by drawing the reference face with uv as its colours."""
    screen_V2 = np.stack([(reference_V3[:, 0] - left) * scale, (top - reference_V3[:, 1]) * scale], 1)
    uv_SS2 = np.zeros((SIDE, SIDE, 2))
    material_SS = np.full((SIDE, SIDE), -1, np.int32)
    skin_F = geometry.material_F == SKIN
    r.rasterize(
        screen_V2, reference_V3[:, 2].copy(), geometry.uv_V2, geometry.triangles_F3[skin_F],
        geometry.material_F[skin_F], uv_SS2, material_SS, np.full((SIDE, SIDE), -1e9),
    )  # fmt: skip
    mask_HW = cv2.GaussianBlur(geometry.lips_mask_HW, (0, 0), 2)
    height, width = mask_HW.shape
    u_SS, v_SS = (uv_SS2[..., 0] * width).astype(np.float32), ((1 - uv_SS2[..., 1]) * height).astype(np.float32)
    lips_SS = cv2.remap(mask_HW, u_SS, v_SS, cv2.INTER_LINEAR) * (material_SS >= 0)
    return cv2.GaussianBlur(np.clip(lips_SS * 1.2, 0, 1), (0, 0), 1)


def _blush(unit: float, left: float, top: float, scale: float, eye_height: float) -> np.ndarray:
    """A soft red on both cheeks."""
    rows_SS, columns_SS = np.mgrid[0:SIDE, 0:SIDE]
    x_SS, y_SS = columns_SS / scale + left, top - rows_SS / scale - eye_height
    vertical_SS = ((y_SS + 1.1 * unit) / (0.5 * unit)) ** 2
    left_SS, right_SS = (np.exp(-(((x_SS + m * 1.35 * unit) / (0.6 * unit)) ** 2 + vertical_SS)) for m in (-1, 1))
    return left_SS + right_SS


def eye_coordinates(geometry: Geometry, reference_V3: np.ndarray) -> tuple[np.ndarray, float]:
    """Place of each eyeball vertex relative to its eyeball's middle (eye_V2, 0 elsewhere), and the eye's radius."""
    eye_V2 = np.zeros((len(reference_V3), 2))
    radius = 0.0
    for vertices in eye_vertices(geometry):
        low_3, high_3 = reference_V3[vertices].min(0), reference_V3[vertices].max(0)
        eye_V2[vertices] = (reference_V3[vertices] - (low_3 + high_3) / 2)[:, :2]
        radius = (high_3 - low_3)[0] / 2
    assert set(geometry.material_F[np.isin(geometry.triangles_F3, np.flatnonzero(eye_V2.any(1))).any(1)]) == {EYE}
    return eye_V2, radius
