"""What happens beside the steps: epochs reach the sampler, the log is kept, checkpoints get their marker."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from accelerate.utils import gather_object
from transformers import PrinterCallback, ProgressCallback, TrainerCallback

from emovlm import processes

if TYPE_CHECKING:
    from emovlm.longtail.ledger import Ledger
    from emovlm.longtail.sampler import ClassSampler
    from emovlm.prompts.collator import Collator
    from emovlm.run import RunFolder

LEDGER_ROWS = "ledger_rows.json"


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

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        if self.done or args.deepspeed:
            return
        self.done = True
        learning = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        cut_off = [name for name, p in learning if p.grad is None]
        if cut_off:
            raise RuntimeError(f"{len(cut_off)} of {len(learning)} trained tensors got no gradient, first {cut_off[0]}")
        if not any(p.grad.abs().max() > 0 for _, p in learning):
            raise RuntimeError("every gradient of the first step is zero: nothing would be learnt")


class RunLog(TrainerCallback):
    """log.jsonl: one line a report. A resumed run drops the lines behind the checkpoint it starts from."""

    def __init__(self, run: RunFolder):
        self.path = run.log

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if not state.is_world_process_zero:
            return
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        kept = [line for line in lines if line.strip() and json.loads(line)["step"] <= state.global_step]
        self.path.write_text("".join(line + "\n" for line in kept), encoding="utf-8")

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        known = ("loss", "learning_rate", "grad_norm")
        shown = {key: value for key, value in (logs or {}).items() if key in known or key.startswith("validation_")}
        values = {key: float(value) for key, value in shown.items()}
        if state.is_world_process_zero and values:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": state.global_step, "epoch": state.epoch, **values}) + "\n")


class ShortProgress(ProgressCallback):
    """Trainer's bar, and of each report only the loss; the values by class go to the dashboards."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        super().on_log(args, state, control, logs=_short(logs), **kwargs)


class ShortLines(PrinterCallback):
    """Where there is no terminal: one short line a report."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if state.is_world_process_zero and _short(logs):
            print(f"step {state.global_step}/{state.max_steps}: {_short(logs)}", flush=True)


def _short(logs: Any) -> dict[str, Any]:
    return {key: round(float(value), 4) for key, value in (logs or {}).items() if key == "loss"}


class CheckpointMarker(TrainerCallback):
    """A checkpoint is complete or it isn't: the ledger's counts and then an empty file `complete` are written last."""

    def __init__(self, ledger: Ledger):
        self.ledger = ledger

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        drawn_EN = drawn_by_all(self.ledger)
        processes.state().wait_for_everyone()
        if state.is_world_process_zero:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            (folder / LEDGER_ROWS).write_text(json.dumps(drawn_EN.tolist()), encoding="utf-8")
            (folder / "complete").touch()


class Validation(TrainerCallback):
    """Scores the validation split every `every` steps with the evaluator that it is handed."""

    def __init__(self, validate: Callable[[Any], dict[str, float]], every: int, log: RunLog):
        self.validate, self.every, self.log = validate, every, log

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        if state.global_step % self.every and state.global_step != state.max_steps:
            return
        training = model.training
        model.eval()
        with torch.no_grad():
            found = self.validate(model)
        model.train(training)
        self.log.on_log(args, state, control, logs={f"validation_{name}": value for name, value in found.items()})


def drawn_by_all(ledger: Ledger) -> np.ndarray:
    """drawn_EN summed over the processes. Every process must call it."""
    if processes.state().num_processes == 1:
        return ledger.drawn_EN.copy()
    return np.sum(gather_object([ledger.drawn_EN]), axis=0)
