"""Which of how many processes this is, and which engine holds the model on them. One place for both.

Without a GPU accelerate counts one process unless told, and some set-ups leave each process alone with all of the work:
a wrong word in a config and nothing is distributed, without an error. So every start asserts what was asked for.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from accelerate import DistributedType, PartialState
from torch.distributed.tensor import DTensor

from emovlm import UserError

if TYPE_CHECKING:
    from accelerate import Accelerator

    from emovlm.recipe import Recipe

# Set by `--launch`: how many processes are asked for.
ASKED = "EMOVLM_PROCESSES"
# The engines, by what accelerate calls them once they work.
TYPES = {"zero": DistributedType.DEEPSPEED, "fsdp": DistributedType.FSDP}


def engine() -> str:
    """What the launcher was asked for: `plain` (one process, or replicas of the model), `zero1` to `zero3`, `fsdp`."""
    if _flag("ACCELERATE_USE_DEEPSPEED"):
        return f"zero{os.environ.get('ACCELERATE_DEEPSPEED_ZERO_STAGE', '2')}"
    return "fsdp" if _flag("ACCELERATE_USE_FSDP") else "plain"


def sharded() -> bool:
    """Whether no process holds the whole model: then every forward pass is everybody's."""
    return engine() in ("zero3", "fsdp")


def state() -> PartialState:
    """accelerate's state. Raises UserError where fewer processes work together than were asked for."""
    if engine() != "plain":
        _check_device()
    if engine().startswith("zero") and on_cpu():
        _skip_compiling()
        # Not cpu=True: with it DeepSpeed silently becomes plain data parallel.
        found = PartialState(backend="gloo")
    else:
        found = PartialState(cpu=on_cpu())
    for name in ("WORLD_SIZE", ASKED):
        asked = int(os.environ.get(name) or found.num_processes)
        if asked != found.num_processes:
            raise UserError(
                f"{asked} processes were asked for ({name}), but {found.num_processes} work together: nothing would "
                "be shared; look at distributed_type in the accelerate config"
            )
    return found


def check_shards(recipe: Recipe) -> None:
    """Raises UserError for what cannot be cut into shards: weights in four bits, and a model without its words."""
    what = f"model.quantize: {recipe.model.quantize}" if recipe.model.quantize else f"train: {recipe.train}"
    if sharded() and (recipe.model.quantize or recipe.train == "head"):
        raise UserError(f"{what}: cannot be sharded by {engine()}; take accelerate_configs/ddp.yaml or zero2.yaml")


def check_engine(accelerator: Accelerator) -> None:
    """Raises UserError where Trainer's accelerator is not the engine, or not on the processes, that were asked for."""
    asked, kind = engine(), TYPES.get(engine()[:4])
    found = accelerator.distributed_type
    assert accelerator.num_processes == state().num_processes, "Trainer counts other processes than we do"
    if (kind or found) != found or (kind is None and found in TYPES.values()):
        raise UserError(f"{asked} was asked for, but {found.value} was started; look at the accelerate config")
    plugin: Any = accelerator.state.deepspeed_plugin if found == DistributedType.DEEPSPEED else None
    assert not plugin or asked == f"zero{plugin.zero_stage}", f"{asked} was asked for, but it is {plugin.zero_stage}"


def trainer_defaults(dtype: torch.dtype) -> dict[str, Any]:
    """What TrainingArguments must be told of device, processes and engine. dtype: of the model's weights."""
    # FirstStepCheck sees to it that every trained tensor gets a gradient; else each step looks for those that don't.
    found: dict[str, Any] = {"dataloader_pin_memory": not on_cpu(), "ddp_find_unused_parameters": False}
    if on_cpu():
        found["use_cpu"] = not engine().startswith("zero")
        if state().num_processes > 1:
            found["ddp_backend"] = "gloo"
    if engine() != "plain":
        # Engines that shard keep a float32 copy of what learns, if they know that the weights are shorter.
        found |= {"bf16": dtype == torch.bfloat16, "fp16": dtype == torch.float16}
    return found


@contextlib.contextmanager
def scoring(dtype: torch.dtype) -> Iterator[Callable[[Any], Any]]:
    """Load a model within it; what it gives makes the model ready to score: on the device, under ZeRO-3 in shards."""
    if engine() != "zero3":
        yield lambda model: model.to(state().device).eval()
        return
    import deepspeed
    from transformers.integrations.deepspeed import HfDeepSpeedConfig

    zero = {"stage": 3, "stage3_param_persistence_threshold": 0}
    short = {name: {"enabled": dtype == kind} for name, kind in (("bf16", torch.bfloat16), ("fp16", torch.float16))}
    # transformers loads in shards while this object lives.
    asked = HfDeepSpeedConfig({"train_micro_batch_size_per_gpu": 1, "zero_optimization": zero, **short})

    def ready(model: Any) -> Any:
        holder = deepspeed.initialize(model=model, config=asked.config)[0]
        holder.eval()
        return holder

    yield ready


def on_cpu() -> bool:
    return not torch.accelerator.is_available() or _flag("ACCELERATE_USE_CPU")


def num_elements(parameter: torch.Tensor) -> int:
    """Of the whole parameter, also where this process holds a part of it."""
    return getattr(parameter, "ds_numel", parameter.numel())


class Whole:
    """A sharded model as `save` sees it: what it saves is `tensors`, gathered from all processes."""

    def __init__(self, model: Any, tensors: dict[str, torch.Tensor]):
        self._model, self._tensors = model, tensors

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def save_pretrained(self, folder: Any) -> None:
        self._model.save_pretrained(folder, state_dict=self._tensors)


def whole(model: Any) -> Any:
    """The model in a form that the first process can save. Every process must call it; the others get no tensors.

    One parameter at a time, and only what learns: ZeRO-3 on its own saves empty adapters.
    """
    if not sharded():
        return model
    main, tensors = state().is_main_process, {}
    for name, value in model.state_dict(keep_vars=True).items():
        if value.requires_grad or not isinstance(value, torch.nn.Parameter):
            with _gathered(value) as full:
                if main:
                    tensors[name] = full.detach().cpu().clone()
    return Whole(model, tensors)


@contextlib.contextmanager
def _gathered(value: torch.Tensor) -> Iterator[torch.Tensor]:
    if hasattr(value, "ds_id"):
        import deepspeed

        with deepspeed.zero.GatheredParameters([value]):
            yield value
    else:
        yield value.full_tensor() if isinstance(value, DTensor) else value


def _check_device() -> None:
    if engine() == "fsdp" and on_cpu():
        raise UserError(
            "distributed_type: FSDP: needs GPUs; without them accelerate would leave every process alone with all of "
            "the work; take accelerate_configs/cpu.yaml or zero3.yaml"
        )
    if _flag("ACCELERATE_USE_CPU"):
        raise UserError("use_cpu: with it DeepSpeed becomes plain data parallel; leave it out of the accelerate config")


def _skip_compiling() -> None:
    """DeepSpeed would compile, for a minute, what only its inference needs."""
    import deepspeed.ops

    deepspeed.ops.__dict__["__compatible_ops__"] = {}


def _flag(name: str) -> bool:
    return os.environ.get(name, "").lower() in ("1", "true")
