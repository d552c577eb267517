"""A recipe -> a run folder with a trained adapter. transformers' Trainer does the work; we give it order and loss."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.console import Console
from transformers import Trainer, TrainingArguments

from emovlm import UserError, lookup, processes
from emovlm import run as runs
from emovlm.data import splits as data_splits
from emovlm.longtail.ledger import Ledger
from emovlm.longtail.losses import answer_nll, sample_mean, token_mean
from emovlm.longtail.sampler import ClassSampler
from emovlm.models import load as models
from emovlm.models import lora
from emovlm.prompts.collator import Collator, read_texts
from emovlm.train.callbacks import (
    LEDGER_ROWS,
    CheckpointMarker,
    EpochClock,
    FirstStepCheck,
    RunLog,
    Validation,
    drawn_by_all,
)
from emovlm.train.preflight import accumulation_steps, check_answers, stream_labels

if TYPE_CHECKING:
    from emovlm.recipe import Recipe

Validate = Callable[[Any, Any], dict[str, float]]


class LongTailTrainer(Trainer):
    """Two overrides: whose index stream is used, and which loss. Everything else is Trainer's."""

    # compute_loss divides by the samples (or tokens) of the whole step, so Trainer must not divide by accumulation.
    loss_is_scaled_for_ga = True

    def __init__(self, *, sampler: ClassSampler, ledger: Ledger, global_batch: int, labelled: bool, **kwargs: Any):
        super().__init__(**kwargs)
        self.sampler, self.ledger, self.global_batch, self.labelled = sampler, ledger, global_batch, labelled
        # Makes Trainer count the answer tokens of a whole step over all processes; ours are shifted already.
        self.model_accepts_loss_kwargs = True
        self._loss_shifts_labels = False

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        return self.sampler

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        rows_B, answers_BA = inputs.pop("rows_B"), inputs.pop("labels")
        outputs = model(**inputs, logits_to_keep=answers_BA.shape[1] + 1)
        nll_B = answer_nll(outputs.logits[:, :-1], answers_BA)
        self.ledger.add(rows_B.cpu().numpy())
        loss = sample_mean(nll_B, self.global_batch) if self.labelled else token_mean(nll_B, num_items_in_batch)
        # Gradients are averaged over the processes, while the loss above is this process's part of one sum.
        loss = loss * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss


def train(recipe: Recipe, run: runs.RunFolder, *, resume: bool = False, validate: Validate | None = None) -> None:
    """Train; write adapter (or model), ledger, log, and the training's part of report.json.

    validate: `(model, processor) -> {metric: value}`, called every `evaluate.during_training` steps.
    """
    state = processes.state()
    accumulation = accumulation_steps(recipe, state.num_processes)
    splits = data_splits.load(recipe.data)
    rows = data_splits.pick(splits, "train")
    classes = rows.features["label"].names
    runs.check_free(recipe, run, resume=resume)
    state.wait_for_everyone()
    vlm = models.load(recipe.model)
    texts = read_texts(recipe.prompt.texts, rows["id"])
    collator = Collator(vlm.processor, recipe, classes, with_answers=True, texts=texts)
    labelled = check_answers(rows, collator)
    model = trainable(vlm, recipe)
    sampler = class_sampler(recipe, stream_labels(rows), len(classes))
    ledger = Ledger(classes, stream_labels(rows))
    arguments = training_arguments(recipe, run, accumulation)
    if state.is_main_process:
        runs.begin(recipe, run, world_size=state.num_processes, device=str(state.device))
    log = RunLog(run)
    callbacks = [EpochClock(sampler, collator), FirstStepCheck(), log, CheckpointMarker(ledger)]
    if validate and recipe.evaluate.during_training:
        callbacks.append(
            Validation(lambda scored: validate(scored, vlm.processor), recipe.evaluate.during_training, log)
        )
    trainer = LongTailTrainer(
        model=model,
        args=arguments,
        data_collator=collator,
        train_dataset=rows.add_column("row", list(range(len(rows)))),
        processing_class=vlm.processor,
        callbacks=callbacks,
        sampler=sampler,
        ledger=ledger,
        global_batch=recipe.global_batch,
        labelled=labelled,
    )
    assert trainer.accelerator.num_processes == state.num_processes, "Trainer counts other processes than we do"
    if state.is_main_process:
        Console(stderr=True).print(lora.table(model))
    started = time.monotonic()
    trainer.train(resume_from_checkpoint=last_checkpoint(run, ledger) if resume else None)
    seconds = time.monotonic() - started
    save(trainer, vlm, run, recipe, sampler)
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    found = {"seconds": round(seconds, 1), "num_steps": trainer.state.global_step, "trainable_parameters": trained}
    if state.is_main_process:
        runs.update_report(run, recipe, train=found)
    state.wait_for_everyone()


def trainable(vlm: models.Vlm, recipe: Recipe) -> Any:
    """The model with only what the recipe trains left open to gradients."""
    if recipe.train == "full":
        return vlm.model
    torch.manual_seed(recipe.seed)  # LoRA-A is drawn from the global generator, before Trainer seeds it.
    return lora.add(vlm.model, recipe.lora)


def class_sampler(recipe: Recipe, labels_N: np.ndarray, num_classes: int) -> ClassSampler:
    """The stream of this recipe. An epoch is rounded up to whole optimiser steps."""
    strategy = partial(lookup.resolve(lookup.STRATEGY, recipe.sampler.strategy), **recipe.sampler.args)
    sampler = ClassSampler(
        labels_N, strategy, num_classes=num_classes, multiple_of=recipe.global_batch, seed=recipe.seed
    )
    steps = recipe.trainer.get("max_steps", -1)
    epochs = recipe.trainer.get("num_train_epochs", 3)
    sampler.num_epochs = math.ceil(steps * recipe.global_batch / len(sampler) if steps > 0 else epochs)
    return sampler


def training_arguments(recipe: Recipe, run: runs.RunFolder, accumulation: int) -> TrainingArguments:
    """`trainer:` as it is, over defaults that suit a class-sampled VLM."""
    defaults: dict[str, Any] = {
        "report_to": "none",
        "logging_steps": 10,
        "disable_tqdm": not sys.stderr.isatty(),
        "dataloader_pin_memory": not processes.on_cpu(),
    }
    if processes.on_cpu():
        defaults["use_cpu"] = True
        if processes.state().num_processes > 1:
            defaults["ddp_backend"] = "gloo"
    try:
        return TrainingArguments(
            **{**defaults, **recipe.trainer},
            output_dir=str(run.folder),
            seed=recipe.seed,
            gradient_accumulation_steps=accumulation,
            remove_unused_columns=False,
        )
    except (ValueError, TypeError) as error:
        raise UserError(f"trainer: {str(error).splitlines()[0]}") from error


def last_checkpoint(run: runs.RunFolder, ledger: Ledger) -> str | None:
    """The newest complete checkpoint, with the ledger's counts restored from it (by the first process alone)."""
    found: list[Path] = run.checkpoints()
    if not found:
        return None
    if processes.state().is_main_process:
        ledger.drawn_N = np.array(json.loads((found[-1] / LEDGER_ROWS).read_text(encoding="utf-8")))
    return str(found[-1])


def save(trainer: LongTailTrainer, vlm: models.Vlm, run: runs.RunFolder, recipe: Recipe, sampler: ClassSampler) -> None:
    """Write what was learnt, the processor beside it, and the ledger."""
    drawn_N = drawn_by_all(trainer.ledger)
    if processes.state().is_main_process:
        summary = trainer.ledger.summary(
            strategy=recipe.sampler.strategy,
            asked_C=sampler.proportions(0),
            num_steps=trainer.state.global_step,
            global_batch=recipe.global_batch,
            drawn_N=drawn_N,
        )
        runs.write_json(run.ledger, summary)
        model = trainer.accelerator.unwrap_model(trainer.model)
        if recipe.train == "full":
            models.save(model, vlm.processor, run.model)
        else:
            lora.save(model, vlm.processor, run.adapter)
    processes.state().wait_for_everyone()
