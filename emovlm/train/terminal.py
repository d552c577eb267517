"""How far a training is, for whoever watches the terminal: a bar, or plain lines in a file."""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta
from typing import Any

from transformers import PrinterCallback, ProgressCallback


def has_bar() -> bool:
    """A bar writes over itself: that takes a terminal, and Slurm's, if it has one, ends in a file all the same."""
    return sys.stderr.isatty() and "SLURM_JOB_ID" not in os.environ


def attach(trainer: Any) -> None:
    """Ours in place of transformers' bar or lines, whichever the trainer has."""
    for theirs, ours in ((ProgressCallback, Bar), (PrinterCallback, Lines)):
        if trainer.pop_callback(theirs):
            trainer.add_callback(ours)


class Latest:
    """Loss and UAR as they were last reported; the other reports go to the log and the dashboards."""

    def __init__(self) -> None:
        self.loss: float | None = None
        self.uar: float | None = None

    def take(self, logs: Any) -> bool:
        """Whether there is something new to show."""
        loss, uar = (logs or {}).get("loss"), (logs or {}).get("validation_uar")
        self.loss = self.loss if loss is None else float(loss)
        self.uar = self.uar if uar is None else float(uar)
        return loss is not None or uar is not None

    def __str__(self) -> str:
        parts = [] if self.loss is None else [f"loss {self.loss:.4f}"]
        return ", ".join(parts + ([] if self.uar is None else [f"validation UAR {self.uar:.3f}"]))


class Bar(ProgressCallback):
    """transformers' bar, which tells step and time left; behind it loss and UAR."""

    def __init__(self) -> None:
        super().__init__()
        self.latest = Latest()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if self.latest.take(logs) and self.training_bar is not None:
            self.training_bar.set_postfix_str(str(self.latest))


class Lines(PrinterCallback):
    """One line a report: step, time left, loss and UAR."""

    def __init__(self) -> None:
        self.latest = Latest()
        self.first_step, self.began = 0, time.monotonic()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.first_step, self.began = state.global_step, time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if self.latest.take(logs) and state.is_world_process_zero:
            spent = time.monotonic() - self.began
            step_s = spent / max(state.global_step - self.first_step, 1)
            left = timedelta(seconds=round(step_s * (state.max_steps - state.global_step)))
            print(f"step {state.global_step}/{state.max_steps}, {left} left: {self.latest}", flush=True)
