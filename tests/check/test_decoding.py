"""Decoding goes on where it was killed, and a clip that kills a process is named."""

import importlib
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from emovlm.check import decoding
from emovlm.data import checked
from tests.check.faulty_folder import film, scene
from tests.frames.made_up_videos import write_video

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EMOVLM_CACHE", str(tmp_path / "cache"))


def rows_of(folder, count):
    return [{"id": str(k), "media": [str(write_video(folder / f"{k}.mp4", film(scene(k), 3)))]} for k in range(count)]


def test_two_spans_of_a_file_are_two_clips_and_one_span_is_one(tmp_path):
    (row,) = rows_of(tmp_path, 1)
    rows = [{**row, "id": "a", "end_s": 0.1}, {**row, "id": "b", "start_s": 0.05}, {**row, "id": "c", "end_s": 0.1}]
    found, known = decoding.decode_all(rows, 1)
    assert known == 0
    assert [found[checked.clip_key(row)]["frames"] for row in rows] == [2, 2, 2]
    assert len(found) == 2


CRASHING = """
import os, signal

def record_of(row):
    if row["id"] == "2":
        os.kill(os.getpid(), signal.SIGKILL)
    return {"fault": None, "kind": None}
"""


@pytest.mark.slow
def test_a_clip_that_kills_its_process_is_named_and_the_others_are_decoded(tmp_path, monkeypatch):
    (tmp_path / "crashing_decoder.py").write_text(CRASHING)
    monkeypatch.syspath_prepend(tmp_path)  # the processes import it too
    monkeypatch.setattr(decoding, "record_of", importlib.import_module("crashing_decoder").record_of)
    rows = rows_of(tmp_path, 12)
    found, _ = decoding.decode_all(rows, 2)
    kinds = {row["id"]: found[checked.clip_key(row)]["kind"] for row in rows}
    assert kinds == {str(k): "crash" if k == 2 else None for k in range(12)}
    assert "2.mp4: the decoder crashes on it" in checked.faults(rows)[0][1]


@pytest.mark.slow
def test_a_killed_check_goes_on_and_leaves_no_process(tmp_path):
    command = [sys.executable, "-m", "emovlm", "data", "check", str(ROOT / "recipes/demo/tiny_video.yaml")]
    command += ["--workers", "2", "--out", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not num_kept(tmp_path):
            time.sleep(0.1)
        children = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
        first.kill()
    kept = num_kept(tmp_path)
    assert 0 < kept < 1040
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert f"1040 clips decoded from end to end, {kept} of them known from before" in done.stdout
    assert children
    assert not [child for child in children if alive(child)]


def num_kept(folder):
    path = folder / "cache" / "checked.sqlite"
    if not path.exists():
        return 0
    table = sqlite3.connect(path)
    try:
        return table.execute("SELECT COUNT(*) FROM clips").fetchone()[0]
    except sqlite3.OperationalError:  # not yet made
        return 0
    finally:
        table.close()


def alive(process):
    """Running, that is no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
