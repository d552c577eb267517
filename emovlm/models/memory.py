"""GPU memory that a training needs on one device, from shapes alone, and what helps where it does not suffice.

    weights      parameters x width (nf4: 4.127 bits each, with its constants quantised too)
    learning     gradient and both moments of AdamW of all that learns, and the copy of a part that is trained whole
    activations  of every block that a gradient passes, and of every token in it:
                 width x outputs of its linear layers + 4 x inputs of those that learn + 8 x features of its norms
                 (adapters and norms compute in float32, and keep their inputs in it)
    logits       answer tokens x vocabulary x (2 x width + 12), from logits to their gradient

With gradient checkpointing each block keeps what it is given, and one block at a time the rest. Counted against what
autograd keeps in bfloat16 (tests/models/test_memory.py) the activations are right within a quarter, but for layers with
a running state, which keep more (Qwen3.5, MiniCPM-V); float32 needs less than said, since adapters share their inputs.
Beside this a GPU holds about 1 GB of CUDA itself, and gaps. Sharding (ZeRO, FSDP) is not taken off.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from emovlm import UserError
from emovlm.models.parts import part_of, roots

if TYPE_CHECKING:
    from emovlm.recipe import Recipe

NF4_BYTES = 4.127 / 8
# What a gradient to a part passes on its way from the answer.
PASSED = {
    "language": ("language",),
    "projector": ("language", "projector"),
    "vision": ("language", "projector", "vision"),
}


@dataclass(frozen=True)
class Memory:
    """Bytes."""

    weights: float
    learning: float
    activations: float
    logits: float

    def __str__(self) -> str:
        parts = {
            "weights": self.weights,
            "gradients and AdamW": self.learning,
            "activations": self.activations,
            "logits": self.logits,
        }
        listed = " + ".join(f"{size / 1e9:.2f} {name}" for name, size in parts.items())
        return f"{listed} = {sum(parts.values()) / 1e9:.2f} GB"


@dataclass(frozen=True)
class Layout:
    """How the training will run. rows: of a batch on a device. width: bytes of a weight of the model."""

    rows: int
    width: int
    quantized: bool = False
    checkpointing: bool = False


def estimate(model: Any, batch: Mapping[str, torch.Tensor], answer_tokens: int, layout: Layout) -> Memory:
    """model: as it is trained (it may be without weights). batch: one row, the longest, as the collator makes it."""
    width, rows = layout.width, layout.rows
    learns = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    by_part = roots(base)
    linear = {path for path, module in base.named_modules() if isinstance(module, nn.Linear)}
    weights = learning = 0.0
    for name, parameter in model.named_parameters():
        # peft keeps adapters in float32, whatever the model is in.
        own: float = 4 if ".lora_" in name else width
        module = _path(name).rpartition(".")[0]
        four_bits = layout.quantized and module in linear and parameter.ndim > 1 and ".lora_" not in name
        if four_bits and part_of(module, by_part) == "language":
            own = NF4_BYTES
        weights += own * parameter.numel()
        learning += 3 * own * parameter.numel() if name in learns else 0
    tokens = {"language": batch["input_ids"].numel(), "vision": num_patches(base, batch)}
    tokens["projector"] = tokens["vision"]
    places = {str(place) for name in learns if (place := part_of(_path(name), by_part))}
    passed = {part for place in places for part in PASSED.get(place, PASSED["vision"])}
    kept = 0.0
    for part in passed:
        inputs, wholes = _blocks(base, part, by_part, learns, width)
        kept += tokens[part] * (sum(inputs) + max(wholes, default=0) if layout.checkpointing else sum(wholes))
    vocabulary = base.get_output_embeddings().weight.shape[0]
    return Memory(weights, learning, rows * kept, rows * (answer_tokens + 1) * vocabulary * (2 * width + 12))


def num_patches(model: Any, batch: Mapping[str, torch.Tensor]) -> int:
    """Patches that the vision tower sees: the pixels of a batch over those of a patch."""
    tower = model.get_encoder(modality="image")
    kinds = nn.Conv2d | nn.Conv3d | nn.Linear
    first = next(module for module in tower.modules() if isinstance(module, kinds))
    pixels = sum(tensor.numel() for name, tensor in batch.items() if name.startswith("pixel_values"))
    return pixels // first.weight[0].numel()


@contextlib.contextmanager
def explained(recipe: Recipe) -> Iterator[None]:
    """Where the GPU's memory does not suffice, say what would help."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        said = str(error).partition(". ")[0]
        steps = "; ".join(f"{k}. {step}" for k, step in enumerate(advice(recipe), start=1))
        raise UserError(f"{said}. What helps, the cheapest first: {steps}") from error


def advice(recipe: Recipe) -> list[str]:
    """What a recipe can still do to need less memory, in order of cost: time, then accuracy, then what is seen."""
    rows = recipe.trainer.get("per_device_train_batch_size", 8)
    over_names = recipe.loss.over_classes and recipe.loss.share_prefix
    found = []
    if isinstance(rows, int) and rows > 1:
        found.append(f"trainer.per_device_train_batch_size={rows // 2} (the same steps, in more parts)")
    if not recipe.checkpoints_activations:
        first = "loss.share_prefix=false and " if over_names else ""
        found.append(f"{first}trainer.activation_checkpointing=true (the same numbers, a third more time)")
    if recipe.model.attention == "eager":
        found.append("model.attention=sdpa (the same numbers within rounding)")
    found.append("several GPUs: --launch accelerate_configs/zero2.yaml, or zero3.yaml (shards the weights too)")
    if recipe.train == "full":
        found.append("train=lora (gradients and moments of the adapters alone)")
    elif not recipe.model.quantize:
        found.append("model.quantize=nf4 (a quarter of the language model, slightly less exact)")
    if recipe.train == "lora" and set(recipe.lora.parts) != {"language"}:
        found.append("lora.parts=[language] (nothing is kept of the vision tower)")
    found.append(f"frames.max_pixels={recipe.frames.max_pixels // 2} or fewer frames (the model sees less)")
    return found


def _blocks(
    base: nn.Module, part: str, by_part: dict[str, list[str]], learns: set[str], width: int
) -> tuple[list[float], list[float]]:
    """Bytes a token, block by block: of what the block is given, and of all that it keeps."""
    inputs: dict[str, float] = {}
    wholes: dict[str, float] = {}
    learning = {_path(name) for name in learns}
    for path, module in base.named_modules():
        if part_of(path, by_part) != part or "original_module" in path:
            continue
        numbered = re.match(r".*?\.\d+(?=\.)", path)
        block = numbered[0] if numbered else path
        if isinstance(module, nn.Linear) and ".lora_" not in path:
            layer = re.sub(r"\.(base_layer|modules_to_save\.default)", "", path)
            kept = width * module.out_features
            kept += 4 * module.in_features if any(name.startswith(layer + ".") for name in learning) else 0
            wholes[block] = wholes.get(block, 0) + kept
            inputs.setdefault(block, width * module.in_features)
        elif "norm" in type(module).__name__.lower() and getattr(module, "weight", None) is not None:
            wholes[block] = wholes.get(block, 0) + 8 * module.weight.numel()  # type: ignore[union-attr]
    return list(inputs.values()), list(wholes.values())


def _path(name: str) -> str:
    """Of a parameter of a PeftModel, or of a plain one, within the model."""
    return name.removeprefix("base_model.model.").replace(".modules_to_save.default", "")
