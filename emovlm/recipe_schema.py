"""The JSON schema of a recipe, which editors use for completion."""

from __future__ import annotations

from typing import Any

from emovlm import lookup
from emovlm.recipe import OWN_TRAINER_KEYS, Recipe, trainer_keys


def schema() -> dict[str, Any]:
    """JSON schema of a recipe, with the keys of `trainer:`, for completion in editors."""
    found = Recipe.model_json_schema()
    found["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    allowed = sorted(trainer_keys() - OWN_TRAINER_KEYS)
    found["properties"]["trainer"].update(properties={key: {} for key in allowed}, additionalProperties=False)
    for section, key, home in (
        ("Sampler", "strategy", lookup.STRATEGY),
        ("Frames", "pick", lookup.POLICY),
        ("Data", "source", lookup.SOURCE),
        ("Loss", "over_classes", lookup.CLASS_LOSS),
        ("Enrich", "describer", lookup.DESCRIBER),
        ("Enrich", "source", lookup.TEXT_SOURCE),
        ("Enrich", "control", lookup.CONTROL),
        ("Stage", "describer", lookup.DESCRIBER),
    ):
        spec = found["$defs"][section]
        spec["properties"][key]["examples"] = home.names()
        for name in home.names():
            for argument in lookup.parameters(home, name):
                spec["properties"].setdefault(argument, {})
    return found
