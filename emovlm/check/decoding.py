"""All clips of a recipe decoded, on several processes, going on where a killed check had stopped."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from emovlm.check.clips import record_of
from emovlm.data import checked

Row = Mapping[str, Any]
Decoded = tuple[Row, dict[str, Any]]
SAVE_S = 2.0
LINE_S = 30.0
# Handed to the processes at once: enough to keep them busy, little to lose.
AT_ONCE = 2000


def decode_all(rows: Sequence[Row], workers: int) -> tuple[dict[str, dict[str, Any]], int]:
    """(checked.clip_key -> clips.record_of, how many were known from before) of the rows, whose files all exist.

    What could not be read before is tried again: a disk may have been away.
    """
    clips = {checked.clip_key(row): row for row in rows}
    found = {key: record for key, record in checked.known(clips.values()).items() if not record["fault"]}
    num_known = len(found)
    todo = [row for key, row in clips.items() if key not in found]
    files = {checked.clip_key(row): checked.files_key(row["media"]) for row in todo}
    unsaved: list[tuple[Row, str, dict[str, Any]]] = []
    saved_s = time.monotonic()
    try:
        for row, record in _shown(_decoded(todo, workers), len(todo)):
            key = checked.clip_key(row)
            found[key] = record
            if (before := files[key]) is not None:
                unsaved.append((row, before, record))
            if time.monotonic() - saved_s > SAVE_S:
                checked.remember(unsaved)
                unsaved, saved_s = [], time.monotonic()
    finally:
        checked.remember(unsaved)
    return found, num_known


def _decoded(rows: Sequence[Row], workers: int) -> Iterator[Decoded]:
    """In this process where one worker is asked for: a clip that crashes the decoder then ends the check."""
    if workers == 1:
        yield from ((row, record_of(row)) for row in rows)
        return
    for start in range(0, len(rows), AT_ONCE):
        waiting: list[Row] = list(rows[start : start + AT_ONCE])
        while waiting:
            done = set()
            for row, record in _pool(waiting, workers):
                done.add(id(row))
                yield row, record
            waiting = [row for row in waiting if id(row) not in done]
            # A process died, on one of the clips that were then in the works: each alone shows on which.
            suspects, waiting = waiting[: 2 * workers + 2], waiting[2 * workers + 2 :]
            for row in suspects:
                yield next(_pool([row], 1), (row, _crash(row)))


def _pool(rows: Sequence[Row], workers: int) -> Iterator[Decoded]:
    """What is done before all is done, or before a process dies."""
    # Not by fork: the parent may have threads, and a container must not cross one.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(rows)), context, initializer=_begin, initargs=(os.getpid(),))
    try:
        futures: dict[Future[dict[str, Any]], Row] = {pool.submit(record_of, row): row for row in rows}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool:
        return
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(parent: int) -> None:
    """Ctrl-C is the parent's to answer; and where the parent is killed, its processes end too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _crash(row: Row) -> dict[str, Any]:
    return {"fault": f"{row['media'][0]}: the decoder crashes on it; re-encode the file", "kind": "crash"}


def _shown(decoded: Iterator[Decoded], total: int) -> Iterator[Decoded]:
    """With a bar on a terminal, with a line now and then in a log."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if sys.stderr.isatty():
        columns = (TextColumn("decoding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            yield from bar.track(decoded, total=total)
        return
    start_s = said_s = time.monotonic()
    for number, one in zip(itertools.count(1), decoded, strict=False):
        if time.monotonic() - said_s >= LINE_S:
            said_s = time.monotonic()
            rate = number / (said_s - start_s)
            left_s = (total - number) / rate
            print(f"decoding: {number} of {total} clips, {rate:.3g} a second, {left_s:.0f} s left", file=sys.stderr)
        yield one
