"""The stages of enrichment: texts of the gaps, a summary of each gap, a sentence about the clip.

Each stage has its describer and its word limit, and its texts are cached under a key of its own: what was seen, who
described it and, from the second stage on, the texts before it. So a change of one stage leaves those before it alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from emovlm import lookup
from emovlm.enrich.cache import digest
from emovlm.enrich.strip import Describer, Failure, Strip
from emovlm.prompts.arrangement import WHOLE, GapTexts

if TYPE_CHECKING:
    from emovlm.enrich.sight import Frames, Seen
    from emovlm.recipe import Recipe

# Of the code in this file that could change what a describer is given or what becomes of its text.
VERSION = 1
_THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL)
# A captioner may copy the marks of a chat template, and a processor would take them for pictures or for the end.
_MARK = re.compile(r"<[^<>\s]{1,40}>|\[(?:IMG|INST|/INST|IMG_BREAK|IMG_END)\]")


@dataclass(frozen=True)
class Stage:
    """kind: `frame` or `gap` (a text for each frame in between, or for each gap), `summary`, `trajectory`."""

    kind: Literal["frame", "gap", "summary", "trajectory"]
    name: str
    describer: Describer
    max_words: int | None

    def key(self, seen: Seen, before: GapTexts) -> str:
        """before: the texts of the stage before; empty for the first."""
        describer = [self.name, self.describer.version, dict(self.describer.identity), self.max_words]
        texts = {str(gap): list(texts) for gap, texts in before.items()}
        return digest([VERSION, self.kind, describer, seen.record(), texts])

    def strips(self, seen: Seen, before: GapTexts) -> dict[int, list[Strip]]:
        """gap -> what is to be told, one text each. Needs pixels."""
        if self.kind == "trajectory":
            notes = tuple(note for gap in before for note in _notes(seen, gap, before[gap]))
            return {WHOLE: [_strip(seen, seen.own, None, notes)]} if notes else {}
        if self.kind == "summary":
            near = {gap: [k for k in (gap, gap + 1) if 0 <= k < len(seen.own.times_s_T)] for gap in before}
            return {gap: [_strip(seen, seen.own.part(near[gap]), gap, _notes(seen, gap, before[gap]))] for gap in near}
        if self.kind == "frame":
            return {
                gap: [_strip(seen, frames.part([k]), gap) for k in range(len(frames.times_s_T))]
                for gap, frames in seen.between.items()
            }
        return {gap: [_strip(seen, frames, gap)] for gap, frames in seen.between.items()}

    def settled(self, replies: Mapping[int, Sequence[str | Failure]]) -> dict[int, list[str]] | Failure:
        """The texts of a clip as they are kept, or why it has none."""
        found: dict[int, list[str]] = {}
        for gap, texts in replies.items():
            for text in texts:
                cleaned = text if isinstance(text, Failure) else limited(text, self.max_words)
                if isinstance(cleaned, Failure) or not cleaned:
                    reason = cleaned.reason if isinstance(cleaned, Failure) else f"no text came (but {text!r})"
                    where = "the clip" if gap == WHOLE else f"gap {gap}"
                    return Failure(f"{self.kind}, {where}: {reason}")
                found.setdefault(gap, []).append(cleaned)
        return found


def plan(recipe: Recipe) -> list[Stage]:
    """The recipe's stages, without a model being loaded."""
    asked = recipe.enrich
    assert asked, "a recipe without enrich: has no stages"
    assert asked.describer, "stages begin with a describer"
    stages = [_stage(asked.per, asked.describer, asked.args, asked.max_words, recipe)]
    if asked.summary:
        stages.append(_stage("summary", asked.summary.describer, asked.summary.args, asked.summary.max_words, recipe))
    if asked.trajectory:
        last = asked.trajectory
        stages.append(_stage("trajectory", last.describer, last.args, last.max_words, recipe))
    return stages


def limited(text: str, max_words: int | None) -> str:
    """One line without marks of a chat template and thoughts of a reasoning model, cut behind `max_words` words."""
    words = _MARK.sub(" ", _THOUGHT.sub(" ", text)).split()
    if max_words is None or len(words) <= max_words:
        return " ".join(words)
    return " ".join(words[:max_words]).rstrip(",;:-")


def _stage(kind: Any, name: str, args: dict[str, Any], max_words: int | None, recipe: Recipe) -> Stage:
    # A describer that needs a model and is told none takes the one to be trained.
    if "model" in lookup.parameters(lookup.DESCRIBER, name):
        args = {"model": recipe.model.name} | args
    load = lookup.resolve(lookup.DESCRIBER, name)
    return Stage(kind, name, load(stage=kind, max_words=max_words, **args), max_words)


def _strip(seen: Seen, frames: Frames, gap: int | None, notes: tuple[tuple[float, str], ...] = ()) -> Strip:
    before, after = (None, None) if gap is None else (_own(seen, gap), _own(seen, gap + 1))
    return Strip(frames.frames_THWC(), frames.times_s_T, seen.timed, before, after, seen.reference.frames_THWC(), notes)


def _own(seen: Seen, k: int) -> tuple[np.ndarray, float] | None:
    """The chosen frame k, with its time."""
    there = 0 <= k < len(seen.own.times_s_T)
    return (seen.own.frames_THWC()[k], float(seen.own.times_s_T[k])) if there else None


def _notes(seen: Seen, gap: int, texts: Sequence[str]) -> tuple[tuple[float, str], ...]:
    """With the time of the frame that a text tells of, or the middle of its gap's frames."""
    times_s_T = seen.between[gap].times_s_T
    times_s = times_s_T if len(times_s_T) == len(texts) else [float(times_s_T.mean())] * len(texts)
    return tuple((float(time_s), text) for time_s, text in zip(times_s, texts, strict=True))
