"""A recipe -> a run folder with a trained adapter. transformers' Trainer does the work; we give it order and loss."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from rich.console import Console
from transformers import Trainer, TrainerState, TrainingArguments

from emovlm import UserError, processes
from emovlm import run as runs
from emovlm.data import splits as data_splits
from emovlm.enrich.run import all_texts, look_for
from emovlm.longtail.ledger import Ledger
from emovlm.longtail.losses import IGNORED, answer_nll, sample_mean, token_mean
from emovlm.longtail.plan import plan
from emovlm.longtail.targets import class_indices
from emovlm.models import head, lora, memory, parts, rates
from emovlm.models import load as models
from emovlm.prompts.collator import Collator
from emovlm.scoring.likelihood import label_scores, label_scores_apart
from emovlm.settings import LEAVES_PRIOR
from emovlm.train import checkpoints, dashboards, terminal
from emovlm.train.callbacks import (
    CheckpointMarker,
    EpochClock,
    FirstStepCheck,
    RunLog,
    drawn_by_all,
)
from emovlm.train.kept_tokens import kept_tokens
from emovlm.train.preflight import accumulation_steps, check_answers
from emovlm.train.selection import Selection
from emovlm.train.supervision import ClassMeter, Supervision, greedy_hits, soft_labels, supervision, warn_of_both
from emovlm.train.unread import SparingTrainer, Unread, counting
from emovlm.train.validation import Scored, Validation

if TYPE_CHECKING:
    from emovlm.recipe import Recipe

Validate = Callable[..., Scored]
# (model, prompt, token ids of the class names) -> scores_BC
Score = Callable[..., torch.Tensor]


class LongTailTrainer(SparingTrainer):
    """Three overrides: whose index stream is used, which loss, and what is logged a class. The rest is Trainer's."""

    # compute_loss divides by the samples (or tokens) of the whole step, so Trainer must not divide by accumulation.
    loss_is_scaled_for_ga = True

    def __init__(self, *, ledger: Ledger, taught: Supervision, score: Score, **kwargs: Any):
        super().__init__(**kwargs)
        self.sampler, self.ledger, self.taught = ledger.plan.sampler, ledger, taught
        self.score = score
        self.meter = ClassMeter(ledger.classes)
        # Makes Trainer count the answer tokens of a whole step over all processes; ours are shifted already.
        self.model_accepts_loss_kwargs = True
        self._loss_shifts_labels = False

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        return self.sampler

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        rows_B, taught = inputs.pop("rows_B"), self.taught
        counts_B = counting(rows_B, inputs.pop("failed", {}))
        targets_BC = taught.targets_NC[rows_B.cpu()].to(rows_B.device)
        outputs = None
        if taught.class_loss:
            scores_BC = self.score(model, inputs, taught.names)
            losses_B = taught.class_loss(scores_BC, targets_BC, taught.prior_C.to(scores_BC.device))
            hits_B = scores_BC.argmax(-1) == targets_BC.argmax(-1)
        else:
            answers_BA = inputs.pop("labels")
            outputs = model(**inputs, logits_to_keep=answers_BA.shape[1] + 1)
            losses_B = answer_nll(outputs.logits[:, :-1], answers_BA)
            hits_B = greedy_hits(outputs.logits[:, :-1], answers_BA, IGNORED)
        self.ledger.add(rows_B[counts_B].cpu().numpy(), self.sampler.epoch)
        losses_B = losses_B.where(counts_B, 0.0)
        if taught.labelled:
            self.meter.add(targets_BC[counts_B], losses_B[counts_B], hits_B[counts_B])
            weights_B = taught.weights_of(rows_B, self.state.global_step / max(self.state.max_steps, 1))
            loss = sample_mean(weights_B * losses_B, max(self.sampler.step - self.num_failed, 1))
        else:
            loss = token_mean(losses_B, max(num_items_in_batch, 1))
        # Gradients are averaged over the processes, while the loss above is this process's part of one sum.
        loss = loss * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        super().log({**logs, **self.meter.report()} if "loss" in logs else logs, *args, **kwargs)


def train(
    recipe: Recipe,
    run: runs.RunFolder,
    *,
    resume: bool = False,
    allow_different_data: bool = False,
    validate: Validate | None = None,
) -> None:
    """Train; write log, ledger, the training's part of report.json, and last of all the adapter (or model).

    validate: `(model, processor=) -> ({metric: value}, counts_CP)`, called every `evaluate.during_training` steps.
    """
    state = processes.state()
    accumulation = accumulation_steps(recipe, state.num_processes)
    splits = data_splits.load(recipe.data)
    rows = data_splits.pick(splits, "train")
    classes = rows.features["label"].names
    runs.check_free(recipe, run, resume=resume)
    state.wait_for_everyone()
    stream = plan(recipe, class_indices(rows["label"]), classes, soft_labels(rows))
    ledger = Ledger(classes, rows["id"], stream)
    fingerprint = checkpoints.fingerprint(recipe, rows, stream)
    start = last_checkpoint(recipe, run, ledger, fingerprint, allow_different_data) if resume else checkpoints.Start()
    texts = all_texts(recipe, splits)["train"]
    # Before the model, which under ZeRO-3 is loaded in shards: transformers reads that from the arguments.
    arguments = training_arguments(recipe, run, accumulation)
    vlm = models.load(recipe.model)
    with_answers = recipe.loss.over_classes is None
    collator = Collator(vlm.processor, recipe, classes, with_answers=with_answers, texts=texts, look=look_for(recipe))
    labelled = check_answers(rows, collator)
    taught = supervision(recipe, rows, stream, collator.answers, labelled)
    model = trainable(vlm, recipe, len(classes))
    if state.is_main_process:
        runs.begin(recipe, run, world_size=state.num_processes, device=str(state.device))
    marker = CheckpointMarker(ledger, fingerprint, start, recipe.trainer.get("save_total_limit"))
    callbacks = [EpochClock(stream.sampler, collator), FirstStepCheck(), RunLog(run), marker]
    trainer = LongTailTrainer(
        model=model,
        args=arguments,
        data_collator=kept_tokens(collator, recipe, model, rows, stream),
        train_dataset=rows.add_column("row", list(range(len(rows)))),
        processing_class=vlm.processor,
        callbacks=callbacks,
        ledger=ledger,
        taught=taught,
        score=scorer(recipe),
        optimizer_cls_and_kwargs=optimizer(model, recipe, arguments),
    )
    processes.check_engine(trainer.accelerator)
    if state.is_main_process:
        Console(stderr=True).print(lora.table(model), warn_of_both(recipe, stream, classes) or "")
    marker.trainer = trainer
    trainer.unread = Unread(recipe.data, rows, splits.left_out.get("train", {}), run.folder / "quarantine.jsonl")
    selection = None
    if recipe.select:
        selection = Selection(run, recipe.select, start, functools.partial(write_model, recipe, vlm.processor))
    watch(trainer, recipe, functools.partial(validate, processor=vlm.processor) if validate else None, selection)
    with memory.explained(recipe):
        go_on(trainer, start, stream.num_steps, selection)
    save(trainer, vlm, run, recipe, marker, selection)


def watch(trainer: LongTailTrainer, recipe: Recipe, validate: Validate | None, selection: Selection | None) -> None:
    """What is shown and decided while the training runs."""
    terminal.attach(trainer)
    shown = dashboards.attach(trainer, recipe)
    if validate and recipe.evaluate.during_training:
        trainer.add_callback(Validation(trainer, validate, recipe.evaluate.during_training, selection, shown.confusion))


def go_on(trainer: LongTailTrainer, start: checkpoints.Start, last_step: int, selection: Selection | None) -> None:
    """Train up to the last step. Where the run was killed behind it, Trainer would still take one step more."""
    if start.folder and (start.step >= last_step or (selection and selection.exhausted(start.step))):
        trainer._load_from_checkpoint(str(start.folder))
        trainer.state = TrainerState.load_from_json(str(start.folder / "trainer_state.json"))
    else:
        trainer.train(resume_from_checkpoint=str(start.folder) if start.folder else None)


def scorer(recipe: Recipe) -> Score:
    """How a loss over classes gets its scores."""
    if recipe.train == "head":
        return lambda model, prompt, _: model(**prompt)
    return label_scores if recipe.loss.share_prefix else label_scores_apart


def trainable(vlm: models.Vlm, recipe: Recipe, num_classes: int) -> Any:
    """The model with only what the recipe trains left open to gradients."""
    if recipe.train == "full":
        if getattr(vlm.model, "is_quantized", False):
            raise UserError(f"train: full: the weights of {recipe.model.name} have few bits and cannot learn; set lora")
        for path in parts.unreached(vlm.model):
            vlm.model.get_submodule(path).requires_grad_(False)
        return vlm.model
    torch.manual_seed(recipe.seed)  # What is new is drawn from the global generator, before Trainer seeds it.
    return head.ClassHead(vlm.model, num_classes) if recipe.train == "head" else lora.add(vlm.model, recipe.lora)


def optimizer(model: Any, recipe: Recipe, arguments: TrainingArguments) -> tuple[Any, dict[str, Any]] | None:
    """Trainer's own, with a learning rate for each part where the recipe gives one; None leaves it all to Trainer."""
    if recipe.train != "lora":
        return None
    groups = rates.groups(model, recipe.lora, arguments.learning_rate, arguments.weight_decay)
    kind, settings = Trainer.get_optimizer_cls_and_kwargs(arguments, model)
    return (kind, {**settings, "params": groups}) if groups else None


def training_arguments(recipe: Recipe, run: runs.RunFolder, accumulation: int) -> TrainingArguments:
    """`trainer:` as it is, over defaults that suit a class-sampled VLM and the engine that was started."""
    processes.check_shards(recipe)
    defaults: dict[str, Any] = {
        "report_to": "none",
        "project": "emovlm",
        "run_name": "/".join(run.folder.parts[-2:]),
        "logging_steps": 10,
        "disable_tqdm": not terminal.has_bar(),
        **processes.trainer_defaults(models.choose_dtype(recipe.model.dtype)),
    }
    try:
        return TrainingArguments(
            # save_total_limit is kept by CheckpointMarker, once the new checkpoint is complete.
            **{**defaults, **recipe.trainer, "save_total_limit": None},
            output_dir=str(run.folder),
            seed=recipe.seed,
            gradient_accumulation_steps=accumulation,
            remove_unused_columns=False,
        )
    except (ValueError, TypeError) as error:
        raise UserError(f"trainer: {str(error).splitlines()[0]}") from error


def last_checkpoint(
    recipe: Recipe, run: runs.RunFolder, ledger: Ledger, fingerprint: dict[str, Any], allow_different_data: bool
) -> checkpoints.Start:
    """Where to go on, the same on every process; the first one takes over what the ledger had counted."""
    start = checkpoints.agreed(
        lambda: checkpoints.find_start(run, fingerprint, allow_different_data=allow_different_data)
    )
    if start.folder and start.same_rows and processes.state().is_main_process:
        ledger.drawn_EN = checkpoints.ledger_rows(start.folder)
    return start


def write_model(recipe: Recipe, processor: Any, model: Any, folder: Path) -> None:
    """The whole model or its adapter, whichever the recipe trains: whole or not at all. Every process must call it."""
    whole = processes.whole(model)
    if processes.state().is_main_process:
        {"full": models, "head": head}.get(recipe.train, lora).save(whole, processor, folder)


def save(
    trainer: LongTailTrainer,
    vlm: models.Vlm,
    run: runs.RunFolder,
    recipe: Recipe,
    marker: CheckpointMarker,
    selection: Selection | None,
) -> None:
    """Write ledger and report, and last of all, since it says that the training is done, what was learnt."""
    drawn_EN = drawn_by_all(trainer.ledger)
    model: Any = trainer.accelerator.unwrap_model(trainer.model)
    chosen = bool(selection and selection.best is not None)
    if processes.state().is_main_process:
        steps = trainer.state.global_step
        RunLog(run).cut(steps)
        summary = trainer.ledger.summary(drawn_EN, strategy=recipe.sampler.strategy, num_steps=steps)
        runs.write_json(run.ledger, summary)
        learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
        found = {
            "seconds": marker.seconds(),
            "num_steps": steps,
            "engine": processes.engine(),
            "trainable_parameters": sum(map(processes.num_elements, learnt)),
            "trained_modules": [one._asdict() for one in lora.adapted_modules(model)],
            "loss_prior": None if recipe.loss.over_classes in LEAVES_PRIOR else recipe.loss.prior,
            "different_data": marker.start.progress.different_data,
            "selected": selection.found() if selection else None,
            **trainer.unread.summary(),
        }
        runs.update_report(run, recipe, train=found, selected_on=recipe.select_on if chosen else None)
    folder = run.learnt(recipe.train)
    if selection and chosen:
        selection.move_best(folder)
    else:
        write_model(recipe, vlm.processor, model, folder)
    processes.state().wait_for_everyone()
