"""Which checkpoint a run goes on from: is it complete, and is it of the same stream of rows?

A checkpoint is transformers' folder and four files of ours: `ledger_rows.json` (draws a row), `fingerprint.json` (of
the stream), `progress.json`, and, written last, `complete.json` with the size of every file. What lacks a listed file,
or a byte of it, is incomplete and is never started from.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from accelerate.utils import broadcast_object_list

from emovlm import UserError, processes
from emovlm import run as runs

if TYPE_CHECKING:
    import datasets

    from emovlm.longtail.plan import Plan
    from emovlm.recipe import Recipe

LEDGER_ROWS, FINGERPRINT, PROGRESS, COMPLETE = (
    "ledger_rows.json",
    "fingerprint.json",
    "progress.json",
    "complete.json",
)
Value = TypeVar("Value")


@dataclass(frozen=True)
class Progress:
    """What the steps before a checkpoint leave behind, beside weights and optimiser.

    pending_loss, pending_classes: summed since step `logged_step`, the last with a log line (see CheckpointMarker).
    """

    seconds: float = 0.0
    different_data: list[str] = field(default_factory=list)
    pending_loss: float = 0.0
    pending_classes: list[list[float]] | float = 0.0
    logged_step: int = 0
    engine: str = "plain"
    num_processes: int = 1


@dataclass(frozen=True)
class Start:
    """Where a training begins: at step 0, or behind a checkpoint."""

    folder: Path | None = None
    step: int = 0
    progress: Progress = field(default_factory=Progress)
    same_rows: bool = True


def fingerprint(recipe: Recipe, rows: datasets.Dataset, stream: Plan) -> dict[str, Any]:
    """What decides which rows come in which step, as plain JSON values."""
    sampler = stream.sampler
    rates = [sampler.strategy(sampler.counts_C, progress) for progress in np.linspace(0, 1, 11)]
    by_progress = any(not np.array_equal(rates[0], other) for other in rates[1:])
    defaults = {name: one.default for name, one in inspect.signature(sampler.strategy).parameters.items()}
    plain = {name: value for name, value in defaults.items() if isinstance(value, bool | int | float | str)}
    given = recipe.sampler.model_dump(mode="json", exclude_none=True, exclude={"strategy"})
    taught = {name: list(rows[name]) for name in ("id", "label", "soft_label", "answer") if name in rows.column_names}
    sampler.set_epoch(0)
    order_L = np.fromiter(sampler, dtype=np.int64, count=len(sampler))
    return {
        "strategy": recipe.sampler.strategy,
        "arguments": {**plain, **given},
        "seed": recipe.seed,
        "num_rows": len(rows),
        "class_counts": dict(zip(rows.features["label"].names, stream.counts_C.round(6).tolist(), strict=True)),
        "ids_and_labels": _hash(json.dumps(taught).encode()),
        "epoch_length": len(sampler),
        "global_batch": recipe.global_batch,
        "total_steps": stream.num_steps if by_progress else None,
        # Of the first epoch: it also shows a strategy whose code has changed.
        "order": _hash(order_L.tobytes()),
    }


def differences(stored: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """`seed 0 then, 1 now`, for everything that differs. `order` follows from the rest: named where it is alone."""
    left, right = _flat(stored), _flat(now)
    keys = [key for key in {**right, **left} if left.get(key) != right.get(key)]
    shown = [key for key in keys if key != "order"] or keys
    found = [f"{key} {_short(left.get(key))} then, {_short(right.get(key))} now" for key in shown]
    return found[:8] + ([f"and {len(found) - 8} more"] if len(found) > 8 else [])


def write(folder: Path, drawn_EN: np.ndarray, stream: dict[str, Any], progress: Progress) -> None:
    """Add our files to a checkpoint that transformers has written on every process; the marker comes last."""
    runs.write_text(folder / LEDGER_ROWS, json.dumps(drawn_EN.tolist()))
    runs.write_json(folder / FINGERPRINT, stream)
    runs.write_json(folder / PROGRESS, asdict(progress))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        # The marker must not reach the disk before what it vouches for.
        with path.open("rb") as file:
            os.fsync(file.fileno())
    runs.write_json(folder / COMPLETE, {str(path.relative_to(folder)): path.stat().st_size for path in files})


def fault(folder: Path) -> str | None:
    """Why a checkpoint is incomplete, or None where nothing is missing."""
    try:
        files = json.loads((folder / COMPLETE).read_text(encoding="utf-8"))
        sizes = {name: int(size) for name, size in files.items()}
    except FileNotFoundError:
        return "the run stopped while it was written"
    except (OSError, ValueError, AttributeError, TypeError):
        return f"{COMPLETE} cannot be read"
    for name, size in sizes.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != size:
            return f"{name} has {path.stat().st_size} of {size} bytes"
    return None


def rotate(run: runs.RunFolder, keep: int | None, best: str | None = None) -> None:
    """`save_total_limit`, after the marker: the newest `keep` complete checkpoints stay, and the best one.

    transformers rotates before our marker is written: with a limit of 1 a kill in between would leave none.
    """
    if keep is None or keep <= 0:
        return
    folders = run.checkpoints()
    complete = [folder for folder in folders if fault(folder) is None]
    protected = {*complete[-1:], *(folder for folder in complete if best and folder.name == Path(best).name)}
    others = [folder for folder in reversed(complete) if folder not in protected]
    kept = {*protected, *others[: max(keep - len(protected), 0)]}
    for folder in folders[: folders.index(complete[-1])] if complete else []:
        if folder not in kept:
            # Without its marker first, so that a kill in between leaves nothing that looks like a checkpoint.
            (folder / COMPLETE).unlink(missing_ok=True)
            shutil.rmtree(folder)


def find_start(run: runs.RunFolder, stream: dict[str, Any], *, allow_different_data: bool) -> Start:
    """The newest complete checkpoint of this stream, said on stderr in one line; what lies behind it is put away.

    Raises UserError where the checkpoint's stream differs from `stream` and that is not allowed.
    """
    begun = run.env.exists()
    folders = run.checkpoints()
    faults = {folder: fault(folder) for folder in folders}
    complete = [folder for folder in folders if faults[folder] is None]
    start, said = Start(), "training starts at step 0"
    if complete:
        start = _start_from(run, complete[-1], stream, allow_different_data)
        said = f"going on from {complete[-1].name}"
    newer = folders[folders.index(complete[-1]) + 1 :] if complete else folders
    reasons = [f"{folder.name} is incomplete ({faults[folder]}{_put_away(folder)})" for folder in reversed(newer)]
    if not begun:
        reasons.append("nothing was begun here yet")
    elif not folders:
        reasons.append("there is no checkpoint yet")
    _sweep(run)
    different = start.progress.different_data
    if different and different[-1].startswith(f"step {start.step}:"):
        reasons.append(f"different data from {different[-1]}")
    print(f"{run.folder}: {'; '.join([*reasons, said])}", file=sys.stderr, flush=True)
    return start


def agreed(decide: Callable[[], Value]) -> Value:
    """The main process's answer on every process: two that look for themselves may differ.

    Its UserError stops all of them, and is said once.
    """
    answer: list[Any] = [None]
    if processes.state().is_main_process:
        try:
            answer = [decide()]
        except UserError as error:
            answer = [error]
    broadcast_object_list(answer)
    if isinstance(answer[0], UserError):
        if processes.state().is_main_process:
            raise answer[0]
        sys.exit(2)
    return answer[0]


def ledger_rows(folder: Path) -> np.ndarray:
    """drawn_EN up to the checkpoint, over all processes."""
    return np.array(json.loads((folder / LEDGER_ROWS).read_text(encoding="utf-8")), dtype=np.int64)


def _start_from(run: runs.RunFolder, folder: Path, stream: dict[str, Any], allowed: bool) -> Start:
    step = int(folder.name.rpartition("-")[2])
    stored = json.loads((folder / FINGERPRINT).read_text(encoding="utf-8"))
    progress = Progress(**json.loads((folder / PROGRESS).read_text(encoding="utf-8")))
    _check_engine(run, folder, progress)
    found = differences(stored, stream)
    same_rows = stored.get("ids_and_labels") == stream["ids_and_labels"]
    if found and not allowed:
        raise UserError(
            f"{run.folder}: {folder.name} was trained on another stream of rows: {'; '.join(found)}; put back what was "
            "there, give another output=, or add --allow-different-data, which is stamped in report.json"
        )
    if found:
        ledger = "" if same_rows else "; the ledger counts from here on"
        progress.different_data.append(f"step {step}: {'; '.join(found)}{ledger}")
    return Start(folder, step, progress, same_rows)


def _check_engine(run: runs.RunFolder, folder: Path, progress: Progress) -> None:
    """Raises UserError where this engine cannot read the optimizer that another one wrote."""
    then, now = progress.engine, processes.engine()
    # DeepSpeed deals the optimizer out by process, and reads it only as it was dealt.
    apart = progress.num_processes != processes.state().num_processes and now.startswith("zero")
    if then != now or apart:
        raise UserError(
            f"{run.folder}: {folder.name} was written under {then} on {progress.num_processes} processes, and {now} on "
            f"{processes.state().num_processes} cannot go on from it; start as many under {then} again, or give "
            "another output="
        )


def _put_away(folder: Path) -> str:
    """A half-written checkpoint goes; one that was complete once is set aside, for whoever can mend it."""
    if not (folder / COMPLETE).exists():
        shutil.rmtree(folder)
        return ""
    aside = folder.with_name(f"damaged-{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    os.replace(folder, aside)
    return f"; kept as {aside.name}"


def _sweep(run: runs.RunFolder) -> None:
    """Temporary files and folders of a process that was killed while it wrote: `.adapter.1234`, `.log.jsonl.1234`."""
    for final in (run.recipe, run.env, run.log, run.ledger, run.report, run.adapter, run.model, run.head):
        for left in run.folder.glob(f".{final.name}.*"):
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    """{a: {b: 1}} -> {a.b: 1}, one level deep."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= {f"{key}.{name}": one for name, one in value.items()} if isinstance(value, dict) else {key: value}
    return found


def _short(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value)
