"""What it costs to read a table of a million clips: processor time and peak memory of a process that does it.

    python tools/bench_rows.py                # a million rows: minutes on two busy cores
    python tools/bench_rows.py --rows 20000

Rows of a jsonl with seven classes, a subject, a film and a span each, in a thousand folders; one file stands for the
clips of a folder. `load` makes the splits as a training does (`emovlm.data.splits.load`), `sample` plans what will be
drawn (`emovlm sample`). The bars of the project: a million rows in under 20 s and 2 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CLASSES = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
WHAT = ("load", "sample")


def write_rows(folder: Path, num_rows: int) -> Path:
    """A table of clips, each class rarer than the one before it."""
    draw, table = random.Random(0), folder / "rows.jsonl"
    for number in range(1000):
        (folder / f"{number:03d}").mkdir()
        (folder / f"{number:03d}" / "clip.mp4").touch()
    with table.open("w", encoding="utf-8") as file:
        for number in range(num_rows):
            row = {"id": f"{number:07d}", "media": f"{number % 1000:03d}/clip.mp4"}
            row |= {"label": CLASSES[min(int(draw.expovariate(0.6)), 6)], "subject": f"s{number // 100:05d}"}
            row |= {"source": f"film{number // 50}", "start_s": 0.0, "end_s": 2.5}
            file.write(json.dumps(row) + "\n")
    return table


def measure(what: str, table: Path) -> dict[str, float]:
    """Seconds of processor time and peak memory of this process, its imports apart."""
    from emovlm.recipe import Recipe

    recipe = Recipe.model_validate(
        {
            "data": {"source": "jsonl", "root": str(table)},
            "model": {"name": "x"},
            "sampler": {"strategy": "square_root"},
        }
    )
    if what == "load":
        from emovlm.data import splits

        start = time.process_time()
        count = sum(len(part) for part in splits.load(recipe.data).values())
    else:
        from emovlm import sample

        start = time.process_time()
        count = len(sample.planned(recipe).rows)
    spent_s = time.process_time() - start
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    return {"rows": count, "processor_s": round(spent_s, 2), "peak_gb": round(peak_gb, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description="What it costs to read a table of a million clips.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--measure", choices=WHAT, help="this process alone, on the table TABLE")
    parser.add_argument("--table", type=Path)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(asked.measure, asked.table)))
        return
    with tempfile.TemporaryDirectory() as folder:
        table = write_rows(Path(folder), asked.rows)
        environment = {**os.environ, "HF_DATASETS_CACHE": str(Path(folder) / "cache")}
        for what in WHAT:
            command = [sys.executable, __file__, "--measure", what, "--table", str(table)]
            found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment).stdout)
            print(
                f"{what}: {found['rows']} rows in {found['processor_s']} s, at most {found['peak_gb']} GB", flush=True
            )


if __name__ == "__main__":
    main()
