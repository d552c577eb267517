"""LoRA on the language model, in the standard peft layout: added, saved, loaded, and checked each time."""

from __future__ import annotations

import os
import re
import shutil
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from rich.table import Table

from emovlm import UserError
from emovlm.models.parts import linear_paths

if TYPE_CHECKING:
    from emovlm.recipe import Lora


def add(model: Any, lora: Lora) -> Any:
    """-> a PeftModel in which only the adapters learn."""
    from peft import LoraConfig, get_peft_model

    targets = linear_paths(model, lora.targets)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]
        lora_dropout=lora.dropout,
        target_modules=targets,
        task_type="CAUSAL_LM",
    )
    adapted = get_peft_model(model, config)
    hit = {name.split(".lora_A.")[0] for name, _ in adapted.named_parameters() if ".lora_A." in name}
    assert len(hit) == len(targets), f"LoRA was put on {len(hit)} modules, {len(targets)} were meant"
    return adapted


def adapted_modules(model: Any) -> list[tuple[str, int, int]]:
    """(module path with layer numbers as *, number of modules, trainable parameters), in order of appearance."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            module = name.split(".lora_")[0] if ".lora_" in name else name.rpartition(".")[0]
            path = re.sub(r"\.\d+\.", ".*.", module.removeprefix("base_model.model."))
            counts[path][0] += 1 if ".lora_B." in name or ".lora_" not in name else 0
            counts[path][1] += parameter.numel()
    return [(path, modules, parameters) for path, (modules, parameters) in counts.items()]


def table(model: Any) -> Table:
    """What learns, for the terminal."""
    modules = adapted_modules(model)
    shown = Table(title="What is trained", title_justify="left")
    shown.add_column("module")
    shown.add_column("count", justify="right")
    shown.add_column("parameters", justify="right")
    for path, count, parameters in modules:
        shown.add_row(path, str(count), f"{parameters:,}")
    total = sum(parameter.numel() for parameter in model.parameters())
    trained = sum(parameters for _, _, parameters in modules)
    count = sum(count for _, count, _ in modules)
    shown.add_row("all", str(count), f"{trained:,} ({trained / total:.1%})", style="bold")
    return shown


def save(model: Any, processor: Any, folder: Path) -> None:
    """Write the adapter and its processor beside `folder`, check what was written, then move it into place.

    Raises RuntimeError where the file lacks a tensor, or where every LoRA-B is still zero (nothing was learnt).
    """
    from safetensors.torch import load_file

    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    model.save_pretrained(temporary)
    processor.save_pretrained(temporary)
    written = load_file(temporary / "adapter_model.safetensors")
    expected = {name.replace(".default.", ".") for name, p in model.named_parameters() if p.requires_grad}
    if set(written) != expected:
        missing = sorted(expected - set(written)) or sorted(set(written) - expected)
        raise RuntimeError(f"{folder}: not saved whole: {missing[0]} and {len(missing) - 1} more tensors differ")
    if not any(tensor.abs().max() > 0 for name, tensor in written.items() if ".lora_B." in name):
        raise RuntimeError(f"{folder}: every LoRA-B is zero: nothing was learnt, so nothing is saved")
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(temporary, folder)


def load(model: Any, folder: Path) -> Any:
    """-> a PeftModel with the saved adapter. Every tensor is matched, or UserError: a base is never scored as a run."""
    from peft import PeftModel
    from safetensors.torch import load_file

    path = folder / "adapter_model.safetensors"
    if not path.is_file():
        raise UserError(f"{folder}: holds no adapter (adapter_model.safetensors); was the training finished?")
    adapted = PeftModel.from_pretrained(model, str(folder))
    stored = load_file(path)
    loaded = {name.replace(".default.", "."): p for name, p in adapted.named_parameters() if ".lora_" in name}
    if set(stored) != set(loaded):
        odd = sorted(set(stored) ^ set(loaded))
        raise UserError(f"{folder}: {len(odd)} tensors of the adapter do not match the model, first {odd[0]}")
    for name, tensor in stored.items():
        if not torch.equal(loaded[name].detach().cpu().to(tensor.dtype), tensor):
            raise UserError(f"{folder}: the tensor {name} was not loaded as it was saved")
    return adapted
