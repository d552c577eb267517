"""What only shows after many clips: memory that grows, and a random choice that depends on who makes it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from emovlm import run as runs

ROOT = Path(__file__).parents[2]
# 10,000 clips may cost a worker 200 MB; these are a tenth of that, after as many as fill allocators and caches.
WARM, MEASURED, LIMIT_MB = 200, 1000, 20
LOOK = f"""
import resource
from emovlm.data.sources import demo
from emovlm.frames.look import look
from emovlm.recipe import Frames

rows = demo.load(set="micro")
frames = Frames.model_validate({{"pick": "segment_random", "keep": 4, "max_pixels": 12544}})

def read(numbers):
    for number in numbers:
        row = rows[number % len(rows)]
        look(row, frames, (0, number, row["id"]))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

warm = read(range({WARM}))
print(read(range({WARM}, {WARM + MEASURED})) - warm)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_clips_that_were_read():
    done = subprocess.run([sys.executable, "-c", LOOK], cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(done.stdout) < LIMIT_MB


@pytest.mark.slow
def test_a_random_choice_is_the_same_for_any_workers_and_after_a_resume(small, tmp_path):
    from emovlm.train.sft import train

    def losses(name, *, resume=False, **trainer):
        trainer |= {"max_steps": 6, "logging_steps": 1, "save_strategy": "steps", "save_steps": 3}
        run = runs.RunFolder(tmp_path / name)
        frames = {"pick": "segment_random", "keep": 3, "max_pixels": 12544}
        train(small(frames=frames, trainer=trainer), run, resume=resume)
        return [json.loads(line)["loss"] for line in run.log.read_text().splitlines()], run

    alone, run = losses("alone", dataloader_num_workers=0)
    workers, _ = losses("workers", dataloader_num_workers=2, dataloader_persistent_workers=True)
    assert workers == alone
    stopped = runs.RunFolder(tmp_path / "stopped")
    shutil.copytree(run.folder, stopped.folder)
    for folder in (stopped.adapter, stopped.folder / "checkpoint-6"):
        shutil.rmtree(folder)
    resumed, _ = losses("stopped", resume=True, dataloader_num_workers=0)
    assert resumed == alone
