"""The validation split during training: scores for the log, an alarm for a lost class, the best model kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.console import Console
from transformers import TrainerCallback

from emovlm.metrics.collapse import alarms, entropy, evenness
from emovlm.metrics.recognition import predicted_C
from emovlm.train.callbacks import log_beside

if TYPE_CHECKING:
    from emovlm.train.selection import Selection

# {metric: value}, and the confusion matrix counts_CP (see metrics/recognition.py).
Scored = tuple[dict[str, float], np.ndarray]
# Half of log C: as few classes as the square root of their number would fill evenly.
EVENNESS_BOUND = 0.5


class Validation(TrainerCallback):
    """Every `every` steps, and after the last, with the evaluator that it is handed. The same on every process."""

    def __init__(
        self,
        trainer: Any,
        validate: Callable[[Any], Scored],
        every: int,
        selection: Selection | None,
        show: Callable[[int, np.ndarray], None],
    ):
        """show: `(step, counts_CP)`, for the dashboards."""
        self.trainer, self.validate, self.every, self.selection = trainer, validate, every, selection
        self.show = show
        self.classes = trainer.ledger.classes
        self.before_C: np.ndarray | None = None

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        step = state.global_step
        if step % self.every and step != state.max_steps:
            return
        training = model.training
        model.eval()
        with torch.no_grad():
            values, counts_CP = self.validate(model)
        model.train(training)
        now_C = predicted_C(counts_CP)
        lines, raised = self._alarms(now_C)
        self.before_C = now_C
        shown = {**values, "prediction_entropy": entropy(now_C), **raised}
        log_beside(self.trainer, control, {f"validation_{name}": value for name, value in shown.items()})
        self.show(step, counts_CP)
        if state.is_world_process_zero:
            for line in lines:
                Console(stderr=True).print(f"step {step}: {line}", style="bold red", markup=False, highlight=False)
        if self.selection:
            self.selection.consider(self.trainer.accelerator.unwrap_model(model), step, values)
            control.should_training_stop |= self.selection.exhausted(step)

    def _alarms(self, now_C: np.ndarray) -> tuple[list[str], dict[str, float]]:
        """Against the validation before: in words, and as numbers (classes lost; 1 where the answers collapse)."""
        if self.before_C is None:
            return [], {"alarm_classes_lost": 0, "alarm_collapse": 0}
        before_C, found = self.before_C, alarms(self.before_C, now_C, EVENNESS_BOUND)
        lines = [f"'{self.classes[c]}' is not predicted any more (before: {before_C[c]} clips)" for c in found.stopped]
        if found.entropy_fell:
            lines.append(f"the answers collapse: evenness {evenness(now_C):.2f}, before {evenness(before_C):.2f}")
        return lines, {"alarm_classes_lost": len(found.stopped), "alarm_collapse": int(found.entropy_fell)}
