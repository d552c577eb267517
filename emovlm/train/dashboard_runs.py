"""transformers' callbacks of three dashboards, so that a training is one run there: also after a resume.

dashboard.json in the run folder has its identity. The resolved recipe is the run's `config.recipe`; in TensorBoard,
which has no configuration, a text.
"""

from __future__ import annotations

import copy
import json
import os
import secrets
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from transformers.integrations.integration_utils import TensorBoardCallback, TrackioCallback, WandbCallback

from emovlm import run as runs
from emovlm.recipe import Recipe, resolved


def replace(trainer: Any, recipe: Recipe) -> list[Any]:
    """Put ours in place of transformers'. -> those that the trainer has."""
    found = []
    for theirs, ours in ((WandbCallback, Wandb), (TensorBoardCallback, TensorBoard), (TrackioCallback, Trackio)):
        if trainer.pop_callback(theirs):
            found.append(ours(recipe))
            trainer.add_callback(found[-1])
    return found


def identity(folder: Path) -> str:
    """Of the training in this run folder: drawn once, so that a run made anew in the same place is another one."""
    path = folder / "dashboard.json"
    if not path.is_file():
        runs.write_json(path, {"id": secrets.token_hex(4)})
    return json.loads(path.read_text(encoding="utf-8"))["id"]


class Wandb(WandbCallback):
    def __init__(self, recipe: Recipe):
        super().__init__()
        self.recipe = recipe

    def setup(self, args: Any, state: Any, model: Any, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            self._wandb.init(
                project=os.getenv("WANDB_PROJECT", args.project),
                name=args.run_name,
                id=identity(Path(args.output_dir)),
                resume="allow",
                config={"recipe": resolved(self.recipe)},
            )
        super().setup(args, state, model, **kwargs)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        super().on_train_end(args, state, control, **kwargs)
        if state.is_world_process_zero:
            # WandbCallback goes on in a run that is open: the next arm of a study would land in this one.
            self._wandb.finish()

    def show_confusion(self, step: int, picture_HWC: np.ndarray, columns: list[str], rows: list[list[Any]]) -> None:
        shown = {
            "validation/confusion": self._wandb.Image(picture_HWC),
            "validation/confusion_counts": self._wandb.Table(columns=[*columns], data=[*rows]),
        }
        self._wandb.log({**shown, "train/global_step": step})


class Trackio(TrackioCallback):
    def __init__(self, recipe: Recipe):
        super().__init__()
        self.recipe = recipe

    def setup(self, args: Any, state: Any, model: Any, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            # trackio goes on in a run of the same name, whoever made it.
            args = copy.copy(args)
            args.run_name = f"{args.run_name}-{identity(Path(args.output_dir))}"
        super().setup(args, state, model, **kwargs)
        if state.is_world_process_zero:
            self._trackio.config["recipe"] = resolved(self.recipe)

    def show_confusion(self, step: int, picture_HWC: np.ndarray, columns: list[str], rows: list[list[Any]]) -> None:
        shown = {
            "validation/confusion": self._trackio.Image(picture_HWC),
            "validation/confusion_counts": self._trackio.Table(columns=columns, data=rows),
        }
        self._trackio.log({**shown, "train/global_step": step})


class TensorBoard(TensorBoardCallback):
    """Event files in `tensorboard/` of the run folder, unless TENSORBOARD_LOGGING_DIR says where."""

    def __init__(self, recipe: Recipe):
        super().__init__()
        self.recipe = recipe

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            folder = self.logging_dir or str(Path(args.output_dir) / "tensorboard")
            # What was written behind the checkpoint that a resume starts from is taken back.
            self.tb_writer = self._SummaryWriter(log_dir=folder, purge_step=state.global_step + 1)
            self.tb_writer.add_text("recipe", f"```yaml\n{yaml.safe_dump(resolved(self.recipe), sort_keys=False)}```")
        super().on_train_begin(args, state, control, **kwargs)

    def show_confusion(self, step: int, picture_HWC: np.ndarray, columns: list[str], rows: list[list[Any]]) -> None:
        assert self.tb_writer is not None, "the training has begun"
        self.tb_writer.add_image("validation/confusion", picture_HWC, step, dataformats="HWC")
        lines = [columns, ["---"] * len(columns), *rows]
        table = "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
        self.tb_writer.add_text("validation/confusion_counts", table, step)
