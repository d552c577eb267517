"""What can be tried on the page: other frames, another prior, another temperature. As a recipe, so by the same path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emovlm import UserError, lookup
from emovlm.frames.look import needs
from emovlm.predict import adjusting

if TYPE_CHECKING:
    from emovlm.predict.predictor import Predictor
    from emovlm.recipe import Recipe

# Of the slider for tau: what is closer than this is the same.
TAU_STEP = 0.01


def policies(recipe: Recipe) -> list[str]:
    """Those that need neither an annotation nor chance; the recipe's own first."""
    names = [name for name in lookup.POLICY.names() if not _needs(name, "annotations") and not _needs(name, "key")]
    return list(dict.fromkeys([recipe.frames.pick, *names]))


def priors(predictor: Predictor) -> list[str]:
    """Those that the run can take off. Raises nothing: what it cannot is left out."""
    found = ["none", "blank"]
    if predictor.run.ledger.is_file() and predictor.trained.train != "none":
        found.append("effective")
    return found


def changed(
    predictor: Predictor, pick: str, keep: int, prior: str, tau: float, fitted: bool
) -> tuple[Recipe, adjusting.Adjustment, bool]:
    """(recipe, adjustment, whether the frames are others than the run's). Raises UserError, such as for no such fit.

    keep: how many frames, where the policy can be told. fitted: by the temperature that was fitted on validation.
    """
    own = predictor.trained.frames
    frames = predictor.asked.frames
    args = dict(frames.args) if pick == frames.pick else {}
    if "keep" in lookup.parameters(lookup.POLICY, pick):
        args["keep"] = keep
    if prior not in priors(predictor):
        raise UserError(f"evaluate.prior: '{prior}' cannot be taken off here")
    fixed = {name: getattr(frames, name) for name in type(frames).model_fields}
    frames = type(frames).model_validate({**fixed, **args, "pick": pick})
    evaluate, shown_tau = predictor.asked.evaluate, predictor.adjustment.tau
    asked: dict[str, Any] = {"prior": prior, "tau": tau if prior != "none" else 1.0}
    if prior != "none" and prior == evaluate.prior and abs(tau - shown_tau) < TAU_STEP:
        asked["tau"] = evaluate.tau  # untouched: the fitted one stays the fitted one
    asked["temperature"] = "fit" if fitted else "none"
    evaluate = evaluate.model_copy(update=asked)
    recipe = predictor.asked.model_copy(update={"frames": frames, "evaluate": evaluate})
    return recipe, adjusting.of_run(recipe, predictor.run, predictor.classes), _looks(frames) != _looks(own)


def keep_of(recipe: Recipe) -> int:
    """How many frames the recipe keeps, 8 where its policy does not say."""
    return int(recipe.frames.args.get("keep", 8))


def _looks(frames: Any) -> dict[str, Any]:
    """What decides which pixels are looked at, with the default of `keep` written out."""
    return {"keep": 8, **frames.model_dump(exclude={"cache", "cache_gb"})}


def _needs(name: str, what: str) -> bool:
    return needs(lookup.resolve(lookup.POLICY, name), what)
