"""Which of the models that were scored during training is kept, and when to stop. The choice survives a kill.

selection.json in the run folder: every score seen, and the best. The best model lies in `selected/step-<n>` until the
training is done; then it is the run's.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emovlm import processes
from emovlm import run as runs
from emovlm.train import checkpoints

if TYPE_CHECKING:
    from emovlm.recipe import Select
    from emovlm.run import RunFolder

# The direction of every metric that can be selected on; never guessed from a name.
LARGER_IS_BETTER = {
    "war": True,
    "uar": True,
    "macro_f1": True,
    "weighted_f1": True,
    "tail_recall": True,
    "nll": False,
    "brier": False,
    "ece": False,
}


class Selection:
    """Holds the scores seen so far, the same on every process.

    save: `(model, folder)` writes a model whole or not at all; every process calls it. start: where the training
    begins; what was seen behind it is seen again, and on other rows it does not count.
    """

    def __init__(self, run: RunFolder, select: Select, start: checkpoints.Start, save: Callable[[Any, Path], None]):
        self.run, self.select, self.save = run, select, save
        stored = checkpoints.agreed(self._stored)
        self.seen: dict[int, float] = {int(step): value for step, value in stored["seen"].items()}
        self.best: int | None = stored["best"]
        if not start.same_rows:
            self.seen = {step: value for step, value in self.seen.items() if step <= start.step}
            self.best = self.best if self.best in self.seen else None

    def consider(self, model: Any, step: int, values: Mapping[str, float]) -> None:
        """Keep `model` if it is better than all before; a score that is no number never is. All processes call it."""
        value = self.seen[step] = values[self.select.metric]
        # The best step comes again where a run goes on from before it: the model must be the one of this score.
        better = self.best in (None, step) or self._better(value, self.seen[self.best])
        if math.isfinite(value) and better:
            self.save(model, self._folder(step))
            self.best = step
        if processes.state().is_main_process:
            stored = {
                "best": self.best,
                "seen": {str(s): v if math.isfinite(v) else None for s, v in self.seen.items()},
            }
            runs.write_json(self.run.selection, {"metric": self.select.metric, "split": self.select.split, **stored})
            self._remove_others()
        processes.state().wait_for_everyone()

    def exhausted(self, step: int) -> bool:
        """Whether `patience` scorings up to `step` have passed without a better one."""
        if self.select.patience is None or self.best is None:
            return False
        return sum(self.best < seen <= step for seen in self.seen) >= self.select.patience

    def found(self) -> dict[str, Any] | None:
        """For report.json: what was chosen by which score; None where no score was a number."""
        if self.best is None:
            return None
        return {
            "metric": self.select.metric,
            "split": self.select.split,
            "step": self.best,
            "value": self.seen[self.best],
        }

    def move_best(self, folder: Path) -> None:
        """Make the best model the run's. Last of all: it says that the training is done."""
        assert self.best is not None, "nothing was selected"
        if processes.state().is_main_process:
            os.replace(self._folder(self.best), folder)
            shutil.rmtree(self.run.selected, ignore_errors=True)

    def _better(self, value: float, best: float) -> bool:
        return value > best if LARGER_IS_BETTER[self.select.metric] else value < best

    def _folder(self, step: int) -> Path:
        return self.run.selected / f"step-{step}"

    def _remove_others(self) -> None:
        for folder in self.run.selected.glob("*"):
            if self.best is None or folder != self._folder(self.best):
                shutil.rmtree(folder)

    def _stored(self) -> dict[str, Any]:
        """What an interrupted run left; nothing where its best model is not whole."""
        try:
            stored = json.loads(self.run.selection.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {"best": None, "seen": {}}
        if stored["best"] is not None and not self._folder(stored["best"]).is_dir():
            return {"best": None, "seen": {}}
        stored["seen"] = {step: math.nan if value is None else value for step, value in stored["seen"].items()}
        return stored
