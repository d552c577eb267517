"""What is asked of the model for one batch: a score for every class, or a text that rules then read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from emovlm.data.synonyms import class_synonyms
from emovlm.scoring import kinds, likelihood

if TYPE_CHECKING:
    import torch

    from emovlm.evaluate.passes import Ask
    from emovlm.prompts.collator import Collator
    from emovlm.recipe import Recipe


def asker(recipe: Recipe, model: Any, collator: Collator, classes: Sequence[str]) -> Ask:
    """-> `(prompt) -> one answer a row`: scores_C, or {text, parsed, cut_off}."""
    asked = recipe.evaluate
    spelled = list(class_synonyms(classes).values()) if asked.synonyms else [[name] for name in classes]
    names = [collator.answers.ids(name) for group in spelled for name in group]
    class_of_S = [c for c, group in enumerate(spelled) for _ in group]

    def score(prompt: dict[str, torch.Tensor]) -> list[Any]:
        logp_BSA = likelihood.token_scores(model, prompt, names).cpu().numpy()
        scores_BS = kinds.class_scores(logp_BSA, names, asked.score)
        return kinds.pool_synonyms(scores_BS, class_of_S).tolist() if asked.synonyms else scores_BS.tolist()

    return score
