"""How far a long piece of work is: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

LINE_S = 30.0


class Progress:
    """`title: 120 of 500 clips, 14.2 clips/s, 27 s left`."""

    def __init__(self, title: str, total: int):
        self.title, self.total, self.done = title, total, 0
        self.start_s = self.said_s = time.monotonic()
        self.bar: Bar | None = None
        if sys.stderr.isatty():
            columns = TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
            # What goes to stdout is for the next program, so it is left alone.
            self.bar = Bar(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)
            self.bar.add_task(title, total=total)
            self.bar.start()

    def add(self, count: int) -> None:
        self.done += count
        now_s = time.monotonic()
        if self.bar is not None:
            self.bar.advance(self.bar.task_ids[0], count)
        elif now_s - self.said_s >= LINE_S and self.done < self.total:
            self.said_s = now_s
            left_s = (self.total - self.done) / max(self.rate(), 1e-9)
            line = f"{self.title}: {self.done} of {self.total} clips, {self.rate():.2g} clips/s, {left_s:.0f} s left"
            print(line, file=sys.stderr, flush=True)

    def rate(self) -> float:
        """Clips a second so far."""
        return self.done / max(time.monotonic() - self.start_s, 1e-9)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()
