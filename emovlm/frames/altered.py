"""Altered clips, of which a model that looks must think differently: what is left when something is taken away.

Pure. Every alteration keeps the number of frames, their size and their clock, so that nothing but the pixels changes.
T frames, H rows, W columns, C = 3.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from emovlm.frames.clip import Clip

GREY = 127


def blank(clip: Clip) -> Clip:
    """Nothing to see: one grey everywhere."""
    return replace(clip, frames_THWC=np.full_like(clip.frames_THWC, GREY))


def backwards(clip: Clip) -> Clip:
    """The frames from the last to the first."""
    return replace(clip, frames_THWC=clip.frames_THWC[::-1].copy())


def shuffled(clip: Clip, name: str) -> Clip:
    """The frames in another order, which depends on the name of the clip alone; from two frames on it differs."""
    count = len(clip.frames_THWC)
    rng = np.random.default_rng(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()))
    order = rng.permutation(count)
    while count > 1 and (order == np.arange(count)).all():
        order = rng.permutation(count)
    return replace(clip, frames_THWC=clip.frames_THWC[order])


def frozen(clip: Clip) -> Clip:
    """The middle frame, all the time."""
    middle = len(clip.frames_THWC) // 2
    return replace(clip, frames_THWC=np.repeat(clip.frames_THWC[middle : middle + 1], len(clip.frames_THWC), axis=0))
