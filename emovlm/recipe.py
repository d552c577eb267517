"""What a run is: one YAML file, checked in milliseconds, before torch is imported.

The models are frozen. Sections that choose a function by name (`data`, `frames`, `sampler`) take that function's own
arguments as further keys; their names and plain types are checked against its signature.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from emovlm import UserError, lookup, settings, yaml_file
from emovlm.faults import validate
from emovlm.sections import Enrich, Evaluate, Lora, OpenSection, Section, Select, check_arguments, check_enrich

Share = Annotated[float, Field(ge=0, lt=1)]
# Written by emovlm itself, so that a recipe cannot contradict the contracts of the run folder and of the loss.
OWN_TRAINER_KEYS = frozenset(
    {"output_dir", "seed", "remove_unused_columns", "gradient_accumulation_steps", "label_names", "group_by_length"}
    # Other ways to do what emovlm does, or ways to change the loss or the global batch behind its back.
    | {"eval_strategy", "load_best_model_at_end", "metric_for_best_model", "greater_is_better"}
    | {"label_smoothing_factor", "auto_find_batch_size", "save_only_model", "ignore_data_skip"}
    | {
        "resume_from_checkpoint",
        "average_tokens_across_devices",
        "accelerator_config",
        "parallelism_config",
        "enable_jit_checkpoint",
    }
    # Which processes and which engine: told by the launcher, and asserted at the start.
    | {"deepspeed", "fsdp", "fsdp_config", "use_cpu", "ddp_backend"}
)


class Splits(Section):
    """For a set that ships no splits: shares of the rows, or `folds` of them; no `unit` is ever in two splits.

    `folds`: a number, or `each` for one a unit. Number `fold` (from 1) is the test split, instead of the share `test`,
    and `validation` a share of the others. `validation_from_train`: the share of the shipped training rows that becomes
    the validation split of a set that ships none.
    """

    validation: Share = 0.15
    test: Share = 0.15
    validation_from_train: Share = 0.0
    folds: int | str | None = None
    fold: int | None = None
    seed: int = 0
    unit: str = "subject"

    @model_validator(mode="after")
    def fold_is_one_of_the_folds(self) -> Splits:
        most = self.folds if isinstance(self.folds, int) else None
        if self.folds is not None and self.folds != "each" and (most is None or most < 2):
            raise ValueError(f"folds {self.folds}: must be a number from 2, or `each` for one a unit")
        if (self.folds is None) != (self.fold is None):
            raise ValueError(f"folds {self.folds} with fold {self.fold}: give both (`folds: 5, fold: 1`) or neither")
        if self.fold is not None and not 1 <= self.fold <= (most or self.fold):
            raise ValueError(f"fold {self.fold}: must be from 1 to {most or 'the number of units'}")
        return self


class Imbalance(Section):
    """Cut the training split to n_c = n_max * ratio^(-c/(C-1)). `order`: by size, or the class names, largest first."""

    ratio: float = Field(ge=1)
    seed: int = 0
    order: Literal["size"] | list[str] = "size"


class Subset(Section):
    """Score `per_class` clips of each class of the test split, drawn by a hash of (seed, id): the same for all time."""

    per_class: int = Field(gt=0)
    seed: int = 0


class Data(OpenSection):
    """`quarantine`: a list of rows that are left out and counted, as `emovlm data check` writes it.

    `map`: every class of the source -> a class of another set, or null to leave it out; `classes` are the others.
    `on_error: quarantine`: a clip that cannot be read during training counts for nothing; without it, it ends the run.
    `max_failed`: the share of the training rows that may fail so, .01 if not given.
    """

    source: str
    classes: list[str] | None = None
    map: dict[str, str | None] | None = None
    splits: Splits = Splits()
    imbalance: Imbalance | None = None
    test_subset: Subset | None = None
    quarantine: Path | None = None
    on_error: Literal["quarantine"] | None = None
    max_failed: Share | None = None

    @model_validator(mode="after")
    def share_is_of_what_may_fail(self) -> Data:
        if self.max_failed is not None and self.on_error is None:
            raise ValueError(f"max_failed {self.max_failed:g}: no clip may fail; it goes with on_error: quarantine")
        return self


class Frames(OpenSection):
    """`input`: the frames as pictures in time order, or as one video with its clock.

    `crop`: to the row's `box` or `track`, or to the face that is found, with a margin of so many times its size.
    `cache`: a folder in which decoded frames are kept, at most `cache_gb` of them; it changes no number.
    """

    pick: str = "uniform"
    input: Literal["images", "video"] = "images"
    max_pixels: int = Field(default=100_352, gt=0)
    crop: Literal["none", "box", "face"] = "none"
    crop_margin: float = Field(default=0.25, ge=0)
    cache: Path | None = None
    cache_gb: float = Field(default=20.0, gt=0)


class Prompt(Section):
    """`question` is a name in prompts/messages.py or the user's own text."""

    question: str = "emotion_video"
    list_classes: bool = True
    time_marks: bool = True


class Model(Section):
    """`name`: a hub name, a folder, or `demo`; `dtype: auto` is float32 on a CPU and bfloat16 on a GPU that has it.

    `quantize: nf4` keeps the frozen weights of the language model in four bits (QLoRA, arXiv 2305.14314).
    `cache_visual_tokens`: where tower and projector are frozen, each clip goes through them once; what comes out is
    kept in `frames.cache`, for this run and for others.
    """

    name: str
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    attention: Literal["auto", "eager", "sdpa", "flash_attention_2"] = "auto"
    quantize: Literal["nf4"] | None = None
    cache_visual_tokens: bool = False


class Sampler(OpenSection):
    """`strategy` is a function in longtail/strategies.py. The promises hold for every optimiser step."""

    strategy: str = "natural"
    draws: Literal["exact", "multinomial"] = "exact"
    min_classes_per_step: int = Field(default=0, ge=0)
    min_tail_per_step: int = Field(default=0, ge=0)
    min_mass: float = Field(default=0.25, gt=0, le=1)


class Loss(OpenSection):
    """Without `over_classes`: the likelihood of the answer. With it: a function in longtail/class_losses.py over the
    scores of all classes, which share one prefix (or are scored apart, at C times the cost).

    `class_weights`: a function in longtail/weights.py, or {class name: weight}; `weights_from` is the share of the
    training after which they count (deferred re-weighting). `prior`: the effective one of the planned stream; `natural`
    is an override for a loss that needs a prior, and is stamped in the report.
    """

    over_classes: str | None = None
    class_weights: Literal["none", "inverse", "inverse_sqrt", "effective_number"] | dict[str, float] = "none"
    beta: float | None = None
    weights_from: Share = 0.0
    prior: Literal["planned", "natural"] = "planned"
    share_prefix: bool = True


class Recipe(Section):
    """train: `none` is zero-shot, `full` trains all parameters, `head` a linear layer on the frozen model."""

    seed: int = 0
    data: Data
    frames: Frames = Frames()
    enrich: Enrich | None = None
    prompt: Prompt = Prompt()
    model: Model
    train: Literal["lora", "full", "head", "none"] = "lora"
    lora: Lora = Lora()
    sampler: Sampler = Sampler()
    loss: Loss = Loss()
    global_batch: int = Field(default=32, gt=0)
    trainer: dict[str, Any] = {}
    evaluate: Evaluate = Evaluate()
    select: Select | None = None
    select_on: Literal["validation", "test"] = "validation"
    output: Path | None = None

    @model_validator(mode="after")
    def batch_divides(self) -> Recipe:
        device_batch = self.trainer.get("per_device_train_batch_size", 8)
        if isinstance(device_batch, int) and device_batch > 0 and self.global_batch % device_batch:
            raise ValueError(
                f"global_batch {self.global_batch} is not a multiple of "
                f"trainer.per_device_train_batch_size {device_batch}"
            )
        return self

    @property
    def checkpoints_activations(self) -> bool:
        """Whether activations are computed again in the backward pass; transformers has two names for it."""
        old, new = (self.trainer.get(f"{name}_checkpointing") for name in ("gradient", "activation"))
        return bool(old if new is None else new)


def load(path: Path, overrides: list[str] | None = None) -> Recipe:
    """Read and check a recipe. Raises UserError with the file, the line, the dotted place and the remedy."""
    file = yaml_file.read(path, overrides)
    recipe = validate(Recipe, file)
    check_arguments(file, "data", lookup.SOURCE, recipe.data.source, recipe.data)
    check_arguments(file, "frames", lookup.POLICY, recipe.frames.pick, recipe.frames)
    check_arguments(file, "sampler", lookup.STRATEGY, recipe.sampler.strategy, recipe.sampler)
    if recipe.loss.over_classes:
        check_arguments(file, "loss", lookup.CLASS_LOSS, recipe.loss.over_classes, recipe.loss)
    elif recipe.loss.args:
        key = next(iter(recipe.loss.args))
        raise UserError(f"{file.at(f'loss.{key}')}: unknown key; {lookup.near_miss(key, Loss.model_fields)}")
    if recipe.enrich:
        check_enrich(file, recipe.enrich)
    _check_trainer_keys(file, recipe.trainer)
    settings.check(file, recipe)
    return recipe


def resolved(recipe: Recipe) -> dict[str, Any]:
    """The whole recipe with its defaults, as plain JSON values; loading it gives an equal recipe."""
    return json.loads(recipe.model_dump_json(exclude_none=True))


def _check_trainer_keys(file: yaml_file.YamlFile, trainer: dict[str, Any]) -> None:
    if not trainer:
        return
    allowed = trainer_keys()
    for key in trainer:
        place = f"trainer.{key}"
        if key in OWN_TRAINER_KEYS:
            raise UserError(f"{file.at(place)}: is set by emovlm ({_OWN_REASON.get(key, 'the run needs it')})")
        if key not in allowed:
            raise UserError(f"{file.at(place)}: unknown key; {lookup.near_miss(key, allowed)}")


_OWN_REASON = {
    "output_dir": "use output: at the top level",
    "seed": "use seed: at the top level",
    "gradient_accumulation_steps": "it follows from global_batch, the device batch and the number of processes",
    "group_by_length": "the sampler decides the order",
    "eval_strategy": "use evaluate.during_training",
    "load_best_model_at_end": "use select:",
    "metric_for_best_model": "use select.metric",
    "greater_is_better": "every metric's direction is known",
    "label_smoothing_factor": "the loss is emovlm's own; use soft labels",
    "auto_find_batch_size": "the global batch must hold",
    "save_only_model": "a checkpoint must be one to go on from",
    "ignore_data_skip": "a resume must go on exactly",
    "resume_from_checkpoint": "use --resume",
    "average_tokens_across_devices": "the loss is one mean over all processes",
    "accelerator_config": "batches are dealt out so that every process count sees the same stream",
    "parallelism_config": "use --launch with an accelerate config",
    "enable_jit_checkpoint": "a checkpoint is marked when it is complete",
    "deepspeed": "use --launch accelerate_configs/zero2.yaml, or a config of your own",
    "fsdp": "use --launch accelerate_configs/fsdp2.yaml, or a config of your own",
    "fsdp_config": "use --launch accelerate_configs/fsdp2.yaml, or a config of your own",
    "use_cpu": "set ACCELERATE_USE_CPU=1 in the environment",
}


def trainer_keys() -> set[str]:
    """The keys of TrainingArguments, read from its source: 0.02 s where the import takes 7 s."""
    return lookup.dataclass_fields("transformers", "training_args.py", "TrainingArguments")
