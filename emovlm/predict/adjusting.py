"""What is done to the scores of a clip that nobody has labelled: the prior and the temperature of the run, never a fit.

N clips, C classes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emovlm import UserError
from emovlm import run as runs
from emovlm.evaluate import adjust
from emovlm.evaluate import predictions as border
from emovlm.evaluate.predictions import Predictions
from emovlm.metrics import calibration

if TYPE_CHECKING:
    from emovlm.recipe import Recipe

# These are estimated over all clips of a split together, so they say nothing about a single one.
OF_A_SET = ("batch", "label_shift")


@dataclass(frozen=True)
class Adjustment:
    """kind: `evaluate.prior`; prior_C: what is taken off `tau` times where it is `effective`."""

    kind: str = "none"
    prior_C: np.ndarray | None = None
    tau: float = 1.0
    temperature: float = 1.0

    def scores(self, found: Predictions) -> Predictions:
        """With the prior taken off, as `emovlm evaluate` does it."""
        return found if self.kind == "none" else adjust.with_prior(found, self.kind, self.prior_C, self.tau)

    def probabilities_NC(self, found: Predictions) -> np.ndarray:
        """Of what `scores` gives."""
        return calibration.probabilities(found.scores_NC(), self.temperature)


def of_run(recipe: Recipe, run: runs.RunFolder, classes: list[str]) -> Adjustment:
    """As the recipe's `evaluate:` asks. What is to be fitted was fitted when the run was evaluated so, and is read.

    Raises UserError where it never was, and for what has no meaning for a clip alone.
    """
    asked = recipe.evaluate
    if asked.prior in OF_A_SET:
        raise UserError(
            f"evaluate.prior: {asked.prior} is estimated over all clips of a split, so it means nothing for a clip "
            "alone; give evaluate.prior=none, effective or blank"
        )
    if asked.scorer == "likelihood" and asked.score == "mean":
        raise UserError("evaluate.score: mean gives no probabilities; give evaluate.score=sum or trie")
    prior_C = adjust.effective_prior(run, classes) if asked.prior == "effective" else None
    key = runs.evaluation_key(recipe.evaluate, asked.split)
    tau = float(_fitted(run, key, "tau")) if asked.tau == "fit" and asked.prior != "none" else asked.tau
    temperature = float(_fitted(run, key, "temperature")) if asked.temperature == "fit" else 1.0
    return Adjustment(asked.prior, prior_C, 1.0 if tau == "fit" else float(tau), temperature)


def fitted(run: runs.RunFolder, key: str) -> dict[str, Any]:
    """{tau, temperature} as far as they were fitted (or given) in this evaluation of the run."""
    found: dict[str, Any] = {}
    if run.predictions(key).is_file():
        found |= {"tau": (border.read(run.predictions(key)).header.get("prior") or {}).get("tau")}
    if run.report.is_file():
        evaluations = json.loads(run.report.read_text(encoding="utf-8"))["evaluations"]
        scaled = evaluations.get(key, {}).get("calibration", {}).get("temperature") or {}
        found |= {"temperature": scaled.get("value")}
    return {name: value for name, value in found.items() if value is not None}


def _fitted(run: runs.RunFolder, key: str, name: str) -> float:
    found = fitted(run, key)
    if name not in found:
        raise UserError(
            f"evaluate.{name}: {run.folder}: its evaluation {key} is not there, and {name} is fitted there, on the "
            f"validation split; run `emovlm evaluate` with the same evaluate.prior, tau and temperature first"
        )
    return found[name]
