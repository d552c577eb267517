"""A checkpoint -> predictions.jsonl and its part of report.json, on one process or many."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from emovlm import UserError, processes
from emovlm import run as runs
from emovlm.data import splits as data_splits
from emovlm.enrich.run import costs
from emovlm.evaluate import adjust, protocol, robustness
from emovlm.evaluate import predictions as border
from emovlm.evaluate.asking import asker
from emovlm.evaluate.passes import ALTERED, AS_IS, BLANK, ORDER, ask_rows, views
from emovlm.evaluate.predictions import Predictions
from emovlm.evaluate.seen import COSTS
from emovlm.evaluate.summary import summarise, validation_scores
from emovlm.models import head, lora
from emovlm.models import load as models

if TYPE_CHECKING:
    import datasets

    from emovlm.recipe import Recipe


def evaluate(recipe: Recipe, run: runs.RunFolder, *, split: str | None = None) -> dict:
    """Score one split of a finished run (or, with `train: none`, of the model as it is). -> its part of report.json."""
    split = split or recipe.evaluate.split
    splits = data_splits.load(recipe.data)
    rows = data_splits.pick(splits, split)
    state = processes.state()
    processes.check_shards(recipe)
    with processes.scoring(models.choose_dtype(recipe.model.dtype)) as ready:
        vlm = checkpoint(recipe, run)
        vlm = models.Vlm(ready(vlm.model), vlm.processor)
    found = predict(vlm.model, vlm.processor, recipe, rows, split)
    if left_out := splits.left_out.get(split):
        found.header["protocol"]["left_out"] = left_out
    held_out = _held_out(vlm, recipe, splits, split)
    found, temperature = adjust.adjusted(found, held_out, recipe, run)
    summary = summarise(found, data_splits.train_counts(splits, len(found.classes)), temperature)
    if state.is_main_process:
        if spent := costs(recipe, rows):
            summary["enrich"] = spent
        key = runs.evaluation_key(recipe.evaluate, split)
        border.write(run.predictions(key), found)
        runs.update_report(run, recipe, evaluation=(key, summary))
        _audit(run, recipe, split)
    state.wait_for_everyone()
    return summary


def checkpoint(recipe: Recipe, run: runs.RunFolder) -> models.Vlm:
    """The model of the run: the base with its adapter, the whole model, or for `train: none` the base alone."""
    runs.check_trained_as(recipe, run)
    if recipe.train == "none":
        if processes.state().is_main_process and not run.env.exists():
            runs.check_free(recipe, run, resume=True)
            runs.begin(recipe, run, device=str(processes.state().device), world_size=processes.state().num_processes)
        return models.load(recipe.model)
    if not run.trained():
        raise UserError(f"{run.folder}: is not trained yet; run `emovlm train` first, or give train=none for zero-shot")
    if recipe.train == "full":
        return models.load(recipe.model.model_copy(update={"name": str(run.model)}))
    vlm = models.load(recipe.model)
    load = head.load if recipe.train == "head" else lora.load
    return models.Vlm(load(vlm.model, run.learnt(recipe.train)), vlm.processor)


def predict(model: Any, processor: Any, recipe: Recipe, rows: datasets.Dataset, split: str) -> Predictions:
    """The answers to all rows as the model gives them: no prior is taken off. The same on every process."""
    classes = rows.features["label"].names
    shown = views(processor, recipe, rows, classes)
    collator = shown[AS_IS].collator
    answers = ask_rows(rows, recipe, shown, asker(recipe, model, collator, classes), title=f"score {split}")
    lines = [_line(row, classes, answer) for row, answer in zip(rows, answers, strict=True)]
    return Predictions(protocol.header(recipe, collator, classes, split, rows["id"]), lines)


def validator(recipe: Recipe) -> Callable[..., tuple[dict[str, float], np.ndarray]] | None:
    """`(model, processor=) -> ({metric: value}, counts_CP)` for a callback of the training; None if not asked for.

    It scores `select.split`, by default the validation split, as `emovlm evaluate` does, but takes no prior off. Raises
    UserError where a split is missing that this, or the scoring after the training, will ask for.
    """
    splits = data_splits.load(recipe.data)
    asked = recipe.evaluate
    data_splits.pick(splits, asked.split)
    if asked.tau == "fit" or asked.temperature == "fit":
        data_splits.pick(splits, "validation")
    if not asked.during_training:
        return None
    rows = data_splits.pick(splits, split := recipe.select.split if recipe.select else "validation")
    if all(label is None for label in rows["label"]):
        raise UserError(f"evaluate.during_training: the {split} split has no labelled row to score")
    plain = adjust.plain(recipe)

    def validate(model: Any, processor: Any) -> tuple[dict[str, float], np.ndarray]:
        found = predict(model, processor, plain, rows, split)
        return validation_scores(found, data_splits.train_counts(splits, len(found.classes)))

    return validate


def _held_out(vlm: models.Vlm, recipe: Recipe, splits: dict[str, Any], split: str) -> Predictions | None:
    """The validation split, where something is fitted; never the split that is scored."""
    asked = recipe.evaluate
    if asked.tau != "fit" and asked.temperature != "fit":
        return None
    if split == "validation":
        raise UserError(
            "evaluate.split: validation: tau and temperature are fitted on it, so scoring it too would flatter; score "
            "another split, or give evaluate.tau a number and evaluate.temperature=none"
        )
    rows = data_splits.pick(splits, "validation")
    return predict(vlm.model, vlm.processor, adjust.plain(recipe, keep_prior=True), rows, "validation")


def _line(row: Any, classes: list[str], answer: dict[str, Any]) -> dict[str, Any]:
    def name(view: str) -> str:
        return classes[int(np.argmax(answer[view]["scores"]))]

    more: dict[str, Any] = {name: answer[name] for name in (*COSTS, "crop", "texts") if name in answer} | answer[AS_IS]
    if orders := [name(view) for view in answer if view.startswith(ORDER)]:
        more["orders"] = orders
    if ALTERED[-1] in answer:
        more["look"] = {view: name(view) for view in ALTERED}
    if BLANK in answer:
        more["blank"] = answer[BLANK]["scores"]
    return border.row_of(row, classes, answer["times_s"], **more)


def _audit(run: runs.RunFolder, recipe: Recipe, split: str) -> None:
    """What the text says against what the scores say, where the split was scored both ways, in whichever order."""
    scored = run.predictions(f"{split}-likelihood")
    for key, entry in json.loads(run.report.read_text(encoding="utf-8"))["evaluations"].items():
        told = entry["protocol"]
        if scored.is_file() and (told["scorer"], told["split"]) == ("generation", split):
            found = robustness.agreement(border.read(run.predictions(key)), border.read(scored))
            runs.update_report(run, recipe, evaluation=(key, entry | {"agreement": found}))
