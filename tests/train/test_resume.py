"""Real processes over gloo, killed with SIGKILL and resumed: what reaches `forward` is what would have come anyway.

26 clips of three classes under a mix that changes with progress: an epoch is 3 steps of 12, so that ten steps cross
three borders.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import yaml

from emovlm import run as runs

ROOT = Path(__file__).parents[2]
CLIPS = ROOT / "emovlm" / "demo" / "clips" / "train"
COUNTS = {"happy": 14, "sad": 8, "fear": 4}
STEPS = 10
EVERY = {"max_steps": STEPS, "save_strategy": "steps", "save_steps": 2, "logging_steps": 1}

pytestmark = pytest.mark.slow


def write_recipe(folder, **changes):
    """The recipe file, with rows.jsonl beside it."""
    with (CLIPS / "metadata.csv").open() as file:
        clips = list(csv.DictReader(file))
    rows = [
        {"id": clip["file_name"], "media": str(CLIPS / clip["file_name"]), "label": name, "split": "train"}
        for name, count in COUNTS.items()
        for clip in [clip for clip in clips if clip["label"] == name][:count]
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    values = {
        "data": {"source": "jsonl", "root": str(folder / "rows.jsonl"), "classes": list(COUNTS)},
        "frames": {"keep": 1, "max_pixels": 3136},
        "prompt": {"list_classes": False},
        "model": {"name": "demo"},
        "lora": {"rank": 4, "alpha": 8, "dropout": changes.pop("dropout", 0.0)},
        "sampler": {"strategy": "progressive"},
        "global_batch": 12,
        "trainer": {"learning_rate": 1e-3, "per_device_train_batch_size": 1, "disable_tqdm": True, **EVERY, **changes},
    }
    (folder / "r.yaml").write_text(yaml.safe_dump(values))
    return folder / "r.yaml"


def launch(recipe, folder, record, *, world=1, resume=False, kill=None):
    """-> (rows by step that reached forward, over all processes; stderr). A killed run must have been killed."""
    asked = {"recipe": str(recipe), "folder": str(folder), "record": str(record), "resume": resume, "kill": kill}
    start = [sys.executable] if world == 1 else [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    start += [] if world == 1 else ["--nproc_per_node", str(world)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1"}
    command = [*start, str(Path(__file__).with_name("resume_run.py")), json.dumps(asked)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert (done.returncode != 0) == (kill is not None), done.stderr[-3000:]
    batches = defaultdict(list)
    for path in sorted(record.glob("*.jsonl")):
        for step, _, rows in map(json.loads, path.read_text().splitlines()):
            batches[step] += rows
    ranks = {path.stem for path in record.glob("*.jsonl")}
    assert ranks == {str(rank) for rank in range(world)} or not batches, "every process takes part"
    return {step: sorted(rows) for step, rows in batches.items()}, done.stderr


def logged(folder):
    lines = [json.loads(line) for line in runs.RunFolder(folder).log.read_text().splitlines()]
    return [line["step"] for line in lines], [line["loss"] for line in lines]


def tensors(folder):
    from safetensors.torch import load_file

    return {name: value.numpy() for name, value in load_file(folder / "adapter" / "adapter_model.safetensors").items()}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """-> (recipe, folder, batches) of the run that nothing stopped, on one process."""
    home = tmp_path_factory.mktemp("reference")
    recipe = write_recipe(home)
    batches, _ = launch(recipe, home / "run", home / "record")
    assert list(batches) == list(range(STEPS))
    assert all(len(rows) == 12 for rows in batches.values())
    assert len({tuple(rows) for rows in batches.values()}) == STEPS, "the test needs steps that differ"
    return recipe, home / "run", batches


@pytest.fixture(scope="module")
def killed(reference, tmp_path_factory):
    """world -> the folder of a run whose last process died in the second forward pass of step 6."""
    recipe, _, batches = reference
    found = {}

    def killed(world):
        if world not in found:
            home = tmp_path_factory.mktemp(f"killed{world}")
            kill = {"where": "forward", "step": 5, "call": 1, "rank": world - 1}
            seen, _ = launch(recipe, home / "run", home / "record", world=world, kill=kill)
            assert {step: seen[step] for step in range(5)} == {step: batches[step] for step in range(5)}
            assert not runs.RunFolder(home / "run").trained()
            found[world] = home / "run"
        return found[world]

    return killed


@pytest.mark.parametrize(("before", "after"), [(1, 1), (2, 2), (3, 3), (1, 2), (2, 1), (1, 4)])
def test_resumed_on_any_number_of_processes(reference, killed, tmp_path, before, after):
    recipe, whole, batches = reference
    folder = tmp_path / "run"
    shutil.copytree(killed(before), folder)
    start = 4
    if (before, after) == (2, 2):
        # Both processes must see that the newest checkpoint is damaged, and take the one before.
        with (folder / "checkpoint-4" / "optimizer.pt").open("r+b") as file:
            file.truncate(100)
        start = 2
    seen, said = launch(recipe, folder, tmp_path / "record", world=after, resume=True)
    assert seen == {step: batches[step] for step in range(start, STEPS)}
    lines = [line for line in said.splitlines() if "going on from" in line]
    assert len(lines) == 1
    assert lines[0].endswith(f"going on from checkpoint-{start}")
    assert ("optimizer.pt has 100 of" in lines[0]) == (start == 2)
    steps, losses = logged(folder)
    assert steps == list(range(1, STEPS + 1))
    np.testing.assert_allclose(losses, logged(whole)[1], rtol=0, atol=1e-5)
    assert runs.RunFolder(folder).ledger.read_text() == runs.RunFolder(whole).ledger.read_text()
    for name, value in tensors(whole).items():
        np.testing.assert_allclose(tensors(folder)[name], value, rtol=0, atol=1e-4, err_msg=name)


def test_killed_at_every_kind_of_moment(tmp_path):
    """With dropout, a log line every three steps (so that checkpoints lie between lines), room for one checkpoint."""
    recipe = write_recipe(tmp_path, dropout=0.1, logging_steps=3, save_total_limit=1)
    whole, folder = tmp_path / "whole", tmp_path / "run"
    batches, _ = launch(recipe, whole, tmp_path / "record")
    half = "is incomplete (the run stopped while it was written)"
    moments = [
        # (where, step, checkpoints that lie there then, what the resume after it says)
        ("forward", 0, [], "there is no checkpoint yet; training starts at step 0"),
        ("optimizer", 2, [2], f"checkpoint-2 {half}; training starts at step 0"),
        ("marker", 4, [2, 4], f"checkpoint-4 {half}; going on from checkpoint-2"),
        ("log", 6, [4], "going on from checkpoint-4"),
        # Step 6 ends the second epoch.
        ("forward", 6, [6], "going on from checkpoint-6"),
        ("adapter", None, [10], "going on from checkpoint-10"),
    ]
    start = 0
    for number, (where, step, left, answer) in enumerate(moments):
        kill = {"where": where, "step": step}
        seen, said = launch(recipe, folder, tmp_path / f"record{number}", resume=number > 0, kill=kill)
        assert seen == {step: batches[step] for step in seen}
        assert all(step >= start for step in seen)
        if number:
            assert moments[number - 1][3] in said
        found = runs.RunFolder(folder)
        assert [path.name for path in found.checkpoints()] == [f"checkpoint-{step}" for step in left]
        assert not found.trained()
        start = int(answer.rpartition("-")[2]) if "from checkpoint-" in answer else 0
    assert list(folder.glob(".adapter.*"))
    seen, said = launch(recipe, folder, tmp_path / "last", resume=True)
    assert seen == {}, "every step was done before the kill"
    assert "going on from checkpoint-10" in said
    assert not list(folder.glob(".adapter.*"))
    assert logged(folder)[0] == [3, 6, 9]
    np.testing.assert_allclose(logged(folder)[1], logged(whole)[1], rtol=0, atol=1e-5)
    assert runs.RunFolder(folder).ledger.read_text() == runs.RunFolder(whole).ledger.read_text()
    for name, value in tensors(whole).items():
        np.testing.assert_array_equal(tensors(folder)[name], value, err_msg=name)
    reports = [json.loads(runs.RunFolder(path).report.read_text())["train"] for path in (folder, whole)]
    assert reports[0]["num_steps"] == reports[1]["num_steps"] == STEPS
    assert reports[0]["different_data"] == []
