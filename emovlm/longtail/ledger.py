"""The ledger: which rows really reached the forward pass, set against what was there and what was asked.

E epochs, N training rows, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from emovlm.longtail.plan import Plan


class Ledger:
    """Counts the rows of one training run, epoch by epoch. It knows the plan, so that both can be compared."""

    def __init__(self, classes: Sequence[str], ids: Sequence[str], plan: Plan):
        self.classes, self.ids, self.plan = list(classes), list(ids), plan
        self.drawn_EN = np.zeros((plan.num_epochs, len(plan.labels_N)), dtype=np.int64)

    def add(self, rows_B: Sequence[int] | np.ndarray, epoch: int) -> None:
        """Count one batch: row indices, repeats allowed."""
        np.add.at(self.drawn_EN[epoch], np.asarray(rows_B, dtype=np.int64), 1)

    def add_planned(self) -> int:
        """Count what the whole training will draw, as it will be counted then. -> optimiser steps."""
        sampler, left = self.plan.sampler, self.plan.num_steps * self.plan.sampler.step
        for epoch in range(self.plan.num_epochs):
            rows = sampler.stream(epoch)[:left]
            self.add(rows, epoch)
            left -= len(rows)
        return self.plan.num_steps

    def summary(self, drawn_EN: np.ndarray, *, strategy: str, num_steps: int) -> dict[str, Any]:
        """The content of ledger.json. drawn_EN: draws of each row summed over all processes."""
        sampler, drawn_N = self.plan.sampler, drawn_EN.sum(axis=0)
        drawn_C = self._per_class(drawn_N)
        masses_C = self._seen(drawn_N, num_steps)
        return {
            "classes": self.classes,
            "strategy": strategy,
            "available": sampler.sizes_C.tolist(),
            "asked": _rounded(sampler.planned_mix()),
            "drawn": drawn_C,
            "class_weights": _rounded(self.plan.weights_C),
            "effective_prior": _rounded(masses_C / max(masses_C.sum(), 1e-300)),
            "distinct_clips": self._per_class(drawn_N > 0),
            "most_draws_of_a_clip": self._most(drawn_N),
            "effective_epochs": _rounded(np.array(drawn_C) / np.maximum(sampler.sizes_C, 1)),
            "num_steps": num_steps,
            "global_batch": sampler.step,
            "epochs": [self.epoch(epoch, drawn_EN[epoch]) for epoch in range(len(drawn_EN)) if drawn_EN[epoch].any()],
        }

    def epoch(self, epoch: int, drawn_N: np.ndarray) -> dict[str, Any]:
        """One epoch: what was asked, what was drawn, how many different rows, repeats, and the most repeated row."""
        drawn_C, distinct_C = self._per_class(drawn_N), self._per_class(drawn_N > 0)
        most = int(drawn_N.argmax())
        return {
            "epoch": epoch,
            "asked": _rounded(self.plan.sampler.proportions(epoch)),
            "drawn": drawn_C,
            "distinct_clips": distinct_C,
            "repeats": [drawn - distinct for drawn, distinct in zip(drawn_C, distinct_C, strict=True)],
            "most_repeated": {"id": self.ids[most], "times": int(drawn_N[most])},
            "most_draws_of_a_clip": self._most(drawn_N),
        }

    def _seen(self, drawn_N: np.ndarray, num_steps: int) -> np.ndarray:
        """What the loss saw of each class: mass drawn x weight, which counts from `weights_from` on."""
        plan = self.plan
        without_N = np.zeros(len(drawn_N), dtype=np.int64)
        if plan.weights_from:
            # Counts by epoch do not say what came before; the stream does. Weighing begins with a whole step.
            first = math.ceil(plan.weights_from * plan.num_steps - 1e-9) * plan.sampler.step
            rows = plan.sampler.first(min(first, num_steps * plan.sampler.step))
            without_N = np.bincount(rows, minlength=len(drawn_N))
        return plan.mass_C(without_N) + plan.mass_C(drawn_N - without_N) * plan.weights_C

    def _most(self, drawn_N: np.ndarray) -> list[int]:
        members = self.plan.sampler.members
        return [int(drawn_N[rows].max()) if len(rows) else 0 for rows in members]

    def _per_class(self, values_N: np.ndarray) -> list[int]:
        known = self.plan.labels_N >= 0
        counts = np.bincount(self.plan.labels_N[known], weights=values_N[known], minlength=len(self.classes))
        return counts.astype(int).tolist()


def _rounded(values_C: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values_C]
