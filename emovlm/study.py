"""Arms x seeds -> runs -> one report. What is done is not run again: a run is known by the hash of its recipe."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, model_validator

from emovlm import UserError, recipe, yaml_file
from emovlm import run as runs
from emovlm.faults import validate
from emovlm.recipe import Recipe, Section

ZERO_SHOT = "zero_shot"


class Study(Section):
    """One comparison. `recipe` lies beside the study file; every arm is a list of overrides `a.b=value`.

    `grid` makes arms out of all combinations of its values; with `arms` too, every arm is crossed with them.
    `contrast: [arm, control]` is named before anything runs.
    """

    recipe: Path
    arms: dict[str, list[str]] = {}
    grid: dict[str, list[Any]] = {}
    seeds: list[int] = Field(default=[0], min_length=1)
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
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds: {self.seeds}: a seed is given twice")
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
    """One run of a study."""

    arm: str
    seed: int
    recipe: Recipe
    run: runs.RunFolder

    def done(self) -> bool:
        """Scored under the same recipe, so that nothing is left to do."""
        if runs.stored_hash(self.run) != runs.recipe_hash(self.recipe) or not self.run.report.is_file():
            return False
        wanted = self.recipe.evaluate
        return f"{wanted.split}-{wanted.scorer}" in json.loads(self.run.report.read_text("utf-8"))["evaluations"]


def load(path: Path, overrides: list[str] | None = None) -> Study:
    file = yaml_file.read(path, overrides)
    return validate(Study, file)


def folder_of(study: Study, path: Path) -> Path:
    return study.output or Path("runs") / path.stem


def plan(study: Study, path: Path) -> list[Planned]:
    """All runs in order, zero-shot first. Every recipe is checked here, before the first one starts."""
    base, folder = path.parent / study.recipe, folder_of(study, path)
    planned = []
    if study.zero_shot:
        # Nothing is trained, so what only concerns training must not make another run of it.
        zero = recipe.load(base, ["train=none", f"seed={study.seeds[0]}"])
        planned.append(_planned(ZERO_SHOT, study.seeds[0], zero, folder))
    for arm, overrides in study.all_arms().items():
        for seed in study.seeds:
            try:
                found = recipe.load(base, [*overrides, f"seed={seed}"])
            except UserError as error:
                raise UserError(f"{path}: arm '{arm}': {error}") from None
            planned.append(_planned(arm, seed, found, folder))
    steps = {entry.recipe.trainer.get("max_steps", -1) for entry in planned}
    if len(steps) > 1 or steps == {-1}:
        raise UserError(f"{path}: arms are compared at equal optimiser steps: set trainer.max_steps in the recipe")
    return planned


def _planned(arm: str, seed: int, found: Recipe, folder: Path) -> Planned:
    run = runs.RunFolder(folder / arm / f"seed{seed}")
    return Planned(arm, seed, found.model_copy(update={"output": run.folder}), run)


def conduct(
    study: Study, path: Path, *, train: Callable[[Planned], None], evaluate: Callable[[Planned], None]
) -> tuple[int, int]:
    """Run what is not done, then write the study's report.json. -> (runs made, runs that were done already)."""
    planned = plan(study, path)
    folder = folder_of(study, path)
    done = [entry for entry in planned if entry.done()]
    for entry in planned:
        if entry in done:
            continue
        if entry.arm != ZERO_SHOT and not entry.run.trained():
            train(entry)
        evaluate(entry)
    write(study, path, planned, folder)
    return len(planned) - len(done), len(done)


def write(study: Study, path: Path, planned: list[Planned], folder: Path) -> None:
    """study.yaml (resolved) and report.json of the study folder."""
    values = {"name": path.stem, **json.loads(study.model_dump_json(exclude_none=True)), "arms": study.all_arms()}
    values.pop("grid", None)
    runs.write_text(folder / "study.yaml", yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
    arms: dict[str, dict[str, Any]] = {}
    for entry in planned:
        overrides = study.all_arms().get(entry.arm, ["train=none"])
        arm = arms.setdefault(
            entry.arm,
            {"name": entry.arm, "zero_shot": entry.arm == ZERO_SHOT, "overrides": overrides, "runs": []},
        )
        arm["runs"].append({"seed": entry.seed, "folder": str(entry.run.folder.relative_to(folder))})
    content = {
        "name": path.stem,
        "command": f"emovlm study {path}",
        "control": study.control,
        "contrast": study.contrast,
        "seeds": study.seeds,
        "arms": list(arms.values()),
    }
    runs.write_json(folder / "report.json", content)
