"""Clips that cannot be read while the training runs, where the recipe says `data.on_error: quarantine`.

Such a row stays in its batch with a placeholder for a clip, so that steps, shapes and the processes' steps stay, and
counts for nothing: neither its loss nor its number enters the mean of the optimiser step, on any process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import gather_object
from rich.console import Console
from transformers import Trainer

from emovlm import UserError, processes
from emovlm import run as runs
from emovlm.data.tablefile import read_jsonl

if TYPE_CHECKING:
    import datasets

    from emovlm.recipe import Data

# Of the training rows, where the recipe gives no `data.max_failed`.
MOST = 0.01


class Unread:
    """failed: row -> (kind, why), the same on every process. left_out: by `data.quarantine`, reason -> rows.

    path: the list of the failed rows, as `data.quarantine` takes it; a resumed run goes on with it.
    """

    def __init__(self, data: Data, rows: datasets.Dataset, left_out: Mapping[str, int], path: Path):
        self.asked = data.on_error == "quarantine"
        self.rows, self.left_out, self.path = rows, dict(left_out), path
        self.share = MOST if data.max_failed is None else data.max_failed
        self.failed: dict[int, tuple[str, str]] = {}
        if path.exists():
            index = {name: n for n, name in enumerate(rows["id"])}
            listed = [line for line, _ in read_jsonl(path)]
            self.failed = {
                index[line["id"]]: (line["reason"], line["detail"]) for line in listed if line["id"] in index
            }

    def count(self, batches: Sequence[Mapping[str, Any]], accelerator: Any) -> int:
        """Samples of one optimiser step that failed, over all processes. Every process must call it.

        Raises UserError, on every process, where more rows have failed than the recipe allows.
        """
        here = [(int(batch["rows_B"][place]), *told) for batch in batches for place, told in _failed(batch).items()]
        total = int(accelerator.reduce(torch.tensor(len(here), device=accelerator.device), "sum"))
        if total:
            everywhere = gather_object(here) if processes.state().num_processes > 1 else here
            self._note({row: (kind, why) for row, kind, why in everywhere})
        return total

    def _note(self, found: Mapping[int, tuple[str, str]]) -> None:
        new = {row: told for row, told in sorted(found.items()) if row not in self.failed}
        self.failed |= new
        most = int(self.share * len(self.rows))
        if new and processes.state().is_main_process:
            for row, (_, why) in new.items():
                told = (
                    f"row {self.rows[row]['id']} counts for nothing: {why} ({len(self.failed)} of at most {most} rows)"
                )
                Console(stderr=True).print(told, style="bold red", markup=False, highlight=False)
            runs.write_jsonl(self.path, [self._line(row) for row in self.failed])
        if len(self.failed) > most:
            row, (_, why) = next(iter(new.items()), next(iter(self.failed.items())))
            raise UserError(
                f"{len(self.failed)} of {len(self.rows)} training rows could not be read, and data.max_failed allows "
                f"{most} ({self.share:g}); the last: row {self.rows[row]['id']}, {why}; run `emovlm data check RECIPE`"
            )

    def _line(self, row: int) -> dict[str, Any]:
        kind, why = self.failed[row]
        return {"id": self.rows[row]["id"], "media": self.rows[row]["media"], "reason": kind, "detail": why}

    def summary(self) -> dict[str, Any]:
        """For report.json."""
        return {
            "left_out": self.left_out,
            "failed": {self.rows[row]["id"]: why for row, (_, why) in self.failed.items()},
        }


class SparingTrainer(Trainer):
    """One override: before the first loss of an optimiser step it is known how many of its samples count."""

    unread: Unread
    num_failed = 0

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> Any:
        batches, num_items = super().get_batch_samples(epoch_iterator, num_batches, device)
        if self.unread.asked:
            self.num_failed = self.unread.count(batches, self.accelerator)
        return batches, num_items


def counting(rows_B: torch.Tensor, failed: Mapping[int, Any]) -> torch.Tensor:
    """Whether each sample counts: (B,) bool."""
    counts_B = torch.ones(len(rows_B), dtype=torch.bool, device=rows_B.device)
    counts_B[list(failed)] = False
    return counts_B


def _failed(batch: Mapping[str, Any]) -> Mapping[int, Sequence[str]]:
    return batch.get("failed", {})
