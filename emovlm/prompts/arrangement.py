"""What of a clip stands in the prompt: which of the frames looked at, and which texts between them.

K frames that the policy chose, N frames looked at (the K, and for some controls those in between).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from emovlm.frames.clip import Clip

# Gap k lies between chosen frame k and k + 1; -1 is before the first, K - 1 after the last.
GapTexts: TypeAlias = Mapping[int, Sequence[str]]
Texts: TypeAlias = Mapping[str, GapTexts]
# In place of a gap: texts about the clip as a whole.
WHOLE = -2


@dataclass(frozen=True)
class DenseClip(Clip):
    """A clip with the frames in between. own_K: places of the policy's frames among the N; between: gap -> places."""

    own_K: tuple[int, ...] = ()
    between: Mapping[int, Sequence[int]] = field(default_factory=dict)


def own_times_s(clip: Clip) -> np.ndarray:
    """times_s_K of the frames that the policy chose: whether it hits an event does not depend on a control."""
    return clip.times_s_T[list(clip.own_K)] if isinstance(clip, DenseClip) else clip.times_s_T


@dataclass(frozen=True)
class Given:
    """What an arrangement is made of.

    own_K, between: places among the frames looked at. texts: the clip's own. others: another clip's. frame_tokens,
    text_tokens: what one frame more and all the texts add to the prompt. seed, name: all the randomness there is.
    """

    own_K: tuple[int, ...]
    between: Mapping[int, Sequence[int]] = field(default_factory=dict)
    texts: GapTexts = field(default_factory=dict)
    others: GapTexts = field(default_factory=dict)
    frame_tokens: int = 0
    text_tokens: int = 0
    seed: int = 0
    name: str = ""

    def all_N(self) -> list[int]:
        return sorted({*self.own_K, *(place for places in self.between.values() for place in places)})

    def gaps(self) -> list[int]:
        """Those that have texts, in time order."""
        return sorted(gap for gap in self.texts if gap != WHOLE)

    def in_order(self) -> list[str]:
        """The texts of all gaps, in time order."""
        return [text for gap in self.gaps() for text in self.texts[gap]]

    def dealt(self, texts: Sequence[str]) -> dict[int, list[str]]:
        """As many other texts, each in the place of one of the clip's own."""
        rest = iter(texts)
        return {gap: [next(rest) for _ in self.texts[gap]] for gap in self.gaps()}

    def rng(self) -> np.random.Generator:
        return np.random.default_rng(_number(self.seed, self.name))


@dataclass(frozen=True)
class Arrangement:
    """frames: places among the frames looked at, as they are shown, one after the other. texts: by gap."""

    frames: tuple[int, ...]
    texts: GapTexts


def partners(names: Sequence[str], seed: int) -> dict[str, str]:
    """Another clip for each: all in one ring, in an order that depends on the seed and on nothing else."""
    ring = sorted(set(names), key=lambda name: (_number(seed, name), name))
    return dict(zip(ring, [*ring[1:], *ring[:1]], strict=True))


def _number(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed} {name}".encode(), digest_size=8).digest())
