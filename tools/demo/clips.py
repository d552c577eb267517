"""Renders the demo clips: `python -m tools.demo.clips` (about 3 minutes on two cores).

Writes emovlm/demo/clips/{train,validation,test}: 0001.mp4 ... and metadata.csv, byte for byte the same on each run.
`--check` renders into a temporary folder instead and compares; `--only N` does so for N clips of each split.
Every clip has its own generator, made of the split and its number, so one clip can be rendered without the others.
"""

from __future__ import annotations

import argparse
import csv
import io
import multiprocessing
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools.demo.action_units import ACTION_UNITS, EMOTIONS, VISIBLE
from tools.demo.coding import encode
from tools.demo.performance import CLIP_S, perform
from tools.demo.rendering import Head

CLIPS = Path(__file__).parents[2] / "emovlm/demo/clips"
SEED = 2026
FPS = 16
TIMES_S_T = np.arange(int(CLIP_S * FPS)) / FPS
COLUMNS = ("file_name", "label", "subject", "onset_s", "apex_s", "offset_s", "action_units")


@dataclass(frozen=True)
class Split:
    """counts_C in the order of EMOTIONS; subjects are numbered through all splits, so that none is in two."""

    number: int
    name: str
    counts_C: tuple[int, ...]
    first_subject: int
    num_subjects: int


# The training split has the long tail of DFEW (2488 1979 2709 2229 1498 146 981), cut to 480 clips.
SPLITS = (
    Split(0, "train", (99, 79, 108, 89, 60, 6, 39), 1, 60),
    Split(1, "validation", (40,) * 7, 61, 20),
    Split(2, "test", (40,) * 7, 81, 36),
)


@dataclass(frozen=True)
class Plan:
    """What one clip will show; the number (from 1) is its file's name."""

    split: Split
    number: int
    emotion: str
    subject: int


def plan(split: Split) -> list[Plan]:
    """The clips of a split, in an order that says nothing about the label; every subject appears equally often."""
    rng = np.random.default_rng([SEED, split.number])
    labels = rng.permutation(np.repeat(np.arange(len(EMOTIONS)), split.counts_C))
    rounds = -(-len(labels) // split.num_subjects)
    subjects = np.concatenate([rng.permutation(split.num_subjects) for _ in range(rounds)])[: len(labels)]
    return [
        Plan(split, i + 1, EMOTIONS[label], split.first_subject + int(subject))
        for i, (label, subject) in enumerate(zip(labels, subjects, strict=True))
    ]


def file_name(number: int) -> str:
    return f"{number:04d}.mp4"


_head: Head | None = None


def _render(clip: Plan) -> tuple[bytes, dict[str, str]]:
    """The bytes of a clip's file, and its row of the table."""
    global _head
    _head = _head or Head()
    subject = _head.subject(np.random.default_rng([SEED, 10, clip.subject]))
    rng = np.random.default_rng([SEED, clip.split.number, clip.number])
    shown = perform(_head, subject, rng, clip.emotion, TIMES_S_T)
    is_neutral = clip.emotion == "neutral"
    listed = zip(ACTION_UNITS, shown.apex_strengths_A, strict=True)
    row = {
        "file_name": file_name(clip.number),
        "label": clip.emotion,
        "subject": f"s{clip.subject:03d}",
        "onset_s": "" if is_neutral else f"{shown.onset_s:.3f}",
        "apex_s": "" if is_neutral else f"{shown.apex_s:.3f}",
        "offset_s": "" if is_neutral else f"{shown.offset_s:.3f}",
        "action_units": " ".join(f"AU{unit}={value:.2f}" for unit, value in listed if value > VISIBLE),
    }
    return encode(shown.frames_THWC, FPS), row


def render(clips: list[Plan], processes: int) -> list[tuple[bytes, dict[str, str]]]:
    """Renders the clips in parallel; the number of processes does not change a byte."""
    if processes == 1:
        return [_render(clip) for clip in clips]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return pool.map(_render, clips, chunksize=8)


def table(rows: list[dict[str, str]]) -> bytes:
    """metadata.csv."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([row[column] for column in COLUMNS] for row in rows)
    return text.getvalue().encode()


def write(folder: Path, processes: int) -> None:
    """Renders all splits into `folder`."""
    for split in SPLITS:
        target = folder / split.name
        target.mkdir(parents=True, exist_ok=True)
        done = render(plan(split), processes)
        for data, row in done:
            (target / row["file_name"]).write_bytes(data)
        (target / "metadata.csv").write_bytes(table([row for _, row in done]))


def differences(folder: Path, only: int | None, processes: int) -> list[str]:
    """Renders again (the first `only` clips of each split, or all) and names what is not the same in `folder`."""
    different = []
    for split in SPLITS:
        lines = (folder / split.name / "metadata.csv").read_bytes().splitlines(keepends=True)
        done = render(plan(split)[:only], processes)
        if b"".join(lines[: len(done) + 1]) != table([row for _, row in done]):
            different.append(f"{split.name}/metadata.csv")
        for data, row in done:
            if (folder / split.name / row["file_name"]).read_bytes() != data:
                different.append(f"{split.name}/{row['file_name']}")
    return different


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=CLIPS)
    parser.add_argument("--check", action="store_true", help="compare with the files in --output instead of writing")
    parser.add_argument("--only", type=int, help="with --check: this many clips of each split")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    start = time.perf_counter()
    if arguments.check:
        different = differences(arguments.output, arguments.only, arguments.processes)
        print(f"{len(different)} files differ: {' '.join(different)}" if different else "all files are the same")
        sys.exit(1 if different else 0)
    write(arguments.output, arguments.processes)
    sizes = [path.stat().st_size for path in arguments.output.rglob("*") if path.is_file()]
    print(f"{len(sizes)} files, {sum(sizes) / 1e6:.2f} MB, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
