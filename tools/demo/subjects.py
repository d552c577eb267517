"""Identities and cameras: who is seen, and how.

Every subject and every camera is a pure function of its generator. Legend: V vertices, 3 = x y z or red green blue.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.demo.geometry import Geometry

OPPOSITES = (("incr", "decr"), ("up", "down"), ("in", "out"), ("forward", "backward"), ("convex", "concave"))
# Targets that move the whole head or are not symmetric, or that made broken faces.
NOT_AN_IDENTITY = ("head-trans", "neck-trans", "push", "head-angle", "chin-jaw")
LIGHT_SKIN, DARK_SKIN = np.array([0.95, 0.78, 0.67]), np.array([0.42, 0.27, 0.19])
HAIRS = np.array([[0.07, 0.055, 0.05], [0.22, 0.14, 0.08], [0.42, 0.30, 0.16], [0.5, 0.48, 0.46], [0.30, 0.12, 0.05]])
IRISES = np.array([[0.28, 0.17, 0.08], [0.25, 0.40, 0.55], [0.30, 0.40, 0.25], [0.10, 0.07, 0.05]])


@dataclass(frozen=True)
class Subject:
    """One identity."""

    positions_V3: np.ndarray  # eyes' middle at the origin, half eye distance as on the reference face
    colours_N3: np.ndarray  # rows as in rasterizing: SKIN_COLOUR ...
    hair_V: np.ndarray  # above .5 is hair
    wrinkling: float  # how deep the painted lines get


@dataclass(frozen=True)
class Camera:
    """How the head is turned (radians), lit and framed (dx, dy as shares of the picture's side)."""

    yaw: float
    pitch: float
    roll: float
    dx: float
    dy: float
    zoom: float
    light_3: np.ndarray
    ambient: float
    gain: float
    backdrop_23: np.ndarray  # top and bottom colour


def shape_pairs(geometry: Geometry) -> list[list[tuple[str, str]]]:
    """Sliders of the face's shape: each a list of (more, less) target names that move together (left and right)."""
    pairs = []
    for name in geometry.shapes:
        target = name.split("/")[1]
        if target.startswith("r-") or any(part in target for part in NOT_AN_IDENTITY):
            continue
        for more, less in OPPOSITES:
            opposite = f"{name.removesuffix('-' + more)}-{less}"
            if not name.endswith(f"-{more}") or opposite not in geometry.shapes:
                continue
            slider = [(name, opposite)]
            if target.startswith("l-"):
                slider.append((name.replace("/l-", "/r-"), opposite.replace("/l-", "/r-")))
            pairs.append(slider)
    return pairs


def build_face(
    geometry: Geometry, *, male: float, old: float, weight: float, ancestry: tuple[float, float, float]
) -> np.ndarray:
    """positions_V3 of a face between the extremes; `weight` in -1 (thin) to 1, `ancestry` sums to 1."""
    positions_V3 = geometry.positions_V3.copy()
    for sex, sex_share in (("female", 1 - male), ("male", male)):
        for age, age_share in (("young", 1 - old), ("old", old)):
            share = sex_share * age_share
            positions_V3 += share * max(-weight, 0) * geometry.age_and_sex[f"{sex}-{age}-minweight"]
            positions_V3 += share * max(weight, 0) * geometry.age_and_sex[f"{sex}-{age}-maxweight"]
            for name, part in zip(("african", "asian", "caucasian"), ancestry, strict=True):
                positions_V3 += share * part * geometry.ancestry[f"{name}-{sex}-{age}"]
    return positions_V3


def draw_subject(
    rng: np.random.Generator, geometry: Geometry, pairs: list, eyes_V: np.ndarray, place_V3: np.ndarray, scale: float
) -> Subject:
    """Draws an identity. `place_V3` are vertices of the reference face in half eye distances around its eyes (for the
    hair line), `eyes_V` the indices of left then right eyeball's vertices, `scale` the wanted half eye distance."""
    old, weight = 0.8 * rng.beta(1, 2), rng.normal(0, 0.35)
    ancestry = tuple(rng.dirichlet([0.5, 0.5, 0.5]))
    positions_V3 = build_face(geometry, male=0.1 + 0.8 * rng.integers(2), old=old, weight=weight, ancestry=ancestry)
    for slider in pairs:
        amount = rng.normal(0, 0.22)
        for more, less in slider:
            positions_V3 += abs(amount) * geometry.shapes[more if amount > 0 else less]
    half = len(eyes_V) // 2
    left_3, right_3 = positions_V3[eyes_V[:half]].mean(0), positions_V3[eyes_V[half:]].mean(0)
    positions_V3 = (positions_V3 - (left_3 + right_3) / 2) * (scale / (abs(left_3[0] - right_3[0]) / 2))
    return Subject(
        positions_V3=np.ascontiguousarray(positions_V3),
        colours_N3=_draw_colours(rng, ancestry),
        hair_V=_draw_hair(rng, geometry, place_V3),
        wrinkling=rng.uniform(0.6, 1.2),
    )


def _draw_colours(rng: np.random.Generator, ancestry: tuple[float, ...]) -> np.ndarray:
    """colours_N3 in the rows of rasterizing."""
    tone = float(np.clip(0.85 * ancestry[0] + 0.3 * ancestry[1] + 0.1 * ancestry[2] + rng.normal(0, 0.08), 0, 1))
    skin_3 = LIGHT_SKIN * (1 - tone) + DARK_SKIN * tone
    skin_3 = skin_3 * rng.uniform(0.93, 1.05, 3)
    hair_3 = HAIRS[rng.choice(5, p=[0.4, 0.3, 0.14, 0.08, 0.08])]
    iris_3 = IRISES[rng.integers(4)]
    lip_3 = (skin_3 * np.array([0.88, 0.64, 0.63]) + np.array([0.03, 0, 0.01])) * rng.uniform(0.88, 1.05)
    brow_3 = hair_3 * 0.8 + skin_3 * 0.2 if rng.random() < 0.9 else hair_3 * 0.55 + skin_3 * 0.45
    cavity_3, teeth_3, tongue_3 = [0.20, 0.05, 0.05], [0.92, 0.90, 0.84], [0.62, 0.28, 0.28]
    pupil_3, eyeball_3 = [0.04, 0.035, 0.035], [0.93, 0.91, 0.90]
    return np.stack([skin_3, lip_3, hair_3, iris_3, cavity_3, teeth_3, tongue_3, brow_3, pupil_3, eyeball_3])


def _draw_hair(rng: np.random.Generator, geometry: Geometry, place_V3: np.ndarray) -> np.ndarray:
    """hair_V: smooth over the hair line, so that its edge does not follow the triangles."""
    line, bend, is_bald = rng.uniform(1.75, 2.35), rng.uniform(0.05, 0.16), rng.random() < 0.06
    nape = -3.1 if rng.random() < 0.45 else -0.8
    x_V, y_V, z_V = place_V3.T
    above_V = y_V - (line - bend * x_V**2)
    behind_V = np.minimum(-2.3 - z_V, y_V - nape)
    hair_V = np.clip(0.5 + 2.0 * np.maximum(above_V, behind_V), 0, 1)
    is_ear_V = np.abs(geometry.shapes["ears/l-ear-scale-incr"] + geometry.shapes["ears/r-ear-scale-incr"]).max(1) > 1e-3
    return np.where((geometry.label_V == "head") & ~is_ear_V & (not is_bald), hair_V, 0.0)


def draw_camera(rng: np.random.Generator) -> Camera:
    """Draws a view from the front, turned by some degrees."""
    return Camera(
        yaw=rng.normal(0, 0.16),
        pitch=rng.normal(0, 0.07),
        roll=rng.normal(0, 0.04),
        dx=rng.normal(0, 0.012),
        dy=rng.normal(0, 0.012),
        zoom=rng.uniform(1.1, 1.28),
        light_3=np.array([rng.uniform(-0.8, 0.8), rng.uniform(0, 0.8), 1.0]),
        ambient=rng.uniform(0.38, 0.6),
        gain=rng.uniform(0.9, 1.2),
        backdrop_23=rng.uniform(0.15, 0.85, (2, 1)) * rng.uniform(0.75, 1.0, (2, 3)),
    )
