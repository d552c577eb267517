"""Renders the demo clips: `python -m tools.demo.clips` (about 4 minutes on two cores).

Writes {clips,micro}/{train,validation,test} below emovlm/demo: 0001.mp4 ... and metadata.csv, byte for byte the same on
each run. `--check` renders into memory instead and compares; `--only N` does so for N clips of each split.
Every clip has its own generator, made of the split and its number, so one clip can be rendered without the others.
"""

from __future__ import annotations

import argparse
import csv
import io
import multiprocessing
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools.demo.action_units import ACTION_UNITS, EMOTIONS, VISIBLE
from tools.demo.coding import encode
from tools.demo.performance import CLIP_S, Course, macro, micro, perform
from tools.demo.rendering import Head

DEMO = Path(__file__).parents[2] / "emovlm/demo"
SEED = 2026


@dataclass(frozen=True)
class Style:
    """What the clips of a set show, and the columns of its table."""

    folder: str
    fps: int
    course_of: Callable[[np.random.Generator], Course]
    weakest: float
    stray: float
    columns: tuple[str, ...]


COLUMNS = ("file_name", "label", "subject", "onset_s", "apex_s", "offset_s", "action_units")
MACRO = Style("clips", 16, macro, weakest=0.45, stray=0.04, columns=COLUMNS)
# A neutral clip has no event at all, so nothing is stray. Shown faintly, events of two or three frames would be lost at
# 112 px. At 20 frames a second 1, 2, 5 and 10 a second are whole steps, and so are four frames in each gap of .5 s.
MICRO = Style(
    "micro", 20, micro, weakest=0.6, stray=0.0, columns=(*COLUMNS[:6], "half_onset_s", "half_offset_s", *COLUMNS[6:])
)


@dataclass(frozen=True)
class Split:
    """counts_C in the order of EMOTIONS; subjects are numbered through all splits, so that none is in two."""

    number: int
    style: Style
    name: str
    counts_C: tuple[int, ...]
    first_subject: int
    num_subjects: int

    @property
    def path(self) -> Path:
        return Path(self.style.folder) / self.name


# The training split has the long tail of DFEW (2488 1979 2709 2229 1498 146 981), cut to 480 clips. The short events
# are shown by the same subjects in the same splits, every class equally often.
SPLITS = (
    Split(0, MACRO, "train", (99, 79, 108, 89, 60, 6, 39), 1, 60),
    Split(1, MACRO, "validation", (40,) * 7, 61, 20),
    Split(2, MACRO, "test", (40,) * 7, 81, 36),
    Split(3, MICRO, "train", (44,) * 7, 1, 60),
    Split(4, MICRO, "validation", (17,) * 7, 61, 20),
    Split(5, MICRO, "test", (36,) * 7, 81, 36),
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
    style = clip.split.style
    subject = _head.subject(np.random.default_rng([SEED, 10, clip.subject]))
    shown = perform(
        _head,
        subject,
        np.random.default_rng([SEED, clip.split.number, clip.number]),
        clip.emotion,
        np.arange(int(CLIP_S * style.fps)) / style.fps,
        course_of=style.course_of,
        weakest=style.weakest,
        stray=style.stray,
    )
    listed = zip(ACTION_UNITS, shown.apex_strengths_A, strict=True)
    row = {
        "file_name": file_name(clip.number),
        "label": clip.emotion,
        "subject": f"s{clip.subject:03d}",
        "action_units": " ".join(f"AU{unit}={value:.2f}" for unit, value in listed if value > VISIBLE),
    }
    if clip.emotion != "neutral":
        row |= _moments(shown.course)
    return encode(shown.frames_THWC, style.fps), row


def _moments(course: Course) -> dict[str, str]:
    moments_s = {"onset_s": course.onset_s, "apex_s": course.apex_s, "offset_s": course.offset_s}
    moments_s |= zip(("half_onset_s", "half_offset_s"), course.half_s, strict=True)
    return {column: f"{moment_s:.3f}" for column, moment_s in moments_s.items()}


def render(clips: list[Plan], processes: int) -> list[tuple[bytes, dict[str, str]]]:
    """Renders the clips in parallel; the number of processes does not change a byte."""
    if processes == 1:
        return [_render(clip) for clip in clips]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return pool.map(_render, clips, chunksize=8)


def table(rows: list[dict[str, str]], columns: tuple[str, ...]) -> bytes:
    """metadata.csv; other keys of the rows are left out."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row.get(column, "") for column in columns] for row in rows)
    return text.getvalue().encode()


def write(folder: Path, splits: list[Split], processes: int) -> None:
    """Renders the splits into `folder`."""
    for split in splits:
        target = folder / split.path
        target.mkdir(parents=True, exist_ok=True)
        done = render(plan(split), processes)
        for data, row in done:
            (target / row["file_name"]).write_bytes(data)
        (target / "metadata.csv").write_bytes(table([row for _, row in done], split.style.columns))


def differences(folder: Path, splits: list[Split], only: int | None, processes: int) -> list[str]:
    """Renders again (the first `only` clips of each split, or all) and names what is not the same in `folder`."""
    different = []
    for split in splits:
        lines = (folder / split.path / "metadata.csv").read_bytes().splitlines(keepends=True)
        done = render(plan(split)[:only], processes)
        if b"".join(lines[: len(done) + 1]) != table([row for _, row in done], split.style.columns):
            different.append(f"{split.path}/metadata.csv")
        for data, row in done:
            if (folder / split.path / row["file_name"]).read_bytes() != data:
                different.append(f"{split.path}/{row['file_name']}")
    return different


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=DEMO)
    parser.add_argument("--set", choices=["clips", "micro"], help="this folder only")
    parser.add_argument("--check", action="store_true", help="compare with the files in --output instead of writing")
    parser.add_argument("--only", type=int, help="with --check: this many clips of each split")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    splits = [split for split in SPLITS if arguments.set in (None, split.style.folder)]
    start = time.perf_counter()
    if arguments.check:
        different = differences(arguments.output, splits, arguments.only, arguments.processes)
        print(f"{len(different)} files differ: {' '.join(different)}" if different else "all files are the same")
        sys.exit(1 if different else 0)
    write(arguments.output, splits, arguments.processes)
    files = [path for split in splits for path in (arguments.output / split.path).iterdir()]
    size = sum(path.stat().st_size for path in files)
    print(f"{len(files)} files, {size / 1e6:.2f} MB, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
