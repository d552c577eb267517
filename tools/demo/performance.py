"""One performance: an emotion that comes, stays and goes while the head moves a little. Pictures with their truth.

Legend: T frames, A action units, H W picture, 3 = red green blue.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from tools.demo.action_units import ACTION_UNITS, draw_emotion, strengths
from tools.demo.rendering import Head
from tools.demo.subjects import Camera, Subject, draw_camera

CLIP_S = 2.0
NOISE = 0.008  # of the sensor, as a share of white


@dataclass(frozen=True)
class Performance:
    """What one clip shows; onset: it starts to show, apex: it is at its strongest, offset: it is gone (or the end)."""

    frames_THWC: np.ndarray  # uint8
    strengths_TA: np.ndarray
    apex_strengths_A: np.ndarray
    onset_s: float
    apex_s: float
    offset_s: float


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


def perform(head: Head, subject: Subject, rng: np.random.Generator, emotion: str, times_s_T: np.ndarray) -> Performance:
    """Renders one macro expression of about CLIP_S seconds at the given times."""
    camera, motion_T5 = draw_camera(rng), _sway(rng, times_s_T)
    apex_units = draw_emotion(rng, emotion)
    # A slack face is never quite relaxed: weak units that stay, with no meaning.
    resting = {unit: float(rng.uniform(0.05, 0.22)) for unit in ACTION_UNITS if rng.random() < 0.05}
    onset_s, rise_s = rng.uniform(0.0, 0.4), rng.uniform(0.24, 0.6)
    fall_start_s, fall_s = rng.uniform(1.4, 2.1), rng.uniform(0.24, 0.6)
    blink_s = rng.uniform(0, CLIP_S) if rng.random() < 0.3 else -9.0
    asymmetry = rng.normal(0, 0.08)
    gaze = draw_gaze(rng)
    shown_T = np.clip((times_s_T - onset_s) / rise_s, 0, 1) * np.clip(1 - (times_s_T - fall_start_s) / fall_s, 0, 1)
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
    return Performance(
        frames_THWC=np.stack(frames),
        strengths_TA=np.stack(truth),
        apex_strengths_A=strengths(apex_units),
        onset_s=float(onset_s),
        apex_s=float((onset_s + rise_s + min(fall_start_s, CLIP_S)) / 2),
        offset_s=float(min(fall_start_s + fall_s, CLIP_S)),
    )
