"""What happens beside the steps: epochs reach the sampler, the log is kept, checkpoints get their marker."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from accelerate.utils import gather_object
from transformers import TrainerCallback

from emovlm import processes
from emovlm import run as runs
from emovlm.train import checkpoints

if TYPE_CHECKING:
    from emovlm.longtail.ledger import Ledger
    from emovlm.longtail.sampler import ClassSampler
    from emovlm.prompts.collator import Collator
    from emovlm.run import RunFolder


class EpochClock(TrainerCallback):
    """Tells sampler and collator which epoch it is, also after a resume, where Trainer's own set_epoch gets lost."""

    def __init__(self, sampler: ClassSampler, collator: Collator):
        self.sampler, self.collator = sampler, collator

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        epoch = int(state.epoch or 0)
        self.sampler.set_epoch(epoch)
        self.collator.epoch = epoch


class FirstStepCheck(TrainerCallback):
    """After the first backward pass everything that should learn has a gradient, and not all of it is zero.

    Some checkpointing set-ups silently cut a part off; it would stay as it was for the whole run.
    """

    def __init__(self) -> None:
        self.done = False
        self.seen: dict[str, bool] = {}  # tensors that got a gradient, and whether it is more than zeros
        self.hooks: list[Any] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        # DeepSpeed takes the step, and the gradients away, within the backward pass.
        if processes.engine().startswith("zero"):
            self.hooks = [p.register_hook(partial(self._see, name)) for name, p in _learning(model)]

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        if self.done:
            return
        self.done = True
        for hook in self.hooks:
            hook.remove()
        learning = _learning(model)
        for name, parameter in learning:
            if parameter.grad is not None:
                self._see(name, parameter.grad)
        cut_off = [name for name, _ in learning if name not in self.seen]
        if cut_off:
            raise RuntimeError(f"{len(cut_off)} of {len(learning)} trained tensors got no gradient, first {cut_off[0]}")
        if not any(self.seen.values()):
            raise RuntimeError("every gradient of the first step is zero: nothing would be learnt")

    def _see(self, name: str, gradient: Any) -> None:
        # Of a gradient in shards (FSDP) the part that is here; it may be empty.
        part = gradient.to_local() if hasattr(gradient, "to_local") else gradient
        self.seen[name] = self.seen.get(name, False) or bool(part.any())


class RunLog(TrainerCallback):
    """log.jsonl: one line a report. A resumed run drops the lines behind the checkpoint it starts from."""

    def __init__(self, run: RunFolder):
        self.path = run.log

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            self.cut(state.global_step)

    def cut(self, step: int) -> None:
        """Keep what was logged up to `step`; a line that the run was killed in goes too."""
        lines = self.path.read_text(encoding="utf-8", errors="replace").split("\n") if self.path.exists() else []
        kept = [line for line in lines if _step_of(line) <= step]
        runs.write_text(self.path, "".join(line + "\n" for line in kept))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        known = ("loss", "learning_rate", "grad_norm")
        shown = {key: value for key, value in (logs or {}).items() if key in known or key.startswith("validation_")}
        # JSON has no nan: a score that is not defined is not written.
        values = {key: float(value) for key, value in shown.items() if math.isfinite(value)}
        if state.is_world_process_zero and values:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": state.global_step, "epoch": state.epoch, **values}) + "\n")


class CheckpointMarker(TrainerCallback):
    """A checkpoint is complete or it isn't: when every process has written its part, ours follow, the marker last.

    stream: its fingerprint. keep: `save_total_limit`. trainer: set before training; it holds what was summed since the
    last log line, without which the first line after a resume would be a mean over too few steps.
    """

    trainer: Any = None

    def __init__(self, ledger: Ledger, stream: dict[str, Any], start: checkpoints.Start, keep: int | None):
        self.ledger, self.stream, self.start, self.keep = ledger, stream, start, keep
        self.began = time.monotonic()

    def seconds(self) -> float:
        """Training time, with that of the runs before the resume."""
        return round(self.start.progress.seconds + time.monotonic() - self.began, 1)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.began = time.monotonic()
        progress = self.start.progress
        if self.start.step:
            self.trainer._tr_loss += progress.pending_loss
            self.trainer._globalstep_last_logged = progress.logged_step
            if state.is_world_process_zero:
                self.trainer.meter.sums_3C += np.array(progress.pending_classes)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        drawn_EN = drawn_by_all(self.ledger)
        pending = gather_object([(float(self.trainer._tr_loss), self.trainer.meter.sums_3C)])
        processes.state().wait_for_everyone()
        if not state.is_world_process_zero:
            return
        progress = replace(
            self.start.progress,
            seconds=self.seconds(),
            pending_loss=sum(loss for loss, _ in pending) / len(pending),
            pending_classes=np.sum([sums_3C for _, sums_3C in pending], axis=0).tolist(),
            logged_step=self.trainer._globalstep_last_logged,
            engine=processes.engine(),
            num_processes=processes.state().num_processes,
        )
        run = runs.RunFolder(Path(args.output_dir))
        checkpoints.write(run.folder / f"checkpoint-{state.global_step}", drawn_EN, self.stream, progress)
        checkpoints.rotate(run, self.keep, state.best_model_checkpoint)


def log_beside(trainer: Any, control: Any, values: dict[str, float]) -> None:
    """Send values to the log and the dashboards from within a callback. Every process must call it.

    Trainer.log takes back the flow's request to log; where that is for the loss of this step, it must stay.
    """
    pending = control.should_log
    trainer.log(values)
    control.should_log = pending


def drawn_by_all(ledger: Ledger, epochs: int | slice = slice(None)) -> np.ndarray:
    """drawn_EN, or what of it `epochs` picks, summed over the processes. Every process must call it."""
    drawn = ledger.drawn_EN[epochs]
    return drawn.copy() if processes.state().num_processes == 1 else np.sum(gather_object([drawn]), axis=0)


def _learning(model: Any) -> list[tuple[str, Any]]:
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return float("inf")
