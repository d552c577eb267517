"""Arms x folds x seeds -> runs -> one report. What is done is not run again: a recipe's hash tells a run."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, model_validator

from emovlm import UserError, lookup, recipe, yaml_file
from emovlm import run as runs
from emovlm.faults import validate
from emovlm.recipe import Recipe, Section

ZERO_SHOT = "zero_shot"
ZERO_SHOT_OVERRIDES = ["train=none"]


class Study(Section):
    """One comparison. `recipe` lies beside the study file; every arm is a list of overrides `a.b=value`.

    Arms that differ in how they are scored alone (`evaluate.prior=effective`) share one training.
    `grid` makes arms out of all combinations of its values; with `arms` too, every arm is crossed with them.
    `contrast: [arm, control]` is named before anything runs. With `folds` (their numbers, from 1) every arm and seed is
    run for each of them: the folds of `data.splits.folds`, or else those of a source that takes `data.fold`.
    """

    recipe: Path
    arms: dict[str, list[str]] = {}
    grid: dict[str, list[Any]] = {}
    seeds: list[int] = Field(default=[0], min_length=1)
    folds: list[int] | None = Field(default=None, min_length=1)
    control: str
    contrast: list[str] = Field(min_length=2, max_length=2)
    zero_shot: bool = True
    output: Path | None = None

    @model_validator(mode="after")
    def names_exist(self) -> Study:
        names = list(self.all_arms())
        if ZERO_SHOT in names:
            raise ValueError(f"an arm cannot be called {ZERO_SHOT}; set zero_shot: true")
        for place, name in [("control", self.control), *[("contrast", name) for name in self.contrast]]:
            if name not in names and not (self.zero_shot and name == ZERO_SHOT):
                raise ValueError(f"{place}: there is no arm '{name}'; arms: {', '.join(names)}")
        for place, numbers in (("seed", self.seeds), ("fold", self.folds or [])):
            if len(set(numbers)) != len(numbers):
                raise ValueError(f"{place}s: {numbers}: a {place} is given twice")
        return self

    def all_arms(self) -> dict[str, list[str]]:
        """Arm name -> overrides, from `arms` and `grid` together."""
        cells = [
            list(zip(self.grid, values, strict=True))
            for values in itertools.product(*(self.grid[key] for key in self.grid))
        ]
        found: dict[str, list[str]] = {}
        for name, overrides in (self.arms or {"": []}).items():
            for cell in cells:
                shown = ",".join(f"{key.rpartition('.')[2]}={value}" for key, value in cell)
                arm = ",".join(part for part in (name, shown) if part)
                if arm:
                    found[arm] = [*overrides, *(f"{key}={json.dumps(value)}" for key, value in cell)]
        if not found:
            raise ValueError("a study needs arms: or grid:")
        return found


@dataclass(frozen=True)
class Planned:
    """One run of a study, or another scoring of one: then trained_as is the recipe that it was trained by."""

    arm: str
    fold: int | None
    seed: int
    recipe: Recipe
    run: runs.RunFolder
    trained_as: Recipe

    @property
    def name(self) -> str:
        """What the run is, in words."""
        fold = "" if self.fold is None else f"fold {self.fold}, "
        return f"{self.arm}, {fold}seed {self.seed}"

    @property
    def key(self) -> str:
        """The name of its scores in report.json."""
        return runs.evaluation_key(self.recipe.evaluate, self.recipe.evaluate.split)

    def done(self) -> bool:
        """Scored under the same recipe, so that nothing is left to do."""
        if runs.stored_hash(self.run) is None or not self.run.report.is_file():
            return False
        found = json.loads(self.run.report.read_text("utf-8"))["evaluations"].get(self.key)
        return found is not None and found.get("recipe_hash") == runs.recipe_hash(self.recipe)


def load(path: Path, overrides: list[str] | None = None) -> Study:
    file = yaml_file.read(path, overrides)
    return validate(Study, file)


def folder_of(study: Study, path: Path) -> Path:
    return study.output or Path("runs") / path.stem


def plan(study: Study, path: Path) -> list[Planned]:
    """All runs in order, zero-shot first. Every recipe is checked here, before the first one starts."""
    arms = {ZERO_SHOT: ZERO_SHOT_OVERRIDES} if study.zero_shot else {}
    planned: list[Planned] = []
    for arm, overrides in (arms | study.all_arms()).items():
        for fold in study.folds or [None]:
            # Nothing is trained, so what only concerns training (a seed) must not make another run of it.
            for seed in study.seeds[:1] if arm == ZERO_SHOT else study.seeds:
                planned.append(_sharing(_planned(study, path, arm, overrides, fold, seed), planned))
    for entry in planned:
        runs.check_trained_as(entry.recipe, entry.run)
    steps = {entry.recipe.trainer.get("max_steps", -1) for entry in planned}
    if len(steps) > 1 or steps == {-1}:
        raise UserError(f"{path}: arms are compared at equal optimiser steps: set trainer.max_steps in the recipe")
    return planned


def _planned(study: Study, path: Path, arm: str, overrides: list[str], fold: int | None, seed: int) -> Planned:
    base, folder = path.parent / study.recipe, folder_of(study, path) / arm
    try:
        of_fold = [] if fold is None else [f"{_fold_key(base, overrides)}={fold}"]
        found = recipe.load(base, [*overrides, *of_fold, f"seed={seed}"])
    except UserError as error:
        raise UserError(f"{path}: arm '{arm}': {error}") from None
    run = runs.RunFolder((folder if fold is None else folder / f"fold{fold}") / f"seed{seed}")
    found = found.model_copy(update={"output": run.folder})
    return Planned(arm, fold, seed, found, run, trained_as=found)


def recipes_with_texts(path: Path, overrides: list[str] | None = None) -> list[Recipe]:
    """Of a recipe or a study: those whose texts differ. Raises UserError where there is none."""
    if "recipe" in yaml_file.read(path).values:
        found = [entry.recipe for entry in plan(load(path, overrides), path)]
    else:
        found = [recipe.load(path, overrides)]
    # The arms of a study differ in what they show of the texts too; the texts are the same, and are made once.
    by_texts = {str((one.data, one.frames, one.model, one.enrich)): one for one in found if one.enrich}
    if not by_texts:
        raise UserError(f"{path}: has no enrich: section, so there are no texts to make")
    return list(by_texts.values())


def _sharing(entry: Planned, earlier: list[Planned]) -> Planned:
    """`entry`, in the folder of an earlier one that is trained alike and only scored otherwise."""
    own = runs.training_hash(entry.recipe)
    for other in earlier:
        if entry.recipe.select and _scored_by(entry.recipe) != _scored_by(other.recipe):
            continue  # another model would be kept
        if runs.training_hash(other.recipe) == own and other.trained_as is other.recipe and other.key != entry.key:
            found = entry.recipe.model_copy(update={"output": other.run.folder})
            return replace(entry, recipe=found, run=other.run, trained_as=other.recipe)
    return entry


def _scored_by(found: Recipe) -> tuple[Any, ...]:
    """How a model is scored during training."""
    return found.evaluate.scorer, found.evaluate.score, found.evaluate.synonyms


def _fold_key(base: Path, overrides: list[str]) -> str:
    """Where the recipe says which fold is the test: of those that emovlm deals, or of those that the source ships."""
    data = yaml_file.read(base, overrides).values.get("data")
    data = data if isinstance(data, dict) else {}
    if "folds" in (data.get("splits") or {}):
        return "data.splits.fold"
    source = str(data.get("source"))
    if "fold" not in lookup.parameters(lookup.SOURCE, source):
        raise UserError(
            f"folds: {base} gives no data.splits.folds, and the source '{source}' ships no folds; set data.splits.folds"
        )
    return "data.fold"


def trainings(planned: list[Planned]) -> list[Planned]:
    """One training of each arm that has its own: the first fold and seed."""
    first: dict[str, Planned] = {}
    for entry in planned:
        if entry.recipe.train != "none" and entry.trained_as is entry.recipe:
            first.setdefault(entry.arm, entry)
    return list(first.values())


def part(planned: list[Planned], only: str) -> list[Planned]:
    """The runs of `k/n`, part k of n: one job each. Raises UserError where `only` reads otherwise.

    What shares a training stays together: two jobs must not train in one folder.
    """
    found = re.fullmatch(r"(\d+)/(\d+)", only)
    k, n = map(int, found.groups()) if found else (0, 0)
    if not 1 <= k <= n:
        raise UserError(f"--only: '{only}': must be k/n with k from 1 to n, such as 3/15")
    folders = list(dict.fromkeys(entry.run.folder for entry in planned))
    return [entry for entry in planned if entry.run.folder in folders[k - 1 :: n]]


def left(study: Study, path: Path) -> int:
    """How many runs of the whole study are not done."""
    return sum(not entry.done() for entry in plan(study, path))


def conduct(
    study: Study,
    path: Path,
    *,
    train: Callable[[Planned], None],
    evaluate: Callable[[Planned], None],
    only: str | None = None,
) -> tuple[int, int]:
    """Run what is not done, of the part `only`. -> (runs made, runs that were done already).

    Whoever finds all of the study done writes its report.json.
    """
    every = plan(study, path)
    planned = part(every, only) if only else every
    done = [entry for entry in planned if entry.done()]
    for entry in planned:
        if entry in done:
            continue
        if entry.recipe.train != "none" and not entry.run.trained():
            train(entry)
        evaluate(entry)
    if not left(study, path):
        write(study, path, every, folder_of(study, path))
    return len(planned) - len(done), len(done)


def write(study: Study, path: Path, planned: list[Planned], folder: Path) -> None:
    """study.yaml (resolved) and report.json of the study folder."""
    values = {"name": path.stem, **json.loads(study.model_dump_json(exclude_none=True)), "arms": study.all_arms()}
    values.pop("grid", None)
    runs.write_text(folder / "study.yaml", yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
    arms: dict[str, dict[str, Any]] = {}
    for entry in planned:
        overrides = study.all_arms().get(entry.arm, ZERO_SHOT_OVERRIDES)
        arm = arms.setdefault(
            entry.arm,
            {
                "name": entry.arm,
                "zero_shot": entry.arm == ZERO_SHOT,
                "overrides": overrides,
                "evaluation": entry.key,
                "runs": [],
            },
        )
        fold = {} if entry.fold is None else {"fold": entry.fold}
        arm["runs"].append({"seed": entry.seed, **fold, "folder": str(entry.run.folder.relative_to(folder))})
    content = {
        "name": path.stem,
        "command": f"emovlm study {path}",
        "control": study.control,
        "contrast": study.contrast,
        "seeds": study.seeds,
        "arms": list(arms.values()),
    }
    runs.write_json(folder / "report.json", content)
