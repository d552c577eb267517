"""The validation split during training: scores for the log, an alarm for a lost class, the best model kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.console import Console
from transformers import TrainerCallback

from emovlm.metrics.collapse import alarms, evenness
from emovlm.train.callbacks import log_beside

if TYPE_CHECKING:
    from emovlm.train.selection import Selection

# {metric: value}, and how often each class was predicted.
Scored = tuple[dict[str, float], np.ndarray]
# Half of log C: as few classes as the square root of their number would fill evenly.
EVENNESS_BOUND = 0.5


class Validation(TrainerCallback):
    """Every `every` steps, and after the last, with the evaluator that it is handed. The same on every process."""

    def __init__(self, trainer: Any, validate: Callable[[Any], Scored], every: int, selection: Selection | None):
        self.trainer, self.validate, self.every, self.selection = trainer, validate, every, selection
        self.classes = trainer.ledger.classes
        self.before_C: np.ndarray | None = None

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        step = state.global_step
        if step % self.every and step != state.max_steps:
            return
        training = model.training
        model.eval()
        with torch.no_grad():
            values, predicted_C = self.validate(model)
        model.train(training)
        log_beside(self.trainer, control, {f"validation_{name}": value for name, value in values.items()})
        if state.is_world_process_zero and self.before_C is not None:
            self._warn(step, self.before_C, predicted_C)
        self.before_C = predicted_C
        if self.selection:
            self.selection.consider(self.trainer.accelerator.unwrap_model(model), step, values)
            control.should_training_stop |= self.selection.exhausted(step)

    def _warn(self, step: int, before_C: np.ndarray, now_C: np.ndarray) -> None:
        found = alarms(before_C, now_C, EVENNESS_BOUND)
        lines = [f"'{self.classes[c]}' is not predicted any more (before: {before_C[c]} clips)" for c in found.stopped]
        if found.entropy_fell:
            lines.append(f"the answers collapse: evenness {evenness(now_C):.2f}, before {evenness(before_C):.2f}")
        for line in lines:
            Console(stderr=True).print(f"step {step}: {line}", style="bold red", markup=False, highlight=False)
