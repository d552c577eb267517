"""A recipe and the labels of its training rows -> the stream, the class weights and the prior that the loss will see.

All of it is known before the first step, without a model and without torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from emovlm import lookup
from emovlm.longtail import weights
from emovlm.longtail.sampler import ClassSampler, soft_rows
from emovlm.metrics.recognition import tail_classes

if TYPE_CHECKING:
    from emovlm.recipe import Recipe


@dataclass(frozen=True)
class Plan:
    """labels_N: the class that each row is drawn for. weights_C: mean 1 under the sampled mix.

    prior_C: sampled proportion x class weight over the whole training, or the natural one where the recipe says so.
    """

    sampler: ClassSampler
    labels_N: np.ndarray
    counts_C: np.ndarray
    weights_C: np.ndarray
    prior_C: np.ndarray

    @property
    def num_steps(self) -> int:
        """Optimiser steps of the whole training."""
        return math.ceil(self.sampler.total / self.sampler.step)

    @property
    def num_epochs(self) -> int:
        """Epochs that the training begins."""
        return math.ceil(self.sampler.total / self.sampler.num_samples)


def plan(recipe: Recipe, labels_N: np.ndarray, classes: list[str], soft_NC: np.ndarray | None = None) -> Plan:
    """labels_N: class index of each training row, -1 where it has none. soft_NC: distributions, if rows have any."""
    strategy = partial(lookup.resolve(lookup.STRATEGY, recipe.sampler.strategy), **recipe.sampler.args)
    counts_C = np.bincount(labels_N[labels_N >= 0], minlength=len(classes)).astype(float)
    if soft_NC is not None:
        labels_N, counts_C = soft_rows(soft_NC, strategy, min_mass=recipe.sampler.min_mass)
    steps = recipe.trainer.get("max_steps", -1)
    sampler = ClassSampler(
        labels_N,
        strategy,
        num_classes=len(classes),
        counts_C=counts_C,
        step=recipe.global_batch,
        num_epochs=recipe.trainer.get("num_train_epochs", 3),
        num_steps=steps if steps > 0 else None,
        draws=recipe.sampler.draws,
        min_classes_per_step=recipe.sampler.min_classes_per_step,
        min_tail_per_step=recipe.sampler.min_tail_per_step,
        tail_C=tail_classes(counts_C),
        seed=recipe.seed,
    )
    mix_C = sampler.planned_mix()
    weights_C = weights.normalised(_weights(recipe, counts_C, classes), mix_C)
    prior_C = weights.effective_prior(weights_C, mix_C)
    if recipe.loss.prior == "natural":
        prior_C = counts_C / counts_C.sum()
    return Plan(sampler, labels_N, counts_C, weights_C, prior_C)


def _weights(recipe: Recipe, counts_C: np.ndarray, classes: list[str]) -> np.ndarray:
    asked = recipe.loss.class_weights
    if isinstance(asked, dict):
        return weights.by_name(classes, asked)
    if asked == "effective_number":
        assert recipe.loss.beta is not None, "checked when the recipe was read"
        return weights.effective_number(counts_C, beta=recipe.loss.beta)
    return {"none": weights.none, "inverse": weights.inverse, "inverse_sqrt": weights.inverse_sqrt}[asked](counts_C)
