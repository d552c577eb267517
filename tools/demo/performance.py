"""One performance: an emotion that comes, stays and goes while the head moves a little. Pictures with their truth.

Legend: T frames, A action units, H W picture, 3 = red green blue.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tools.demo.action_units import ACTION_UNITS, draw_emotion, strengths
from tools.demo.rendering import Head
from tools.demo.subjects import Camera, Subject, draw_camera

CLIP_S = 2.0
NOISE = 0.008  # of the sensor, as a share of white


@dataclass(frozen=True)
class Course:
    """How an expression comes and goes: it rises in a straight line, stays, and falls in a straight line."""

    onset_s: float
    rise_s: float
    fall_start_s: float
    fall_s: float

    @property
    def apex_s(self) -> float:
        """The middle of the time at full strength."""
        return (self.onset_s + self.rise_s + min(self.fall_start_s, CLIP_S)) / 2

    @property
    def offset_s(self) -> float:
        """It is gone, or the clip ends."""
        return min(self.fall_start_s + self.fall_s, CLIP_S)

    @property
    def half_s(self) -> tuple[float, float]:
        """From when to when at least half of it shows."""
        return self.onset_s + self.rise_s / 2, min(self.fall_start_s + self.fall_s / 2, CLIP_S)

    def shown(self, times_s_T: np.ndarray) -> np.ndarray:
        """The share of the apex that shows, 0 to 1."""
        rising_T = np.clip((times_s_T - self.onset_s) / self.rise_s, 0, 1)
        return rising_T * np.clip(1 - (times_s_T - self.fall_start_s) / self.fall_s, 0, 1)


def macro(rng: np.random.Generator) -> Course:
    """An expression that fills the clip."""
    onset_s, rise_s = rng.uniform(0.0, 0.4), rng.uniform(0.24, 0.6)
    fall_start_s, fall_s = rng.uniform(1.4, 2.1), rng.uniform(0.24, 0.6)
    return Course(onset_s, rise_s, fall_start_s, fall_s)


def micro(rng: np.random.Generator) -> Course:
    """An expression of .25 to .5 s, neither at the very beginning nor at the very end of the clip."""
    length_s = rng.uniform(0.25, 0.5)
    onset_s = rng.uniform(0.15, CLIP_S - 0.15 - length_s)
    rise_s, fall_s = length_s * rng.uniform(0.2, 0.35), length_s * rng.uniform(0.2, 0.4)
    return Course(onset_s, rise_s, onset_s + length_s - fall_s, fall_s)


@dataclass(frozen=True)
class Performance:
    """What one clip shows, with the strengths that its units really have."""

    frames_THWC: np.ndarray  # uint8
    strengths_TA: np.ndarray
    apex_strengths_A: np.ndarray
    course: Course


def as_picture(colours_HW3: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Adds sensor noise and rounds to uint8."""
    noisy_HW3 = colours_HW3 + rng.normal(0, NOISE, colours_HW3.shape)
    return np.rint(np.clip(noisy_HW3, 0, 1) * 255).astype(np.uint8)


def _sway(rng: np.random.Generator, times_s_T: np.ndarray) -> np.ndarray:
    """Slow head motion, added to (yaw, pitch, roll, dx, dy): motion_T5."""
    amplitude_5 = rng.normal(0, 1, 5) * np.array([0.06, 0.035, 0.02, 0.008, 0.008])
    phase_5, rate_hz_5 = rng.uniform(0, 2 * np.pi, 5), rng.uniform(0.15, 0.5, 5)
    return amplitude_5 * np.sin(2 * np.pi * rate_hz_5 * times_s_T[:, None] + phase_5)


def draw_gaze(rng: np.random.Generator) -> tuple[float, float]:
    """Mostly into the camera: (to the subject's left, up), each in -.4..+.4 of the eye's range."""
    left, up = rng.normal(0, 0.15, 2).clip(-0.4, 0.4)
    return float(left), float(up)


def _moved(camera: Camera, motion_5: np.ndarray) -> Camera:
    yaw, pitch, roll, dx, dy = (float(x) for x in motion_5)
    return dataclasses.replace(
        camera, yaw=camera.yaw + yaw, pitch=camera.pitch + pitch, roll=camera.roll + roll,
        dx=camera.dx + dx, dy=camera.dy + dy,
    )  # fmt: skip


def perform(
    head: Head,
    subject: Subject,
    rng: np.random.Generator,
    emotion: str,
    times_s_T: np.ndarray,
    *,
    course_of: Callable[[np.random.Generator], Course] = macro,
    weakest: float = 0.45,
    stray: float = 0.04,
) -> Performance:
    """Renders one expression in a clip of CLIP_S seconds at the given times; weakest, stray: see draw_emotion."""
    camera, motion_T5 = draw_camera(rng), _sway(rng, times_s_T)
    apex_units = draw_emotion(rng, emotion, weakest=weakest, stray=stray)
    # A slack face is never quite relaxed: weak units that stay, with no meaning.
    resting = {unit: float(rng.uniform(0.05, 0.22)) for unit in ACTION_UNITS if rng.random() < 0.05}
    course = course_of(rng)
    blink_s = rng.uniform(0, CLIP_S) if rng.random() < 0.3 else -9.0
    asymmetry = rng.normal(0, 0.08)
    gaze = draw_gaze(rng)
    shown_T = course.shown(times_s_T)
    frames, truth = [], []
    for i, time_s in enumerate(times_s_T):
        units = dict(resting)
        for unit, value in apex_units.items():
            units[unit] = max(units.get(unit, 0.0), value * float(shown_T[i]))
        blink = 0.9 * max(0.0, 1 - abs(float(time_s) - blink_s) / 0.1)
        colours_HW3 = head.render(
            subject, units, _moved(camera, motion_T5[i]), asymmetry=asymmetry, blink=blink, gaze=gaze
        )
        frames.append(as_picture(colours_HW3, rng))
        truth.append(strengths(units))
    return Performance(np.stack(frames), np.stack(truth), strengths(apex_units), course)
