"""How long a large predictions file takes from disk to numbers: 100,000 rows x 11 classes, 1,000 bootstrap draws.

python tools/bench_scoring.py [--subjects 2000]
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from emovlm.evaluate import predictions as border
from emovlm.evaluate.predictions import Predictions
from emovlm.evaluate.summary import summarise

NUM_CLASSES = 11


def made_up(num_rows: int, num_subjects: int) -> Predictions:
    rng = np.random.default_rng(0)
    classes = [f"class {c}" for c in range(NUM_CLASSES)]
    targets_N = rng.integers(NUM_CLASSES, size=num_rows)
    scores_NC = rng.normal(size=(num_rows, NUM_CLASSES)) + 2 * np.eye(NUM_CLASSES)[targets_N]
    rows = [
        {
            "id": str(n),
            "target": classes[targets_N[n]],
            "subject": f"p{n % num_subjects}",
            "scores": scores_NC[n].tolist(),
            "parsed": None,
        }
        for n in range(num_rows)
    ]
    header = {"classes": classes, "scorer": "likelihood", "split": "test", "prior": None, "protocol": {"score": "sum"}}
    return Predictions(header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--subjects", type=int, default=2_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictions.jsonl"
        border.write(path, made_up(asked.rows, asked.subjects))
        start = time.perf_counter()
        found = border.read(path)
        read = time.perf_counter()
        summary = summarise(found, np.arange(NUM_CLASSES)[::-1])
        done = time.perf_counter()
    print(f"{asked.rows} rows, {asked.subjects} subjects: read {read - start:.2f} s, scored {done - read:.2f} s")
    print(f"UAR {summary['uar']['value']:.4f} [{summary['uar']['low']:.4f}, {summary['uar']['high']:.4f}]")


if __name__ == "__main__":
    main()
