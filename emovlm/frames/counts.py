"""How many frames a rate means for a clip, and how many steps in time a model makes of them. Pure."""

from __future__ import annotations


def at_rate(duration_s: float, rate_fps: float, least: int, most: int) -> tuple[int, bool]:
    """(frames to choose, whether the cap `most` took some away): duration x rate, halves rounded up, within both ends.

    A clip that has fewer frames gives all it has: that is for the policy to see, which knows them. For comparison,
    Qwen's own processor rounds down to a multiple of two: 5.6 frames are 6 here and 4 there.
    """
    wanted = int(duration_s * rate_fps + 0.5)
    return max(least, min(wanted, most)), wanted > most


def time_steps(num_frames: int, merged: int) -> int:
    """Steps in time that a vision tower sees of `num_frames` where it merges `merged` consecutive ones.

    Video input of the Qwen and GLM families merges 2 (`temporal_patch_size`) and repeats the last frame of an odd
    number; pictures are never merged (1).
    """
    return -(-num_frames // merged)
