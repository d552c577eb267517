"""What W&B, TensorBoard and trackio are sent beside transformers' own reports, through `trainer.report_to`.

    loss/<class>, recall/<class>      of the clips drawn since the last report (supervision.py)
    ledger/asked|drawn/<class>        shares of an epoch's draws, to be laid over each other
    ledger/distinct|repeats/<class>   clips, and further draws of a clip; ledger/most_repeated: of the most repeated one
    speed/clips_per_s                 over all processes, without validation and saving
    speed/data_wait_share             of that time, what this process waited for its batches
    speed/peak_memory_gb              of this process so far: of the GPU, or on a CPU of all that it has resident
    validation_...                    scores, entropy of the predictions, alarms (validation.py)
    validation/confusion              a picture and a table, from the first process alone

P = C + 1 columns of a confusion matrix: the classes, and answers that could not be read.
"""

from __future__ import annotations

import resource
import time
from typing import Any

import numpy as np
import torch
from transformers import TrainerCallback

from emovlm.recipe import Recipe
from emovlm.train import dashboard_runs
from emovlm.train.callbacks import drawn_by_all, log_beside


def attach(trainer: Any, recipe: Recipe) -> Dashboards:
    """Let the trainer's dashboards continue the same run after a resume; -> the callback that feeds them."""
    dashboards = Dashboards(trainer, dashboard_runs.replace(trainer, recipe))
    trainer.add_callback(dashboards)
    return dashboards


class Dashboards(TrainerCallback):
    """The ledger at the end of each epoch, the speed with each report of the loss, confusion matrices when asked."""

    def __init__(self, trainer: Any, shown: list[Any]):
        self.trainer, self.shown = trainer, shown
        self.pace = Pace()
        if shown:
            trainer.get_batch_samples = self.pace.waiting(trainer.get_batch_samples)

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.pace.begin_step()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.pace.end_step(self.trainer.sampler.step)
        self._speed(control)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        ledger, epoch = self.trainer.ledger, self.trainer.sampler.epoch
        drawn_N = drawn_by_all(ledger, epoch)
        if drawn_N.any():
            log_beside(self.trainer, control, _by_class(ledger.classes, ledger.epoch(epoch, drawn_N)))
        self._speed(control)

    def _speed(self, control: Any) -> None:
        if self.shown and control.should_log and self.pace.num_clips:
            log_beside(self.trainer, control, {**self.pace.report(), "speed/peak_memory_gb": peak_memory_gb()})

    def confusion(self, step: int, counts_CP: np.ndarray) -> None:
        """Show a validation's confusion matrix."""
        if not self.shown or not self.trainer.state.is_world_process_zero:
            return
        answers = [*self.trainer.ledger.classes, "unreadable"]
        if not counts_CP[:, -1].any():
            answers, counts_CP = answers[:-1], counts_CP[:, :-1]
        picture_HWC = picture(counts_CP, self.trainer.ledger.classes, answers)
        rows = [[name, *row] for name, row in zip(self.trainer.ledger.classes, counts_CP.tolist(), strict=True)]
        for dashboard in self.shown:
            dashboard.show_confusion(step, picture_HWC, ["true class", *answers], rows)


class Pace:
    """Where the time of the steps since the last report went."""

    def __init__(self) -> None:
        self.begun = 0.0
        self.waited_s = self.worked_s = 0.0
        self.num_clips = 0

    def waiting(self, fetch: Any) -> Any:
        """`fetch`, with the time it takes counted as waiting."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            begun = time.monotonic()
            found = fetch(*args, **kwargs)
            self.waited_s += time.monotonic() - begun
            return found

        return timed

    def begin_step(self) -> None:
        self.begun = time.monotonic()

    def end_step(self, num_clips: int) -> None:
        self.worked_s += time.monotonic() - self.begun
        self.num_clips += num_clips

    def report(self) -> dict[str, float]:
        """Starts anew."""
        whole_s = max(self.waited_s + self.worked_s, 1e-9)
        found = {"speed/clips_per_s": self.num_clips / whole_s, "speed/data_wait_share": self.waited_s / whole_s}
        self.waited_s = self.worked_s = 0.0
        self.num_clips = 0
        return found


def peak_memory_gb() -> float:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9  # Linux counts in KiB


def picture(counts_CP: np.ndarray, classes: list[str], answers: list[str]) -> np.ndarray:
    """A confusion matrix as pixels (H, W, 3): counts as numbers, shares of the true class as shades."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2 + 0.6 * len(answers), 1.5 + 0.5 * len(classes)), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    shares_CP = counts_CP / np.maximum(counts_CP.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares_CP, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (c, p), count in np.ndenumerate(counts_CP):
        axes.text(p, c, str(count), ha="center", va="center", color="white" if shares_CP[c, p] > 0.5 else "black")
    axes.set_xticks(range(len(answers)), answers, rotation=45, ha="right")
    axes.set_yticks(range(len(classes)), classes)
    axes.set_xlabel("answer")
    axes.set_ylabel("true class")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _by_class(classes: list[str], entry: dict[str, Any]) -> dict[str, float]:
    """An epoch of the ledger as single values with names."""
    total = sum(entry["drawn"])
    found = {"ledger/most_repeated": entry["most_repeated"]["times"]}
    for c, name in enumerate(classes):
        found[f"ledger/asked/{name}"] = entry["asked"][c]
        found[f"ledger/drawn/{name}"] = entry["drawn"][c] / total
        found[f"ledger/distinct/{name}"] = entry["distinct_clips"][c]
        found[f"ledger/repeats/{name}"] = entry["repeats"][c]
    return found
