"""Renders what the tiny model is pretrained on: `python -m tools.demo.corpus FOLDER` (about 3 minutes on two cores).

Pretraining subjects are nobody of the demo clips. Clips have gone through the same codec as the demo's, single
frames half the time through JPEG. Legend: N samples, T frames, A action units, C emotions.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tools.demo.action_units import ACTION_UNITS, EMOTIONS, VISIBLE, draw_emotion, strengths
from tools.demo.coding import decode, encode
from tools.demo.performance import CLIP_S, as_picture, draw_gaze, perform
from tools.demo.rendering import SIDE_PX, Head
from tools.demo.subjects import Subject, draw_camera

SEED = 4711
NUM_SUBJECTS = 120
NUM_HELD_OUT = 20  # further subjects, only to measure on
FPS = 8
TIMES_S_T = np.arange(int(CLIP_S * FPS)) / FPS
NUM_FRAMES = 14_000
NUM_HELD_OUT_FRAMES = 600
# How many clips there are to choose from; how often each class is chosen is the pretraining's business.
CLIP_COUNTS_C = (500, 280, 340, 260, 200, 100, 120)


@dataclass(frozen=True)
class Frames:
    """Single pictures; emotion -1 where the units are a random mixture and no emotion."""

    frames_NHWC: np.ndarray
    strengths_NA: np.ndarray
    emotion_N: np.ndarray


@dataclass(frozen=True)
class Clips:
    """Clips of len(TIMES_S_T) frames."""

    frames_NTHWC: np.ndarray
    strengths_NTA: np.ndarray
    emotion_N: np.ndarray


_head: Head | None = None
_subjects: dict[int, Subject] = {}


def _subject(number: int) -> tuple[Head, Subject]:
    global _head
    _head = _head or Head()
    if number not in _subjects:
        _subjects[number] = _head.subject(np.random.default_rng([SEED, 1, number]))
    return _head, _subjects[number]


def _draw_units(rng: np.random.Generator) -> tuple[dict[int, float], int]:
    """An emotion, often not at its apex, or up to five units at random. A face without a visible unit is neutral."""
    if rng.random() < 0.55:
        emotion = int(rng.integers(len(EMOTIONS)))
        level = 1.0 if rng.random() < 0.5 else rng.uniform(0.2, 1.0)
        units = {unit: level * value for unit, value in draw_emotion(rng, EMOTIONS[emotion]).items()}
        if all(value <= VISIBLE for value in units.values()):
            emotion = EMOTIONS.index("neutral")
        return units, emotion
    count = rng.choice(6, p=[0.08, 0.2, 0.25, 0.22, 0.15, 0.1])
    chosen = rng.choice(ACTION_UNITS, count, replace=False)
    return {int(unit): float(rng.uniform(0.2, 1.05)) for unit in chosen}, -1


def _frame(number: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Single picture `number`; those from NUM_FRAMES on show held-out subjects."""
    rng = np.random.default_rng([SEED, 2, number])
    if number < NUM_FRAMES:
        person = int(rng.integers(NUM_SUBJECTS))
    else:
        person = NUM_SUBJECTS + int(rng.integers(NUM_HELD_OUT))
    head, subject = _subject(person)
    units, emotion = _draw_units(rng)
    blink = 0.9 if rng.random() < 0.03 else 0.0
    gaze = draw_gaze(rng)
    colours_HW3 = head.render(subject, units, draw_camera(rng), asymmetry=rng.normal(0, 0.08), blink=blink, gaze=gaze)
    picture_HWC = as_picture(colours_HW3, rng)
    if rng.random() < 0.5:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 80))]
        _, packed = cv2.imencode(".jpg", np.ascontiguousarray(picture_HWC[..., ::-1]), quality)
        picture_HWC = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))[..., ::-1]
    return picture_HWC, strengths(units), emotion


def _clip(number: int) -> tuple[np.ndarray, np.ndarray, int]:
    rng = np.random.default_rng([SEED, 3, number])
    emotion = int(np.searchsorted(np.cumsum(CLIP_COUNTS_C), number, side="right"))
    head, subject = _subject(int(rng.integers(NUM_SUBJECTS)))
    shown = perform(head, subject, rng, EMOTIONS[emotion], TIMES_S_T)
    return decode(encode(shown.frames_THWC, FPS)), shown.strengths_TA, emotion


def render(folder: Path, processes: int) -> None:
    """Writes frames, held-out frames and clips as .npy files."""
    folder.mkdir(parents=True, exist_ok=True)
    num_frames, num_clips = NUM_FRAMES + NUM_HELD_OUT_FRAMES, sum(CLIP_COUNTS_C)
    jobs = (
        ("frames", _frame, num_frames, (SIDE_PX, SIDE_PX, 3), (len(ACTION_UNITS),)),
        ("clips", _clip, num_clips, (len(TIMES_S_T), SIDE_PX, SIDE_PX, 3), (len(TIMES_S_T), len(ACTION_UNITS))),
    )
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for name, work, count, picture_shape, truth_shape in jobs:
            pictures = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.uint8, (count, *picture_shape))
            truth, emotion = np.zeros((count, *truth_shape), np.float32), np.zeros(count, np.int64)
            for i, (picture, units, label) in enumerate(pool.imap(work, range(count), chunksize=16)):
                pictures[i], truth[i], emotion[i] = picture, units, label
            pictures.flush()
            np.savez(folder / f"{name}_truth.npz", strengths=truth, emotion=emotion)


def load(folder: Path) -> tuple[Frames, Frames, Clips]:
    """(pretraining frames, held-out frames, pretraining clips), the pictures memory-mapped."""
    pictures, truth = np.load(folder / "frames.npy", mmap_mode="r"), np.load(folder / "frames_truth.npz")
    parts = [
        Frames(pictures[part], truth["strengths"][part], truth["emotion"][part])
        for part in (slice(NUM_FRAMES), slice(NUM_FRAMES, None))
    ]
    truth = np.load(folder / "clips_truth.npz")
    clips = Clips(np.load(folder / "clips.npy", mmap_mode="r"), truth["strengths"], truth["emotion"])
    return parts[0], parts[1], clips


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    start = time.perf_counter()
    render(arguments.folder, arguments.processes)
    print(f"corpus rendered in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
