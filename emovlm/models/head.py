"""A linear layer on the last state of a frozen model: the cheap rival of every adapter (a linear probe).

B clips, L prompt tokens, H hidden size, C classes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from emovlm import UserError

WEIGHTS = "head.safetensors"


class ClassHead(nn.Module):
    """What the language model makes of the prompt's last token, and one linear layer behind it.

    base: a VLM of transformers; nothing of it learns, and nothing of it is saved.
    """

    def __init__(self, base: Any, num_classes: int):
        super().__init__()
        self.base = base.requires_grad_(False)
        hidden = base.config.get_text_config().hidden_size
        self.head = nn.Linear(hidden, num_classes, device=base.device, dtype=torch.float32)

    def forward(self, **prompt: torch.Tensor) -> torch.Tensor:
        """prompt: a scoring batch, padded on the left. -> scores_BC, unnormalised log-probabilities."""
        with torch.no_grad():
            state_BH = self.base.base_model(**prompt).last_hidden_state[:, -1]
        return self.head(state_BH.float())

    def get_base_model(self) -> Any:
        return self.base

    @property
    def device(self) -> torch.device:
        return self.head.weight.device

    def state_dict(self, *_: Any, **options: Any) -> dict[str, Any]:
        """Of the head alone: the frozen weights are where they came from."""
        return self.head.state_dict(prefix="head.", keep_vars=bool(options.get("keep_vars")))

    def load_state_dict(self, state_dict: Mapping[str, Any], *_: Any, **__: Any) -> Any:
        return self.head.load_state_dict({name.removeprefix("head."): tensor for name, tensor in state_dict.items()})


def save(model: Any, processor: Any, folder: Path) -> None:
    """Write the head and the processor beside `folder`, then move them into place."""
    from safetensors.torch import save_file

    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    processor.save_pretrained(temporary)
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}, temporary / WEIGHTS
    )
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(temporary, folder)


def load(base: Any, folder: Path) -> ClassHead:
    """Raises UserError where the folder holds no head, or one of another model."""
    from safetensors.torch import load_file

    path = folder / WEIGHTS
    if not path.is_file():
        raise UserError(f"{folder}: holds no head ({WEIGHTS}); was the training finished?")
    tensors = load_file(path)
    found = ClassHead(base, len(tensors["head.bias"]))
    if tensors["head.weight"].shape != found.head.weight.shape:
        raise UserError(f"{path}: is of a model with another hidden size; score it with the one it was trained on")
    found.load_state_dict(tensors)
    return found
