"""A recipe and the labels of its training rows -> the stream, the class weights and the prior that the loss will see.

All of it is known before the first step, without a model and without torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from emovlm import lookup
from emovlm.longtail import weights
from emovlm.longtail.sampler import ClassSampler, soft_rows
from emovlm.metrics.recognition import tail_classes

if TYPE_CHECKING:
    from emovlm.recipe import Recipe


@dataclass(frozen=True)
class Plan:
    """labels_N: the class that each row is drawn for. soft_NC: its distribution over the classes, if rows have any.

    num_steps: optimiser steps of the whole training. weights_from: the share of it after which weights_C count; they
    have mean 1 under the mix that is sampled from there on. prior_C: what the loss sees of each class over the whole
    training, or the natural prior where the recipe says so.
    """

    sampler: ClassSampler
    labels_N: np.ndarray
    soft_NC: np.ndarray | None
    counts_C: np.ndarray
    num_steps: int
    weights_C: np.ndarray
    weights_from: float
    prior_C: np.ndarray

    def mass_C(self, drawn_N: np.ndarray) -> np.ndarray:
        """What of each class was seen in so many draws of each row."""
        if self.soft_NC is not None:
            return drawn_N @ self.soft_NC
        known_N = self.labels_N >= 0
        return np.bincount(self.labels_N[known_N], weights=drawn_N[known_N], minlength=len(self.weights_C))

    @property
    def num_epochs(self) -> int:
        """Epochs that the training begins."""
        return math.ceil(self.num_steps * self.sampler.step / self.sampler.num_samples)


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
    begin = recipe.loss.weights_from
    seen_CC = _seen_of(sampler, soft_NC)
    after_C = sampler.planned_mix(begin) @ seen_CC
    weights_C = weights.normalised(_weights(recipe, counts_C, classes), after_C)
    prior_C = (1 - begin) * after_C * weights_C
    if begin:
        prior_C = prior_C + begin * (sampler.planned_mix(0.0, begin) @ seen_CC)
    if recipe.loss.prior == "natural":
        prior_C = counts_C / counts_C.sum()
    num_steps = total_steps(recipe.trainer, len(sampler) // recipe.global_batch)
    return Plan(sampler, labels_N, soft_NC, counts_C, num_steps, weights_C, begin, prior_C / prior_C.sum())


def total_steps(trainer: Mapping[str, Any], steps_per_epoch: int) -> int:
    """Optimiser steps of the whole training, as Trainer counts them from the recipe's `trainer:`."""
    steps, epochs = trainer.get("max_steps", -1), trainer.get("num_train_epochs", 3)
    return steps if steps > 0 else math.ceil(epochs * steps_per_epoch)


def _seen_of(sampler: ClassSampler, soft_NC: np.ndarray | None) -> np.ndarray:
    """seen_CC: the mass of each class (columns) in a draw for each class (rows), whose rows all come equally often."""
    if soft_NC is None:
        return np.eye(len(sampler.members))
    nothing_C = np.zeros(soft_NC.shape[1])
    return np.stack([soft_NC[rows].mean(axis=0) if len(rows) else nothing_C for rows in sampler.members])


def _weights(recipe: Recipe, counts_C: np.ndarray, classes: list[str]) -> np.ndarray:
    asked = recipe.loss.class_weights
    if isinstance(asked, dict):
        return weights.by_name(classes, asked)
    if asked == "effective_number":
        assert recipe.loss.beta is not None, "checked when the recipe was read"
        return weights.effective_number(counts_C, beta=recipe.loss.beta)
    return {"none": weights.none, "inverse": weights.inverse, "inverse_sqrt": weights.inverse_sqrt}[asked](counts_C)
