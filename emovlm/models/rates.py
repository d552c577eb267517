"""A learning rate for each part, and for LoRA-B its own: parameter groups for any optimiser."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from torch import nn

from emovlm.models.lora import saved_name
from emovlm.models.parts import part_of, roots

if TYPE_CHECKING:
    from emovlm.recipe import Lora

# As Trainer has it: what is added or multiplied is not drawn to zero.
NO_DECAY = (r"bias", r"layernorm", r"rmsnorm", r"(?:^|\.)norm(?:$|\.)", r"_norm(?:$|\.)")


def groups(model: Any, lora: Lora, learning_rate: float, weight_decay: float) -> list[dict[str, Any]] | None:
    """One group for each rate and decay, in order of appearance. None where all that learns has the trainer's rate.

    LoRA+ (arXiv 2402.12354): lora_B learns `plus_ratio` times faster than its part.
    """
    own = {name: lora.part(name).learning_rate for name in lora.parts}
    if lora.plus_ratio is None and not any(own.values()):
        return None
    from transformers.trainer_pt_utils import get_parameter_names

    by_part = roots(model.get_base_model())
    decays = set(get_parameter_names(model, [nn.LayerNorm], list(NO_DECAY)))
    found: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            part: Any = part_of(saved_name(name).removeprefix("base_model.model."), by_part)
            rate = own[part] or learning_rate
            rate *= lora.plus_ratio or 1 if ".lora_B." in name else 1
            found[rate, weight_decay if name in decays else 0.0].append(parameter)
    return [{"params": params, "lr": rate, "weight_decay": decay} for (rate, decay), params in found.items()]
