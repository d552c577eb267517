"""From a clip and its texts to what stands in the prompt, by the control that the recipe names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from emovlm import UserError, lookup
from emovlm.frames.clip import Clip
from emovlm.prompts import controls
from emovlm.prompts.arrangement import DenseClip, GapTexts, Given, Texts, partners

if TYPE_CHECKING:
    from emovlm.recipe import Recipe

# (clip, texts) -> tokens of their prompt.
Length = Callable[[Clip, GapTexts], int]


class Arranging:
    """texts: by row id, of all clips that are shown (or of none). length: asked by the control at equal tokens."""

    def __init__(self, recipe: Recipe, texts: Texts, length: Length):
        name = recipe.enrich.control if recipe.enrich else None
        self.control = lookup.resolve(lookup.CONTROL, name) if name else None
        self.texts, self.length, self.seed = texts, length, recipe.seed
        self.partners: dict[str, str] = {}
        if self.control is controls.texts_of_another_clip and texts:
            if len(texts) < 2:
                raise UserError("enrich.control: texts_of_another_clip needs two clips; there is one")
            self.partners = partners(list(texts), self.seed)

    def shown(self, name: str, clip: Clip) -> tuple[Clip, GapTexts]:
        """name: the row's id. The clip as it is shown (frames may be more, fewer or none), and the texts between."""
        texts = self.texts[name] if self.texts else {}
        if self.control is None:
            return clip, texts
        arranged = self.control(self._given(name, clip, texts))
        return _part(clip, arranged.frames), arranged.texts

    def _given(self, name: str, clip: Clip, texts: GapTexts) -> Given:
        dense = isinstance(clip, DenseClip)
        own_K = clip.own_K if dense else tuple(range(len(clip.times_s_T)))
        between = clip.between if dense else {}
        frame_tokens = text_tokens = 0
        if self.control is controls.dense_equal_tokens:
            own, one_more = _part(clip, own_K), _part(clip, (*own_K, own_K[-1]))
            bare = self.length(own, {})
            frame_tokens, text_tokens = self.length(one_more, {}) - bare, self.length(own, texts) - bare
        others = self.texts[self.partners[name]] if self.partners else {}
        return Given(own_K, between, texts, others, frame_tokens, text_tokens, self.seed, name)


def _part(clip: Clip, places: tuple[int, ...]) -> Clip:
    chosen = list(places)
    return Clip(clip.frames_THWC[chosen], clip.times_s_T[chosen], clip.timed, clip.num_visible, clip.crop)
