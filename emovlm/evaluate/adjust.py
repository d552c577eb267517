"""Priors taken off the scores after the model has spoken, and what is fitted for it on the validation split.

N clips, C classes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from emovlm import UserError
from emovlm.evaluate.predictions import Predictions
from emovlm.metrics import calibration
from emovlm.scoring import priors

if TYPE_CHECKING:
    from emovlm import run as runs
    from emovlm.recipe import Recipe


def plain(recipe: Recipe, *, keep_prior: bool = False) -> Recipe:
    """The recipe without what only the final scoring does; `keep_prior`: with what its prior needs to be measured."""
    asked = recipe.evaluate
    changes: dict[str, Any] = {"orders": 1, "look": False, "words": False, "tau": 1.0, "temperature": "none"}
    if not keep_prior:
        changes["prior"] = "none"
    return recipe.model_copy(update={"evaluate": asked.model_copy(update=changes)})


def adjusted(
    found: Predictions, held_out: Predictions | None, recipe: Recipe, run: runs.RunFolder
) -> tuple[Predictions, float | None]:
    """(predictions with the recipe's prior taken off, the temperature fitted on held_out or None).

    Rows keep the scores that the model gave as `raw`; the header says what was taken off.
    """
    asked = recipe.evaluate
    if asked.prior == "label_shift" and held_out is not None:
        # Expectation maximisation needs calibrated probabilities, so the temperature comes first.
        known = held_out.targets_N() >= 0
        temperature = calibration.fit_temperature(held_out.scores_NC()[known], held_out.targets_N()[known])
        return with_prior(found, asked.prior, effective_prior(run, found.classes), 1.0, temperature), None
    prior_C = effective_prior(run, found.classes) if asked.prior in ("effective", "label_shift") else None
    tau = asked.tau
    if tau == "fit":
        assert held_out is not None, "a fit needs held-out rows"
        known = held_out.targets_N() >= 0
        offsets_NC = _offsets(held_out, asked.prior, prior_C)
        tau = priors.fit_tau(held_out.scores_NC()[known], held_out.targets_N()[known], offsets_NC[known])
    if asked.prior != "none":
        found = with_prior(found, asked.prior, prior_C, tau)
    if asked.temperature != "fit":
        return found, None
    assert held_out is not None, "a fit needs held-out rows"
    if asked.prior != "none":
        held_out = with_prior(held_out, asked.prior, prior_C, tau)
    known = held_out.targets_N() >= 0
    return found, calibration.fit_temperature(held_out.scores_NC()[known], held_out.targets_N()[known])


def with_prior(
    found: Predictions, kind: str, prior_C: np.ndarray | None, tau: float, temperature: float = 1.0
) -> Predictions:
    """prior_C: for `effective` and `label_shift`; what a row's `blank` says is taken off for `blank`."""
    raw_NC = found.scores_NC()
    said: dict[str, Any] = {"kind": kind}
    if kind == "label_shift":
        assert prior_C is not None
        shifted = priors.label_shift(calibration.probabilities(raw_NC, temperature), prior_C)
        scores_NC = np.log(np.maximum(shifted.probs_NC, np.finfo(float).tiny))
        said |= {"train": prior_C.tolist(), "estimated": shifted.prior_C.tolist(), "temperature": temperature}
    else:
        offsets_NC = _offsets(found, kind, prior_C)
        scores_NC = priors.subtract_prior(raw_NC, offsets_NC, tau)
        said |= {"tau": tau}
        said |= {} if kind == "blank" else {"log_prior": offsets_NC[0].tolist()}
    rows = [
        {**row, "raw": row["scores"], "scores": scores_C.tolist()}
        for row, scores_C in zip(found.rows, scores_NC, strict=True)
    ]
    return Predictions({**found.header, "prior": said}, rows)


def _offsets(found: Predictions, kind: str, prior_C: np.ndarray | None) -> np.ndarray:
    """offset_NC: the log of the prior to take off each row's scores."""
    scores_NC = found.scores_NC()
    if kind == "blank":
        return np.array([row["blank"] for row in found.rows])
    if kind == "batch":
        log_prior_C = priors.batch_log_prior(scores_NC)
    else:
        assert prior_C is not None
        log_prior_C = priors.log_prior(prior_C)
    return np.broadcast_to(log_prior_C, scores_NC.shape)


def effective_prior(run: runs.RunFolder, classes: list[str]) -> np.ndarray:
    """Sampled proportion x class weight, as the ledger of the run counted it."""
    try:
        ledger = json.loads(run.ledger.read_text(encoding="utf-8"))
        prior_C = np.array([ledger["effective_prior"][ledger["classes"].index(name)] for name in classes])
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"evaluate.prior: {run.ledger}: has no effective prior of these classes: {error}") from error
    never = [name for name, share in zip(classes, prior_C, strict=True) if share <= 0]
    if never:
        raise UserError(
            f"evaluate.prior: {run.ledger}: {', '.join(never)} was never drawn in training, so there is no prior to "
            "take off; set evaluate.prior to none, blank or batch"
        )
    return prior_C
