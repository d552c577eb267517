"""The scores of a few clips by any model: to see that two forms of one model answer alike.

N clips, C classes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from emovlm import processes
from emovlm.data import splits as data_splits
from emovlm.evaluate.evaluator import predict
from emovlm.recipe import Evaluate

if TYPE_CHECKING:
    from emovlm.recipe import Recipe


def clip_scores(recipe: Recipe, num_clips: int) -> Callable[[Any, Any], np.ndarray]:
    """-> `(model, processor) -> scores_NC`, log-likelihoods in nats, of clips spread over the split that is scored."""
    split = recipe.evaluate.split

    @functools.cache  # read when they are first asked for: what is exported as it is needs no data
    def few() -> Any:
        rows = data_splits.pick(data_splits.load(recipe.data), split)
        return rows.select(np.unique(np.linspace(0, len(rows) - 1, num_clips).astype(int)).tolist())

    plain = recipe.model_copy(update={"evaluate": Evaluate(split=split, batch_size=recipe.evaluate.batch_size)})

    def score(model: Any, processor: Any) -> np.ndarray:
        model.to(processes.state().device)
        return predict(model, processor, plain, few(), split).scores_NC()

    return score
