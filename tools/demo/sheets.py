"""Contact sheets, to look at: `python -m tools.demo.sheets FOLDER` writes action_units, emotions and micro .png."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from tools.demo.action_units import ACTION_UNITS, EMOTIONS, draw_emotion
from tools.demo.clips import SPLITS, plan, render
from tools.demo.coding import decode
from tools.demo.rendering import Head
from tools.demo.subjects import draw_camera

SHOWN_PX = 168


def _picture(colours_HW3: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(colours_HW3, 0, 1) * 255).astype(np.uint8)


def action_unit_sheet(head: Head, num_subjects: int = 2) -> np.ndarray:
    """Each unit alone at full strength, the relaxed face last; two rows a subject."""
    rows = []
    for number in range(num_subjects):
        rng = np.random.default_rng([99, number])
        subject, camera = head.subject(rng), dataclasses.replace(draw_camera(rng), yaw=0.1, pitch=0.0, roll=0.0)
        shown = [{unit: 1.0} for unit in ACTION_UNITS] + [{}]
        frames = [_picture(head.render(subject, units, camera, side_px=SHOWN_PX)) for units in shown]
        rows += [np.hstack(frames[:8]), np.hstack(frames[8:])]
    return np.vstack(rows)


def emotion_sheet(head: Head, num_subjects: int = 6, weakest: float = 0.45) -> np.ndarray:
    """One showing of each emotion a subject, in the order of EMOTIONS."""
    rows = []
    for number in range(num_subjects):
        rng = np.random.default_rng([98, number])
        subject, camera = head.subject(rng), draw_camera(rng)
        units = [draw_emotion(rng, emotion, weakest=weakest) for emotion in EMOTIONS]
        rows.append(np.hstack([_picture(head.render(subject, shown, camera, side_px=SHOWN_PX)) for shown in units]))
    return np.vstack(rows)


def micro_sheet(num_each: int = 2) -> np.ndarray:
    """The first training clips of each emotion with a short event, a row each, a frame every tenth of a second."""
    split = next(split for split in SPLITS if split.style.folder == "micro")
    planned = plan(split)
    chosen = [clip for name in EMOTIONS for clip in [clip for clip in planned if clip.emotion == name][:num_each]]
    return np.vstack([np.hstack(list(decode(data)[:: split.style.fps // 10])) for data, _ in render(chosen, 1)])


def main(folder: Path) -> None:
    """Writes the sheets."""
    folder.mkdir(parents=True, exist_ok=True)
    head = Head()
    Image.fromarray(action_unit_sheet(head)).save(folder / "action_units.png")
    Image.fromarray(emotion_sheet(head)).save(folder / "emotions.png")
    Image.fromarray(micro_sheet()).save(folder / "micro.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
