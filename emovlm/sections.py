"""Sections of a recipe: what they have in common, and those that are not in recipe.py itself."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from emovlm import UserError, lookup, yaml_file
from emovlm.faults import explain
from emovlm.lookup import Home

PLAIN_TYPES = {"int": int, "float": float, "str": str, "bool": bool, "list[str]": list[str]}
# `names: {1: happy}`: YAML reads the code as a number, and labels.name_table makes a text of it.
PLAIN_TYPES["dict[str, str]"] = dict[Any, str]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class OpenSection(BaseModel):
    """A section whose further keys are the arguments of a function that it names."""

    model_config = ConfigDict(extra="allow", frozen=True)

    @property
    def args(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Stage(OpenSection):
    """`describer` is a file in enrich/describers/, the further keys are the arguments of its function `load`."""

    describer: str
    max_words: int | None = Field(default=15, gt=0)


class Enrich(OpenSection):
    """Texts between the frames, by a `describer` that sees the frames in between, or from a `source` that sees none.

    describer: a file in enrich/describers/; source: a function in enrich/sources.py; further keys are its arguments.
    frames_per_gap: in-between frames that are described (4 as in arXiv 2604.15280). per: one text for each of them, or
    one for the gap. summary: a second stage, one text a gap from the first stage's texts and both keyframes.
    trajectory: a last stage, one sentence a clip. mask_labels: class names and their synonyms are taken out of the
    texts. control: a function in prompts/controls.py, what an arm of a study does with the texts or the frames.
    """

    describer: str | None = None
    source: str | None = None
    frames_per_gap: int = Field(default=4, gt=0)
    before_first: bool = False
    after_last: bool = False
    per: Literal["frame", "gap"] = "gap"
    max_words: int | None = Field(default=15, gt=0)
    summary: Stage | None = None
    trajectory: Stage | None = None
    mask_labels: bool = False
    control: str | None = None

    @model_validator(mode="after")
    def one_origin(self) -> Enrich:
        if self.describer and self.source:
            raise ValueError(f"describer {self.describer} and source {self.source}: texts have one origin, give one")
        if not self.describer and (self.summary or self.trajectory):
            raise ValueError("summary and trajectory go on from the texts of a describer; name one")
        if not (self.describer or self.source or self.control):
            raise ValueError("name a describer (or a source) that gives the texts")
        return self


Part = Literal["language", "vision", "projector"]
Targets = Literal["attention", "mlp", "all"]


class LoraPart(Section):
    """What one part has of its own; the rest is that of `lora:`, and its learning rate the trainer's.

    `train: full`: all weights of the part learn, in place of adapters (peft's modules_to_save).
    """

    train: Literal["lora", "full"] = "lora"
    rank: int | None = Field(default=None, gt=0)
    alpha: float | None = Field(default=None, gt=0)
    dropout: float | None = Field(default=None, ge=0, lt=1)
    targets: Targets | None = None
    learning_rate: float | None = Field(default=None, gt=0)


class Lora(Section):
    """Which parts of the model learn, and how. `language`, `vision` and `projector` say what is different for one.

    `dora`, `rslora` and `init` are peft's use_dora, use_rslora and init_lora_weights. `plus_ratio` is LoRA+'s
    loraplus_lr_ratio (arXiv 2402.12354): LoRA-B learns so many times faster than LoRA-A.
    """

    parts: list[Part] = Field(default=["language"], min_length=1)
    rank: int = Field(default=16, gt=0)
    alpha: float = Field(default=32, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: Targets = "all"
    dora: bool = False
    rslora: bool = False
    init: Literal["default", "pissa"] = "default"
    plus_ratio: float | None = Field(default=None, ge=1)
    language: LoraPart | None = None
    vision: LoraPart | None = None
    projector: LoraPart | None = None

    @model_validator(mode="after")
    def settings_are_for_parts_that_learn(self) -> Lora:
        if len(set(self.parts)) < len(self.parts):
            raise ValueError(f"parts {self.parts}: each part is named once")
        if self.plus_ratio and not any(self.part(name).train == "lora" for name in self.parts):
            raise ValueError(f"plus_ratio {self.plus_ratio:g}: goes with adapters, and every part here learns whole")
        for name in ("language", "vision", "projector"):
            if getattr(self, name) and name not in self.parts:
                raise ValueError(f"{name} has settings, but parts {self.parts} leaves it frozen; add it to parts")
        return self

    def part(self, name: Part) -> LoraPart:
        """What holds for a part, with everything filled in but the learning rate."""
        shared = {key: getattr(self, key) for key in ("rank", "alpha", "dropout", "targets")}
        own = getattr(self, name) or LoraPart()
        return LoraPart.model_validate({**shared, **own.model_dump(exclude_none=True)})


class Evaluate(Section):
    """`split` is scored at the end; `during_training` scores the validation split every so many steps.

    scorer `likelihood`: `score` of each class name: its tokens' sum, the `trie` of all names, or the `mean` (which is
    no probability); `prior`, `tau` times, is taken off. `generation`: the model writes, rules read.
    `fit` (tau, temperature): on the validation split. `orders`: list the classes in so many orders and count who flips.
    `look`: score blank, shuffled, reversed, single frames and another clip as well. `words`: score each class by its
    most frequent and by its rarest word as well. `cuts` [high, low]: many from `high` training clips on, few below
    `low`; without it by thirds of the classes.
    """

    split: Literal["train", "validation", "test"] = "test"
    scorer: Literal["likelihood", "generation"] = "likelihood"
    score: Literal["sum", "trie", "mean"] = "sum"
    synonyms: bool = False
    prior: Literal["none", "effective", "blank", "batch", "label_shift"] = "none"
    tau: Annotated[float, Field(allow_inf_nan=False)] | Literal["fit"] = 1.0
    temperature: Literal["none", "fit"] = "none"
    orders: int = Field(default=1, ge=1)
    look: bool = False
    words: bool = False
    cuts: tuple[int, int] | None = None
    max_new_tokens: int = Field(default=32, gt=0)
    batch_size: int = Field(default=8, gt=0)
    during_training: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def cuts_are_high_and_low(self) -> Evaluate:
        if self.cuts and not self.cuts[0] >= self.cuts[1] > 0:
            raise ValueError(f"cuts {list(self.cuts)}: give [high, low], numbers of training clips such as [100, 20]")
        return self


class Select(Section):
    """Keep the best of the models that `evaluate.during_training` scores; stop after `patience` scorings without one.

    `split: test` flatters the result. It also needs `select_on: test`, and is stamped wherever the result is shown.
    """

    metric: Literal["war", "uar", "macro_f1", "weighted_f1", "tail_recall", "nll", "brier", "ece"] = "uar"
    split: Literal["validation", "test"] = "validation"
    patience: int | None = Field(default=None, gt=0)


def check_enrich(file: yaml_file.YamlFile, enrich: Enrich) -> None:
    """The names in the section and their arguments. Raises UserError with the place and the remedy."""
    if enrich.describer:
        check_arguments(file, "enrich", lookup.DESCRIBER, enrich.describer, enrich)
    elif enrich.source:
        check_arguments(file, "enrich", lookup.TEXT_SOURCE, enrich.source, enrich)
    for name, stage in (("summary", enrich.summary), ("trajectory", enrich.trajectory)):
        if stage:
            check_arguments(file, f"enrich.{name}", lookup.DESCRIBER, stage.describer, stage)
    if enrich.control:
        known_arguments(file, "enrich.control", lookup.CONTROL, enrich.control)


def known_arguments(file: yaml_file.YamlFile, place: str, home: Home, name: str) -> dict[str, lookup.Parameter]:
    """What the function `name` may be given. Raises UserError at `place` where there is no such function."""
    try:
        return lookup.parameters(home, name)
    except UserError as error:
        raise UserError(str(error).replace(home.key, file.at(place), 1)) from None


def check_arguments(file: yaml_file.YamlFile, section: str, home: Home, name: str, given: OpenSection) -> None:
    """The further keys of a section against the signature of the function that it names: names and plain types."""
    known = known_arguments(file, f"{section}.{home.key.rpartition('.')[2]}", home, name)
    args, model = given.args, type(given)
    for key, value in args.items():
        place = f"{section}.{key}"
        if key not in known:
            allowed = [*known, *model.model_fields]
            raise UserError(f"{file.at(place)}: unknown key (with {name}); {lookup.near_miss(key, allowed)}")
        annotation = known[key].annotation
        expected = PLAIN_TYPES.get(annotation.removesuffix(" | None"))
        if expected is None or (value is None and annotation.endswith(" | None")):
            continue
        try:
            TypeAdapter(expected).validate_python(value, strict=expected is not float)
        except ValidationError as error:
            fault = error.errors()[0]
            inner = ".".join([place, *(str(part) for part in fault["loc"])])
            raise UserError(f"{file.at(inner)}: {explain(model, fault, file, inner)}") from None
    missing = [key for key, parameter in known.items() if parameter.required and key not in args]
    if missing:
        raise UserError(f"{file.at(section)}: {name} needs {section}.{missing[0]}; it has no default")
