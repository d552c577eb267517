"""How a number came about, for the header of predictions.jsonl and for report.json."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from emovlm import __version__
from emovlm import run as runs
from emovlm.data.folds import ids_hash

if TYPE_CHECKING:
    from emovlm.prompts.collator import Collator
    from emovlm.recipe import Recipe

SCORES = {
    "sum": "log-likelihood of the class name, summed over its tokens and its end-of-turn, in nats",
    "trie": "log-probability of the class name under decoding constrained to the class names",
    "mean": "log-likelihood of the class name a token: no log-probability",
}
HEAD = "score of a linear layer on the last state, a log-probability but for a constant"


def header(recipe: Recipe, collator: Collator, classes: list[str], split: str, ids: list[str]) -> dict[str, Any]:
    """The first line of predictions.jsonl. Whatever could change a score is in `protocol`."""
    asked = recipe.evaluate
    scorer: dict[str, Any] = {"max_new_tokens": asked.max_new_tokens, "synonyms": True}
    if asked.scorer == "likelihood":
        means = HEAD if recipe.train == "head" else SCORES[asked.score]
        scorer = {"score": asked.score, "score_means": means, "synonyms": asked.synonyms}
    return {
        "classes": classes,
        "scorer": asked.scorer,
        "prior": None,
        "split": split,
        "recipe_hash": runs.recipe_hash(recipe),
        "protocol": {
            "split": split,
            "fold": recipe.data.splits.fold or recipe.data.args.get("fold"),
            "num_rows": len(ids),
            "ids_hash": ids_hash(ids),
            "scorer": asked.scorer,
            **scorer,
            "question": collator.question,
            "prompt_hash": _prompt_hash(recipe, collator),
            "frames": recipe.frames.model_dump(mode="json", exclude={"cache", "cache_gb"}),
            **({"cuts": list(asked.cuts)} if asked.cuts else {}),
            "model": recipe.model.name,
            "train": recipe.train,
            "seed": recipe.seed,
            "selected_on": recipe.select.split if recipe.select and recipe.train != "none" else None,
            "emovlm": __version__,
        },
    }


def _prompt_hash(recipe: Recipe, collator: Collator) -> str:
    """Of the question with its class list, the chat template, and how frames and texts are interleaved."""
    told = [collator.question, collator.processor.chat_template, recipe.prompt.model_dump(mode="json")]
    told += [recipe.enrich.model_dump(mode="json") if recipe.enrich else None]
    told += [recipe.frames.input, collator.texts and sorted(collator.texts.items())]
    return hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()[:16]
