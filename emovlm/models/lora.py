"""LoRA by part, in the standard peft layout: added, saved, loaded, and checked each time."""

from __future__ import annotations

import os
import re
import shutil
import warnings
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from rich.table import Table
from torch import nn

from emovlm import UserError
from emovlm.models.load import probe
from emovlm.models.parts import linear_paths, part_of, roots, whole_paths

if TYPE_CHECKING:
    from emovlm.recipe import Lora

WEIGHTS = "adapter_model.safetensors"


class Adapted(NamedTuple):
    """module: path with the numbers of layers as *. count: such modules. parameters: that learn, in all of them."""

    part: str
    module: str
    count: int
    parameters: int


def add(model: Any, lora: Lora) -> Any:
    """-> a PeftModel in which only the asked parts learn: through adapters, or whole (peft's modules_to_save)."""
    from peft import LoraConfig, get_peft_model
    from peft.utils.constants import DUMMY_TARGET_MODULES

    parts = {name: lora.part(name) for name in lora.parts}
    if lora.init != "default" and getattr(model, "is_quantized", False):
        raise UserError(
            f"lora.init: {lora.init} takes the weights apart, and those of this model have few bits; set default"
        )
    adapted = {name: part for name, part in parts.items() if part.train == "lora"}
    paths = {name: linear_paths(model, str(part.targets), name) for name, part in adapted.items()}
    targets = [path for found in paths.values() for path in found]
    whole = [path for name in parts if name not in adapted for path in whole_paths(model, name)]
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]
        lora_dropout=lora.dropout,
        target_modules=targets or DUMMY_TARGET_MODULES,
        modules_to_save=whole or None,
        rank_pattern=_pattern(model, {name: part.rank for name, part in adapted.items()}, lora.rank),
        alpha_pattern=_pattern(model, {name: part.alpha for name, part in adapted.items()}, lora.alpha),
        use_dora=lora.dora,
        use_rslora=lora.rslora,
        init_lora_weights=True if lora.init == "default" else lora.init,  # type: ignore[arg-type]
        task_type="CAUSAL_LM",
    )
    made = get_peft_model(model, config)
    hit = {name.split(".lora_A.")[0] for name, _ in made.named_parameters() if ".lora_A." in name}
    assert len(hit) == len(targets), f"LoRA was put on {len(hit)} modules, {len(targets)} were meant"
    for name, found in paths.items():  # peft has no pattern for dropout
        dropout = float(adapted[name].dropout or 0)
        for path in found:
            layer: Any = made.get_base_model().get_submodule(path)
            layer.lora_dropout["default"] = nn.Dropout(dropout) if dropout else nn.Identity()
    return made


def adapted_modules(model: Any) -> list[Adapted]:
    """What learns, in order of appearance; of a model with or without adapters."""
    by_part = roots(model.get_base_model() if hasattr(model, "get_base_model") else model)
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            path = saved_name(name).removeprefix("base_model.model.")
            own, _, kind = path.partition(".lora_")
            module = own if kind else path.rpartition(".")[0]
            found = counts[part_of(module, by_part) or "other", re.sub(r"\.\d+(?=\.|$)", ".*", module)]
            found[0] += kind.startswith("B.") or (not kind and path.endswith(".weight"))
            found[1] += getattr(parameter, "ds_numel", parameter.numel())
    return [Adapted(*key, *numbers) for key, numbers in counts.items()]


def table(model: Any) -> Table:
    """What learns, for the terminal."""
    modules = adapted_modules(model)
    trained, total = sum(one.parameters for one in modules), num_parameters(model)
    title = f"What is trained: {trained:,} of {total:,} parameters ({trained / total:.1%})"
    shown = Table(title=title, title_justify="left")
    shown.add_column("part")
    shown.add_column("module", overflow="fold")
    shown.add_column("count", justify="right")
    shown.add_column("parameters", justify="right")
    for one in modules:
        shown.add_row(one.part, one.module.removeprefix("model."), str(one.count), f"{one.parameters:,}")
    return shown


def num_parameters(model: nn.Module) -> int:
    """Of the whole model: also where a process holds a shard, or a byte holds two weights."""
    found = 0
    for parameter in model.parameters():
        state = getattr(parameter, "quant_state", None)
        found += state.shape.numel() if state else getattr(parameter, "ds_numel", parameter.numel())
    return found


def save(model: Any, processor: Any, folder: Path) -> None:
    """Write the adapter and its processor beside `folder`, check what was written, then move it into place.

    Raises RuntimeError where the file lacks a tensor or holds another value, where every LoRA-B is still zero (nothing
    was learnt), and where the model with the adapter read back does not give the same logits.
    """
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    model.save_pretrained(temporary)
    processor.save_pretrained(temporary)
    fault = _fault(model, temporary / WEIGHTS) or _differs(model, processor, temporary)
    if fault:
        shutil.rmtree(temporary)
        raise RuntimeError(f"{folder}: {fault}")
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(temporary, folder)


def load(model: Any, folder: Path) -> Any:
    """-> a PeftModel with the saved adapter. Every tensor is matched, or UserError: a base is never scored as a run."""
    from peft import PeftModel
    from safetensors.torch import load_file

    path = folder / WEIGHTS
    if not path.is_file():
        raise UserError(f"{folder}: holds no adapter ({WEIGHTS}); was the training finished?")
    adapted = PeftModel.from_pretrained(model, str(folder))
    stored = load_file(path)
    expected = {name for name, _ in adapted.named_parameters() if _of_adapter(name)}
    loaded = {saved_name(name): tensor for name, tensor in adapted.state_dict().items() if _of_adapter(name)}
    odd = sorted(({saved_name(name) for name in expected} - set(stored)) | (set(stored) - set(loaded)))
    if odd:
        raise UserError(f"{folder}: {len(odd)} tensors of the adapter do not match the model, first {odd[0]}")
    for name, tensor in stored.items():
        if not torch.equal(loaded[name].detach().cpu().to(tensor.dtype), tensor):
            raise UserError(f"{folder}: the tensor {name} was not loaded as it was saved")
    return adapted


def saved_name(name: str) -> str:
    """What peft calls a parameter of the model in the file of the adapter."""
    name = name.replace(".modules_to_save.default.", ".").replace(
        ".lora_magnitude_vector.default.weight", ".lora_magnitude_vector"
    )
    return name.replace(".default.", ".")


def _of_adapter(name: str) -> bool:
    return ".lora_" in name or ".modules_to_save.default." in name


def _pattern(model: Any, values: dict[str, Any], usual: Any) -> dict[str, Any]:
    """{regular expression: value} for LoraConfig; nothing where all parts have the usual one."""
    if all(value == usual for value in values.values()):
        return {}
    by_part = roots(model)
    found = {}
    for name, value in values.items():
        for root in by_part[name]:
            # The file of the adapter keeps no order, so a tower's pattern must not hit the projector inside it.
            others = by_part["projector"] if name != "projector" else []
            inside = [other.removeprefix(root + ".") for other in others if other.startswith(root + ".")]
            but_not = f"(?!({'|'.join(map(re.escape, inside))})\\.)" if inside else ""
            found[re.escape(root) + r"\." + but_not + ".*"] = value
    return found


def _fault(model: Any, path: Path) -> str | None:
    """What is wrong with the file of an adapter, or None."""
    from safetensors.torch import load_file

    written = load_file(path)
    learnt = {saved_name(name): parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    missing = sorted(set(learnt) - set(written))
    if missing:
        return f"not saved whole: {len(missing)} of {len(learnt)} tensors are missing, first {missing[0]}"
    for name, parameter in learnt.items():
        # Where a process holds a shard, there is nothing here to compare with.
        whole = type(parameter) is nn.Parameter and parameter.shape == written[name].shape
        if whole and not torch.equal(parameter.detach().cpu(), written[name]):
            return f"{name} was not saved as it is"
    by_part = roots(model.get_base_model())
    moved: dict[str, bool] = {}
    for name, tensor in written.items():
        if ".lora_B." in name:
            part = str(part_of(name.removeprefix("base_model.model."), by_part))
            moved[part] = moved.get(part, False) or bool(tensor.any())
    still = [part for part, has_moved in moved.items() if not has_moved]
    return f"every LoRA-B of the {still[0]} part is zero: nothing was learnt, so nothing is saved" if still else None


def _differs(model: Any, processor: Any, folder: Path) -> str | None:
    """Read the adapter back, as a second one, and compare the logits. None where they are equal.

    Left out where the model is in shards (a forward pass is everybody's), and for an init that has changed the base.
    """
    from peft import PeftModel

    changed_base = isinstance(getattr(model.peft_config["default"], "init_lora_weights", True), str)
    if not isinstance(model, PeftModel) or changed_base:
        return None
    prompt = {name: tensor.to(model.device) for name, tensor in probe(processor).items()}
    training = model.training
    model.eval()
    with torch.no_grad(), torch.random.fork_rng():
        own = model(**prompt, logits_to_keep=1).logits
        model.load_adapter(str(folder), "again")
        model.set_adapter("again")
        again = model(**prompt, logits_to_keep=1).logits
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it was active; the next line says which is now
            model.delete_adapter("again")
        # Only now: to delete one adapter can leave peft without an active one, and nothing would learn any more.
        model.set_adapter("default")
    model.train(training)
    gap = (own - again).abs().max().item()
    return f"read back, it gives other logits (by up to {gap:.3g})" if gap > 1e-4 * own.abs().max().item() else None
