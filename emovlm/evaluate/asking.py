"""What is asked of the model for one batch: a score for every class, or a text that rules then read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from emovlm.data.synonyms import class_synonyms
from emovlm.metrics.collapse import frequent_and_rare
from emovlm.scoring import kinds, likelihood
from emovlm.scoring.generate import generate
from emovlm.scoring.parse import parse

if TYPE_CHECKING:
    import torch

    from emovlm.evaluate.passes import Ask
    from emovlm.prompts.collator import Collator
    from emovlm.recipe import Recipe


def asker(recipe: Recipe, model: Any, collator: Collator, classes: Sequence[str]) -> Ask:
    """-> `(prompt) -> one answer a row`: {scores}, with {words} where asked for, or {text, parsed, unread, cut_off}."""
    asked = recipe.evaluate
    if asked.scorer == "generation":
        return _writer(model, collator, class_synonyms(classes), asked.max_new_tokens)
    if recipe.train == "head":
        return lambda prompt: [{"scores": scores_C} for scores_C in model(**prompt).cpu().tolist()]
    several = asked.synonyms or asked.words
    spelled = class_synonyms(classes) if several else {name: [name] for name in classes}
    names = [collator.answers.ids(word) for words in spelled.values() for word in words]
    chosen = frequent_and_rare(spelled)
    class_of_S = [c for c, words in enumerate(spelled.values()) for _ in words]

    def score(prompt: dict[str, torch.Tensor]) -> list[Any]:
        logp_BSA = likelihood.token_scores(model, prompt, names).cpu().numpy()
        scores_BS = kinds.class_scores(logp_BSA, names, asked.score)
        if asked.synonyms:
            return [{"scores": scores_C} for scores_C in kinds.pool_synonyms(scores_BS, class_of_S).tolist()]
        if asked.words:
            return [_by_words(spelled, chosen, scores_S) for scores_S in scores_BS]
        return [{"scores": scores_C} for scores_C in scores_BS.tolist()]

    return score


def _by_words(
    spelled: Mapping[str, Sequence[str]], chosen: Mapping[str, Mapping[str, str]], scores_S: np.ndarray
) -> dict[str, Any]:
    """The scores by the classes' own names, and the answers where each goes by its most frequent or rarest word."""
    scores = iter(scores_S.tolist())
    score_of = {name: {word: next(scores) for word in words} for name, words in spelled.items()}
    by_kind = {kind: {name: score_of[name][word] for name, word in words.items()} for kind, words in chosen.items()}
    answers = {kind: max(by_class.items(), key=itemgetter(1))[0] for kind, by_class in by_kind.items()}
    return {"scores": [score_of[name][name] for name in spelled], "words": answers}


def _writer(model: Any, collator: Collator, spelled: Mapping[str, Sequence[str]], max_new_tokens: int) -> Ask:
    def write(prompt: dict[str, torch.Tensor]) -> list[Any]:
        replies = generate(model, collator.answers, prompt, max_new_tokens=max_new_tokens)
        readings = [parse(reply.text, spelled) for reply in replies]
        return [
            {"text": reply.text, "parsed": reading.label, "unread": reading.reason, "cut_off": reply.cut_off}
            for reply, reading in zip(replies, readings, strict=True)
        ]

    return write
