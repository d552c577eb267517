"""The renderer: (subject, action units, camera) -> one picture.

Legend: V vertices, U face units, H W picture, 3 = x y z or red green blue.
"""

from __future__ import annotations

import cv2
import numpy as np

from tools.demo import painting
from tools.demo import rasterizing as r
from tools.demo.action_units import DRAWN_BY
from tools.demo.geometry import load
from tools.demo.subjects import Camera, Subject, build_face, draw_subject, shape_pairs

SIDE_PX = 112
SUPERSAMPLING = 2


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Turns about y, then x, then z."""
    cy, sy, cx, sx, cz, sz = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


class Head:
    """The head with everything that does not depend on the subject worked out once (4 s)."""

    def __init__(self) -> None:
        self.geometry = load()
        reference_V3 = build_face(self.geometry, male=0.5, old=0.0, weight=0.0, ancestry=(1 / 3, 1 / 3, 1 / 3))
        left_V, right_V = painting.eye_vertices(self.geometry)
        self.eyes_V = np.concatenate([left_V, right_V])
        middle_3 = reference_V3[self.eyes_V].mean(0)
        self.unit = abs(reference_V3[left_V].mean(0)[0] - reference_V3[right_V].mean(0)[0]) / 2
        self.pairs = shape_pairs(self.geometry)
        self.paint = painting.draw(self.geometry, reference_V3, self.unit, middle_3[1])
        self.eye_V2, self.eye_radius = painting.eye_coordinates(self.geometry, reference_V3)
        self.place_V3 = (reference_V3 - middle_3) / self.unit
        self.reference_V3 = reference_V3
        # Offsets of every unit on the few vertices that it moves.
        self.movers = {}
        for name, offsets_V3 in (self.geometry.units | self.geometry.shapes).items():
            moved_V = np.flatnonzero(np.abs(offsets_V3).max(1) > 1e-4)
            self.movers[name] = (moved_V, offsets_V3[moved_V])

    def subject(self, rng: np.random.Generator) -> Subject:
        """Draws an identity."""
        return draw_subject(rng, self.geometry, self.pairs, self.eyes_V, self.place_V3, self.unit)

    def deform(
        self, subject: Subject, units: dict[int, float], *, asymmetry: float, blink: float, gaze: tuple[float, float]
    ) -> np.ndarray:
        """positions_V3 of the face that shows `units`; `asymmetry` > 0 strengthens the subject's left side.

        `gaze` = (to the subject's left, up), each in -1..1.
        """
        strength: dict[str, float] = {}
        for unit, value in units.items():
            for name, factor in DRAWN_BY[unit].items():
                sides = (("Left", 1 + asymmetry), ("Right", 1 - asymmetry))
                if name in self.movers:
                    sides = (("", 1.0),)
                for side, share in sides:
                    # Two action units that share a face unit must not tear the mesh.
                    strength[name + side] = min(strength.get(name + side, 0.0) + value * factor * share, 1.9)
        for side in ("Left", "Right"):
            strength["eyeBlink" + side] = blink
            strength[("eyeLookUp" if gaze[1] > 0 else "eyeLookDown") + side] = abs(gaze[1])
            inward = (gaze[0] > 0) == (side == "Right")
            strength[("eyeLookIn" if inward else "eyeLookOut") + side] = abs(gaze[0])
        positions_V3 = subject.positions_V3.copy()
        for name, value in strength.items():
            if value:
                moved_V, offsets_M3 = self.movers[name]
                positions_V3[moved_V] += value * offsets_M3
        return positions_V3

    def render(
        self,
        subject: Subject,
        units: dict[int, float],
        camera: Camera,
        *,
        asymmetry: float = 0.0,
        blink: float = 0.0,
        gaze: tuple[float, float] = (0.0, 0.0),
        side_px: int = SIDE_PX,
    ) -> np.ndarray:
        """A picture as float64 colours_HW3, about 0..1 (not clipped)."""
        positions_V3 = self.deform(subject, units, asymmetry=asymmetry, blink=blink, gaze=gaze)
        size = side_px * SUPERSAMPLING
        turn_33 = rotation(camera.yaw, camera.pitch, camera.roll)
        normals_V3 = np.empty_like(positions_V3)
        r.vertex_normals(positions_V3, self.geometry.triangles_F3, normals_V3)
        diffuse_V, gloss_V = _light(_turned(normals_V3, turn_33), camera)
        pivot_3 = np.array([0.0, -0.85, -1.5]) * self.unit
        turned_V3 = _turned(positions_V3 - pivot_3, turn_33)
        distance = 28.0 * self.unit
        scale_V = camera.zoom * size / (7.4 * self.unit) * distance / (distance - turned_V3[:, 2])
        screen_V2 = np.stack(
            [
                size * (0.5 + camera.dx) + turned_V3[:, 0] * scale_V,
                size * (0.5 + camera.dy) - turned_V3[:, 1] * scale_V,
            ],
            1,
        )
        front_V = (self.place_V3[:, 2] > -2.2).astype(np.float64)
        attributes_VK = np.stack(
            [self.reference_V3[:, 0], self.reference_V3[:, 1], diffuse_V, gloss_V, subject.hair_V,
             self.eye_V2[:, 0], self.eye_V2[:, 1], front_V], 1,
        )  # fmt: skip
        picture_HWK = np.zeros((size, size, attributes_VK.shape[1]))
        material_HW = np.full((size, size), -1, np.int32)
        r.rasterize(
            screen_V2, turned_V3[:, 2].copy(), attributes_VK, self.geometry.triangles_F3, self.geometry.material_F,
            picture_HWK, material_HW, np.full((size, size), -1e9),
        )  # fmt: skip
        down_H1 = np.linspace(0, 1, size)[:, None]
        backdrop_H3 = camera.backdrop_23[0] * (1 - down_H1) + camera.backdrop_23[1] * down_H1
        out_HW3 = np.empty((size, size, 3))
        r.shade(
            picture_HWK, material_HW, self.paint.paint_SSC, self.paint.left, self.paint.top,
            self.paint.pixels_per_unit, subject.colours_N3, self.eye_radius * 0.52,
            _wrinkles(units) * subject.wrinkling, backdrop_H3, out_HW3,
        )  # fmt: skip
        return cv2.resize(out_HW3, (side_px, side_px), interpolation=cv2.INTER_AREA)


def _turned(vectors_V3: np.ndarray, turn_33: np.ndarray) -> np.ndarray:
    """vectors_V3 @ turn_33.T, summed in a fixed order: a BLAS product differs in the last digit between machines."""
    return np.stack([sum(vectors_V3[:, k] * turn_33[row, k] for k in range(3)) for row in range(3)], 1)


def _light(normals_V3: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """(diffuse_V, gloss_V): Lambert plus ambient, darker at the rim; a weak Blinn-Phong shine."""
    light_3 = camera.light_3 / np.sqrt((camera.light_3**2).sum())
    half_3 = light_3 + np.array([0.0, 0.0, 1.0])
    half_3 /= np.sqrt((half_3**2).sum())
    facing_V = np.clip(sum(normals_V3[:, k] * light_3[k] for k in range(3)), 0, 1)
    shine_V = np.clip(sum(normals_V3[:, k] * half_3[k] for k in range(3)), 0, 1)
    rim_V = 0.12 * (1 - np.clip(normals_V3[:, 2], 0, 1)) ** 3
    return (camera.ambient + (1 - camera.ambient) * facing_V) * camera.gain - rim_V, 0.10 * shine_V**20


def _wrinkles(units: dict[int, float]) -> np.ndarray:
    """How dark each painted line is: frown, nasolabial fold, crow's feet, forehead, marionette, chin, stretch."""
    strength = {unit: units.get(unit, 0.0) for unit in DRAWN_BY}
    forehead = 0.35 * min(strength[1], strength[2]) + 0.25 * strength[1] * max(1 - strength[2], 0)
    folds = max(0.5 * strength[9], 0.55 * strength[10], 0.45 * strength[12])
    return np.array(
        [0.55 * strength[4] + 0.2 * strength[9], folds, 0.4 * strength[6], forehead,
         0.5 * strength[15], 0.4 * strength[17], 0.45 * strength[20]]
    )  # fmt: skip
