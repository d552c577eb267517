"""A describer that writes down what it was asked, and a small set of clips to enrich."""

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np

from emovlm.demo import CLIPS
from emovlm.enrich.strip import Failure
from emovlm.recipe import Recipe

LOAD = "tests.enrich.counting:load"


def load(*, stage, max_words, log, word="grey", pause_s=0.0, fails="", at_once=1):
    return Counting(stage, log, word, pause_s, fails, at_once)


class Counting:
    version = 1

    def __init__(self, stage, log, word, pause_s, fails, at_once):
        self.stage, self.log, self.word, self.pause_s, self.fails, self.at_once = (
            stage,
            log,
            word,
            pause_s,
            fails,
            at_once,
        )
        self.identity = {"word": word}

    def describe(self, strips):
        """Texts that differ from frame to frame, with one line a strip in the log: process, stage, a trait of it."""
        texts = []
        for strip in strips:
            time.sleep(self.pause_s)
            trait = f"{float(strip.frames_THWC.mean()):.6f} of {len(strip.frames_THWC)} and {len(strip.notes)} notes"
            with open(self.log, "a", encoding="utf-8") as file:
                file.write(f"{os.getpid()} {self.stage} {trait}\n")
            broken = self.fails and not Path(self.fails).exists()
            texts.append(Failure("the camera was covered") if broken else f"{self.word} {trait}")
        return texts


def asked(log):
    """The lines of the log."""
    return Path(log).read_text(encoding="utf-8").splitlines() if Path(log).exists() else []


def small_set(folder, count=6, split="validation"):
    """Clips of the demo under names of their own: a jsonl folder whose rows are dealt to three splits."""
    with (CLIPS / split / "metadata.csv").open(encoding="utf-8") as file:
        lines = file.read().splitlines()
    rows = {"train": [], "validation": [], "test": []}
    for number, line in enumerate(lines[1 : count + 1]):
        name, label, subject = line.split(",")[:3]
        shutil.copy(CLIPS / split / name, folder / f"{number}.mp4")
        row = {"id": f"clip{number}", "media": f"{number}.mp4", "label": label, "subject": f"{number % 3}{subject}"}
        rows[["train", "validation", "test"][number % 3]].append(row)
    for name, found in rows.items():
        (folder / f"{name}.jsonl").write_text("\n".join(json.dumps(row) for row in found), encoding="utf-8")
    return folder


def recipe_of(folder, **enrich):
    """keep 3 of 32 frames, 2 in each gap, described by `Counting` unless the test says otherwise."""
    asked = {"describer": LOAD, "frames_per_gap": 2, "log": str(folder / "log.txt")} | enrich
    if asked["describer"] != LOAD:
        asked.pop("log")
    return Recipe.model_validate(
        {
            "data": {"source": "jsonl", "root": str(folder)},
            "frames": {"keep": 3, "max_pixels": 4096},
            "model": {"name": "demo"},
            "enrich": {key: value for key, value in asked.items() if value is not None},
        }
    )


def seen_of(frames_per_gap=2, value=0, timed=True):
    """Three chosen frames and two gaps, made up: frame t is grey of brightness 10 t + value."""
    from emovlm.enrich.cache import frame_digests
    from emovlm.enrich.sight import Frames, Seen

    def frames(places):
        pixels = np.stack([np.full((4, 4, 3), 10 * place + value, np.uint8) for place in places])
        return Frames(np.array(places) / 10, tuple(frame_digests(pixels)), pixels)

    between = {0: frames(range(1, 1 + frames_per_gap)), 1: frames(range(11, 11 + frames_per_gap))}
    return Seen(timed, frames([0, 10, 20]), between, frames([0]))
