"""What is asked of the model for one batch: a score for every class, or a text that rules then read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emovlm.data.synonyms import class_synonyms
from emovlm.scoring import kinds, likelihood
from emovlm.scoring.generate import generate
from emovlm.scoring.parse import parse

if TYPE_CHECKING:
    import torch

    from emovlm.evaluate.passes import Ask
    from emovlm.prompts.collator import Collator
    from emovlm.recipe import Recipe


def asker(recipe: Recipe, model: Any, collator: Collator, classes: Sequence[str]) -> Ask:
    """-> `(prompt) -> one answer a row`: scores_C, or {text, parsed, unread, cut_off}."""
    asked = recipe.evaluate
    if asked.scorer == "generation":
        return _writer(model, collator, class_synonyms(classes), asked.max_new_tokens)
    spelled = class_synonyms(classes) if asked.synonyms else {name: [name] for name in classes}
    names = [collator.answers.ids(word) for words in spelled.values() for word in words]
    class_of_S = [c for c, words in enumerate(spelled.values()) for _ in words]

    def score(prompt: dict[str, torch.Tensor]) -> list[Any]:
        logp_BSA = likelihood.token_scores(model, prompt, names).cpu().numpy()
        scores_BS = kinds.class_scores(logp_BSA, names, asked.score)
        return kinds.pool_synonyms(scores_BS, class_of_S).tolist() if asked.synonyms else scores_BS.tolist()

    return score


def _writer(model: Any, collator: Collator, spelled: Mapping[str, Sequence[str]], max_new_tokens: int) -> Ask:
    def write(prompt: dict[str, torch.Tensor]) -> list[Any]:
        replies = generate(model, collator.answers, prompt, max_new_tokens=max_new_tokens)
        readings = [parse(reply.text, spelled) for reply in replies]
        return [
            {"text": reply.text, "parsed": reading.label, "unread": reading.reason, "cut_off": reply.cut_off}
            for reply, reading in zip(replies, readings, strict=True)
        ]

    return write
