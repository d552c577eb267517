"""Facial action units (FACS) in plain words: which of them moved in a gap, how, and when. Pure.

T frames in between. A level is how far a unit is from where it was in the clip's own first frames, about -1 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

# Unit: what moves, how, and how it goes back. Words of anatomy alone: a "smile" would be half an answer.
WORDS = {
    1: ("inner brows", "rise", "relax"),
    2: ("outer brows", "rise", "relax"),
    4: ("brows", "lower", "ease"),
    5: ("upper lids", "rise", "droop"),
    6: ("cheeks", "rise", "relax"),
    7: ("lids", "tighten", "loosen"),
    9: ("nose", "wrinkles", "smooths"),
    10: ("upper lip", "rises", "relaxes"),
    12: ("lip corners", "pull up", "relax"),
    14: ("lip corners", "tuck in", "loosen"),
    15: ("lip corners", "drop", "come back"),
    16: ("lower lip", "drops", "relaxes"),
    17: ("chin", "rises", "relaxes"),
    18: ("lips", "pucker", "smooth"),
    20: ("lips", "stretch", "relax"),
    22: ("lips", "funnel", "loosen"),
    23: ("lips", "tighten", "loosen"),
    24: ("lips", "press", "loosen"),
    25: ("lips", "part", "close"),
    26: ("jaw", "drops", "closes"),
    27: ("mouth", "opens wide", "closes"),
    28: ("lips", "roll in", "come back"),
    34: ("cheeks", "puff", "flatten"),
    43: ("eyes", "close", "open"),
    45: ("eyes", "close", "open"),
}
BOTH_BROWS = ("brows", "rise", "relax")
# Blend shapes of Apple's ARKit, without Left and Right, by FACS unit, as in the tables that animators use.
ARKIT = {
    "browInnerUp": 1,
    "browOuterUp": 2,
    "browDown": 4,
    "eyeWide": 5,
    "cheekSquint": 6,
    "eyeSquint": 7,
    "noseSneer": 9,
    "mouthUpperUp": 10,
    "mouthSmile": 12,
    "mouthDimple": 14,
    "mouthFrown": 15,
    "mouthLowerDown": 16,
    "mouthShrugLower": 17,
    "mouthPucker": 18,
    "mouthStretch": 20,
    "mouthFunnel": 22,
    "mouthPress": 24,
    "jawOpen": 26,
    "mouthRollLower": 28,
    "cheekPuff": 34,
    "eyeBlink": 45,
}
# Below, the landmarker's own unrest on a still face.
LEAST = 0.15
NOTHING = "no change"


def of_blendshapes(blendshapes: Mapping[str, float]) -> dict[int, float]:
    """Unit -> strength in [0, 1], the mean of both sides."""
    found: dict[int, float] = {}
    for shape, unit in ARKIT.items():
        sides = [blendshapes[name] for name in (shape, f"{shape}Left", f"{shape}Right") if name in blendshapes]
        if sides:
            found[unit] = float(np.mean(sides))
    return found


def told(
    levels_T: Mapping[int, np.ndarray],
    times_s_T: np.ndarray | None,
    before: Mapping[int, float] | None,
    after: Mapping[int, float] | None,
    max_words: int | None,
) -> str:
    """`brows rise, peak 0.4 s; lips part`: the units that left their first place by LEAST, the strongest first.

    before, after: the levels in the chosen frames around the gap, None where there is none. A unit stronger than in
    both has its peak here; one that is as strong in both is held; one that only the frame before has is fading.
    times_s_T: None for a clip without a clock. Whole phrases are left out where there are more than max_words.
    """
    strongest = {unit: int(np.argmax(np.abs(levels))) for unit, levels in levels_T.items()}
    levels = {unit: float(levels_T[unit][t]) for unit, t in strongest.items()}
    moved = sorted((unit for unit in levels if abs(levels[unit]) >= LEAST), key=lambda unit: -abs(levels[unit]))
    phrases: list[str] = []
    for unit in moved:
        time_s = None if times_s_T is None else float(times_s_T[strongest[unit]])
        near = [None if levels_there is None else levels_there.get(unit) for levels_there in (before, after)]
        phrases.append(_phrase(unit, levels[unit], time_s, *near))
    phrases = _both_brows(phrases)
    if max_words is not None:
        while len(phrases) > 1 and len(" ".join(phrases).split()) > max_words:
            phrases.pop()
    return "; ".join(phrases) or NOTHING


def _phrase(unit: int, level: float, time_s: float | None, before: float | None, after: float | None) -> str:
    what, moves, goes_back = WORDS[unit]
    words = f"{what} {moves if level > 0 else goes_back}"
    sign = 1 if level > 0 else -1
    above_before, above_after = (None if at is None else sign * (level - at) >= LEAST for at in (before, after))
    if above_before and above_after:
        return f"{words}, peak" if time_s is None else f"{words}, peak {time_s:.1f} s"
    if above_before is False:
        return f"{words}, fading" if above_after else f"{words}, held"
    return words


def _both_brows(phrases: list[str]) -> list[str]:
    """Inner and outer brows that do the same are the brows."""
    inner, outer, brows = (" ".join(words[:1]) for words in (WORDS[1], WORDS[2], BOTH_BROWS))
    found: list[str] = []
    for phrase in phrases:
        twin = phrase.replace(inner, outer, 1) if phrase.startswith(inner) else phrase.replace(outer, inner, 1)
        if phrase.startswith((inner, outer)) and twin in phrases:
            phrase = phrase.replace(inner, brows, 1).replace(outer, brows, 1)
            if phrase in found:
                continue
        found.append(phrase)
    return found
