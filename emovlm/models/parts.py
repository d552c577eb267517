"""Where the language model of a VLM is, for any family: full module paths, never bare suffixes.

A bare `q_proj` or `gate_proj` also hits the vision tower in every family.
"""

from __future__ import annotations

from torch import nn

from emovlm import UserError

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj", "qkv_proj", "out_proj")
MLP = ("gate_proj", "up_proj", "down_proj", "gate_up_proj", "fc1", "fc2")
KINDS = {"attention": ATTENTION, "mlp": MLP, "all": ATTENTION + MLP}


def language_path(model: nn.Module) -> str:
    """Dotted path of the language model inside the VLM, such as `model.language_model`."""
    decoder = model.get_decoder()  # type: ignore[operator]
    for path, module in model.named_modules():
        if module is decoder:
            return path
    raise UserError(f"{type(model).__name__}: get_decoder() gives a module that is not part of the model")


def linear_paths(model: nn.Module, kind: str) -> list[str]:
    """Full paths of the linear layers of the language model. kind: `attention`, `mlp` or `all`."""
    root = language_path(model)
    found = [
        path
        for path, module in model.named_modules()
        if isinstance(module, nn.Linear) and path.startswith(root + ".") and path.rpartition(".")[2] in KINDS[kind]
    ]
    if not found:
        raise UserError(f"lora.targets: '{kind}': no such layer below {root} of {type(model).__name__}")
    return found
