"""The benchmark of large tables, on a small one: a row that became twice as dear would be seen."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_prints_what_rows_cost():
    command = [sys.executable, str(ROOT / "tools" / "bench_rows.py"), "--rows", "20000"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    lines = re.findall(r"(\w+): (\d+) rows in ([\d.]+) s, at most ([\d.]+) GB", found.stdout)
    assert [(what, int(rows)) for what, rows, _, _ in lines] == [("load", 20000), ("sample", 14000)]
    # The bar is 20 s and 2 GB for a million; a small table has the costs that do not grow as well.
    assert all(float(seconds) < 20000 * 40e-6 + 0.2 and float(peak) < 0.6 for _, _, seconds, peak in lines), lines
