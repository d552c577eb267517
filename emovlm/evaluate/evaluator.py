"""A checkpoint -> predictions.jsonl and its part of report.json, on one process or many."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import gather_object
from tqdm import tqdm

from emovlm import UserError, processes
from emovlm import run as runs
from emovlm.data import splits as data_splits
from emovlm.evaluate import predictions as border
from emovlm.evaluate.predictions import Predictions
from emovlm.evaluate.summary import summarise
from emovlm.frames.look import look
from emovlm.metrics import recognition
from emovlm.models import load as models
from emovlm.models import lora
from emovlm.prompts.collator import Collator, read_texts
from emovlm.scoring.likelihood import label_scores

if TYPE_CHECKING:
    import datasets

    from emovlm.recipe import Recipe


def evaluate(recipe: Recipe, run: runs.RunFolder, *, split: str | None = None) -> dict:
    """Score one split of a finished run (or, with `train: none`, of the model as it is). -> its part of report.json."""
    split = split or recipe.evaluate.split
    splits = data_splits.load(recipe.data)
    rows = data_splits.pick(splits, split)
    state = processes.state()
    vlm = checkpoint(recipe, run)
    vlm.model.to(state.device).eval()
    found = score_split(vlm.model, vlm.processor, recipe, rows, split)
    summary = summarise(found, data_splits.train_counts(splits, len(found.classes)))
    if state.is_main_process:
        key = f"{split}-{recipe.evaluate.scorer}"
        border.write(run.predictions(split, recipe.evaluate.scorer), found)
        runs.update_report(run, recipe, evaluation=(key, summary))
    state.wait_for_everyone()
    return summary


def checkpoint(recipe: Recipe, run: runs.RunFolder) -> models.Vlm:
    """The model of the run: the base with its adapter, the whole model, or for `train: none` the base alone."""
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
    return models.Vlm(lora.load(vlm.model, run.adapter), vlm.processor)


def score_split(model: Any, processor: Any, recipe: Recipe, rows: datasets.Dataset, split: str) -> Predictions:
    """Scores of all rows, the same list on every process: each scores its share, then all are put in order."""
    state = processes.state()
    classes = rows.features["label"].names
    texts = read_texts(recipe.prompt.texts, rows["id"])
    collator = Collator(processor, recipe, classes, with_answers=False, texts=texts)
    names = [collator.answers.ids(name) for name in classes]
    mine = list(range(state.process_index, len(rows), state.num_processes))
    size = recipe.evaluate.batch_size
    scored = []
    for start in tqdm(range(0, len(mine), size), desc=f"score {split}", disable=None, leave=False):
        batch = [rows[index] for index in mine[start : start + size]]
        clips = [look(row, recipe.frames, (recipe.seed, 0, row["id"])) for row in batch]
        prompt = {key: value.to(state.device) for key, value in collator.tensors(batch, clips).items()}
        with torch.no_grad():
            scores_BC = label_scores(model, prompt, names).cpu().tolist()
        scored += [
            border.row_of(row, classes, scores_C, clip.times_s_T.tolist())
            for row, clip, scores_C in zip(batch, clips, scores_BC, strict=True)
        ]
    if state.num_processes > 1:
        scored = gather_object(scored)
    order = {row_id: index for index, row_id in enumerate(rows["id"])}
    scored.sort(key=lambda row: order[row["id"]])
    assert [row["id"] for row in scored] == list(rows["id"]), "a row was lost or doubled between the processes"
    return Predictions(header(recipe, classes, split, collator), scored)


def header(recipe: Recipe, classes: list[str], split: str, collator: Collator) -> dict[str, Any]:
    return {
        "classes": classes,
        "scorer": recipe.evaluate.scorer,
        "prior": None,
        "split": split,
        "recipe_hash": runs.recipe_hash(recipe),
        "protocol": {
            "score": "log-likelihood of the class name, summed over its tokens and its end-of-turn",
            "question": collator.question,
            "frames": recipe.frames.model_dump(mode="json"),
            "model": recipe.model.name,
            "train": recipe.train,
        },
    }


def validator(recipe: Recipe) -> Callable[..., dict[str, float]] | None:
    """`(model, processor) -> {metric: value}` on the validation split, for a callback; None if not asked for."""
    if not recipe.evaluate.during_training:
        return None
    splits = data_splits.load(recipe.data)
    rows = data_splits.pick(splits, "validation")

    def validate(model: Any, processor: Any) -> dict[str, float]:
        found = score_split(model, processor, recipe, rows, "validation")
        confusion = recognition.confusion(found.targets_N(), found.predicted_N(), len(found.classes))
        return {
            "war": float(recognition.war(confusion)),
            "uar": float(recognition.uar(confusion)),
            "macro_f1": float(recognition.macro_f1(confusion)),
        }

    return validate
