"""What a frozen tower and projector make of a clip: computed once, and given to the model in place of the pixels.

transformers' families take such outputs back as `mm_encoder_outputs`. Here they are plain tensors with names that begin
with `tower/`, so that they can be kept in a file, put together to a batch, and moved to a device like any other input.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import nn
from transformers.modeling_outputs import BaseModelOutputWithPooling

PREFIX = "tower/"
KINDS = ("image", "video")
POOLED, LAYERS, LISTED = "pooler_output", "deepstack_features", "/listed"


class _SeenError(Exception):
    """Raised where the language model would begin."""


@torch.no_grad()
def encode(model: Any, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The inputs of the model without their pixels, and what tower and projector make of these."""
    found: dict[str, Any] = {}
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    with _recorded(base, found), suppress(_SeenError):
        base(**batch)
    kept = {name: tensor for name, tensor in batch.items() if not name.startswith("pixel_")}
    for kind, output in found.items():
        parts = {POOLED: getattr(output, POOLED)}
        parts |= {f"{LAYERS}/{k:02}": layer for k, layer in enumerate(getattr(output, LAYERS, None) or ())}
        for name, part in parts.items():
            # What is listed by picture is put one behind the other by every family before it is used.
            listed = isinstance(part, list | tuple)
            kept[f"{PREFIX}{kind}/{name}{LISTED if listed else ''}"] = torch.cat(list(part)) if listed else part
    return kept


def teach(model: nn.Module) -> None:
    """Let the model take what `encode` gives."""
    plain: Callable[..., Any] = model.forward

    @functools.wraps(plain)
    def forward(*args: Any, **kwargs: Any) -> Any:
        tensors = {name: kwargs.pop(name) for name in [*kwargs] if name.startswith(PREFIX)}
        if tensors:
            kwargs["mm_encoder_outputs"] = _outputs(tensors)
        return plain(*args, **kwargs)

    model.forward = forward


def _outputs(tensors: Mapping[str, torch.Tensor]) -> dict[str, BaseModelOutputWithPooling]:
    found: dict[str, BaseModelOutputWithPooling] = {}
    for name, tensor in sorted(tensors.items()):
        kind, _, place = name.removeprefix(PREFIX).partition("/")
        output = found.setdefault(kind, BaseModelOutputWithPooling())
        part: Any = [tensor] if place.endswith(LISTED) else tensor
        if place.startswith(LAYERS):
            setattr(output, LAYERS, [*(getattr(output, LAYERS, None) or []), part])
        else:
            output.pooler_output = part
    return found


@contextmanager
def _recorded(base: Any, found: dict[str, Any]) -> Iterator[None]:
    """While a forward pass runs: put down what the tower gives, and stop it before the language model."""
    inner, depth = base.base_model, 0

    def recorder(kind: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(plain)
        def record(*args: Any, **kwargs: Any) -> Any:
            nonlocal depth
            depth += 1
            try:
                output = plain(*args, **kwargs)
            finally:
                depth -= 1
            if depth == 0:  # for a video some ask the way of pictures
                found[kind] = output
            return output

        return record

    def stop(*_: Any) -> None:
        raise _SeenError

    names = {kind: f"get_{kind}_features" for kind in KINDS if hasattr(inner, f"get_{kind}_features")}
    for kind, name in names.items():
        setattr(inner, name, recorder(kind, getattr(inner, name)))
    hook = base.get_decoder().register_forward_pre_hook(stop)
    try:
        yield
    finally:
        hook.remove()
        for name in names.values():
            delattr(inner, name)
