"""The three parts of a VLM, for any family, by full module paths: language model, vision tower, and projector.

A bare suffix such as `q_proj` hits language model and vision tower alike in every family.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from torch import nn

from emovlm import UserError

PARTS = ("language", "vision", "projector")
KINDS = {"attention": ("attn", "attention"), "mlp": ("mlp", "feed_forward")}
# Projectors that sit inside the vision tower: Qwen and GLM, all of Qwen3-VL's, MiniCPM-V.
NESTED = ("merger", "deepstack_merger_list", "vit_merger")
# Of towers that were made for something else: they are there, and never called.
POOLING_HEAD, LAST_NORM = "head", "post_layernorm"


def language_path(model: nn.Module) -> str:
    """Dotted path of the language model inside the VLM, such as `model.language_model`."""
    return _path(model, model.get_decoder(), "get_decoder()")  # type: ignore[operator]


def vision_path(model: nn.Module) -> str:
    """Dotted path of the vision tower, such as `model.visual`."""
    return _path(model, model.get_encoder(modality="image"), "get_encoder(modality='image')")  # type: ignore[operator]


def roots(model: nn.Module) -> dict[str, list[str]]:
    """{part: paths of its modules}. A projector may lie inside the vision tower: then it is no part of that."""
    language, vision = language_path(model), vision_path(model)
    nested = [f"{vision}.{name}" for name, _ in model.get_submodule(vision).named_children() if name in NESTED]
    parent = vision.rpartition(".")[0]
    others = {language, vision, _name_of(model, model.get_output_embeddings())}  # type: ignore[operator]
    beside = [
        path
        for name, module in model.get_submodule(parent).named_children()
        if (path := f"{parent}.{name}".lstrip(".")) not in others
        and "audio" not in name
        and any(True for _ in module.parameters())
    ]
    return {"language": [language], "vision": [vision], "projector": [*nested, *beside]}


def part_of(path: str, by_part: dict[str, list[str]]) -> str | None:
    """The part that a module or parameter belongs to, by `roots`; None for what is in none, such as the output head."""
    # The projector first: it may lie inside the tower.
    for part in ("projector", "vision", "language"):
        if any(_within(path, root) for root in by_part[part]):
            return part
    return None


def linear_paths(model: nn.Module, kind: str, part: str) -> list[str]:
    """Full paths of the linear layers of a part that LoRA goes on. kind: `attention`, `mlp` or `all`.

    Of language model and tower those of the numbered blocks; of a projector all.
    """
    by_part = roots(model)
    lost = unreached(model)
    inside = [
        path
        for path, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and part_of(path, by_part) == part
        and (part == "projector" or re.search(r"\.\d+\.", path))
        and not any(_within(path, other) for other in lost)
    ]
    found = [path for path in inside if kind == "all" or _is(kind, path)]
    if not found:
        name = type(model).__name__
        if part == "projector" and not inside:
            raise UserError(
                f"lora.parts: the projector of {name} has no linear layer; set lora.projector={{train: full}}"
            )
        raise UserError(f"lora.{part}.targets: '{kind}': the {part} part of {name} has no such layer; set it to all")
    return found


def whole_paths(model: nn.Module, part: str) -> list[str]:
    """Modules that make up a part where all its weights are trained, without what is never called.

    The token embeddings stay as they are: they may be tied to the output head.
    """
    by_part = roots(model)
    if not by_part[part]:
        raise UserError(f"lora.parts: {type(model).__name__} has no {part}")
    left_out = {*unreached(model), _name_of(model, model.get_input_embeddings())}  # type: ignore[operator]
    if part != "projector":
        left_out.update(by_part["projector"])
    return [path for root in by_part[part] for path in _wholes(model, root, left_out, split=part != "projector")]


def unreached(model: nn.Module) -> list[str]:
    """Paths of what the tower holds and its family never calls: no gradient can come there."""
    root = vision_path(model)
    tower = model.get_submodule(root)
    children = dict(tower.named_children())
    found = [f"{root}.{POOLING_HEAD}"] if POOLING_HEAD in children else []
    # LLaVA takes the hidden states of a layer: what lies behind it is not used.
    layers = getattr(model.config, "vision_feature_layer", None)
    if layers is None or LAST_NORM not in children:
        return found
    blocks = max((path for path, module in tower.named_modules() if isinstance(module, nn.ModuleList)), key=len)
    number = len(tower.get_submodule(blocks))  # type: ignore[arg-type]
    # hidden_states[0] is what goes into the first block.
    last = max(k if k >= 0 else number + 1 + k for k in (layers if isinstance(layers, list | tuple) else [layers]))
    return [*found, f"{root}.{LAST_NORM}", *(f"{root}.{blocks}.{k}" for k in range(last, number))]


def _wholes(model: nn.Module, path: str, left_out: set[str], *, split: bool) -> Iterator[str]:
    """`path`, or what it is made of where it is a list, holds what is left out, or has to be split."""
    module = model.get_submodule(path)
    if path in left_out or not any(True for _ in module.parameters()):
        return
    if split or isinstance(module, nn.ModuleList) or any(_within(other, path) for other in left_out):
        for name, _ in module.named_children():
            yield from _wholes(model, f"{path}.{name}", left_out, split=False)
    else:
        yield path


def _is(kind: str, path: str) -> bool:
    return any(mark in name for name in path.split(".") for mark in KINDS[kind])


def _within(path: str, root: str) -> bool:
    return path == root or path.startswith(root + ".")


def _path(model: nn.Module, wanted: nn.Module, asked: str) -> str:
    found = _name_of(model, wanted)
    if not found:
        raise UserError(f"model.name: {type(model).__name__}: {asked} finds no part of the model, so no LoRA by part")
    return found


def _name_of(model: nn.Module, wanted: nn.Module) -> str:
    return next((path for path, module in model.named_modules() if module is wanted), "")
