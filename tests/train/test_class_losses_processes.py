"""Losses over class scores, and class weights, give on two processes what they give on one with larger batches.

Plain SGD without clipping: the adapter is then a sum of gradients, so that a factor or a share that is wrong shows. (To
Adam a gradient twice as large is the same gradient.)
"""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

from emovlm import lookup
from emovlm import recipe as recipes
from emovlm import run as runs
from emovlm.longtail.plan import plan

ROOT = Path(__file__).parents[2]
CLIPS = ROOT / "emovlm" / "demo" / "clips" / "train"
COUNTS = {"happy": 13, "disgust": 7, "fear": 4}
LABELS = np.repeat(range(len(COUNTS)), list(COUNTS.values()))
BATCH, STEPS = 8, 3
# On one process and on two: both accumulate twice, over batches that differ.
DEVICE_BATCHES = 4, 2
EVERY = ["none", *lookup.CLASS_LOSS.names()]
# One launch for all of them: most of its time goes into starting.
TRAIN_ALL = """
import sys
from pathlib import Path
from emovlm import recipe as recipes
from emovlm import run as runs
from emovlm.launch import leave_processes
from emovlm.train.sft import train

for path in sorted(Path(sys.argv[1]).glob("*.yaml")):
    train(recipes.load(path), runs.RunFolder(path.with_suffix("")))
leave_processes()
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(small, tmp_path_factory):
    """-> (folder of the runs on one process, folder of those on two)."""
    from emovlm.train.sft import train

    home = tmp_path_factory.mktemp("losses")
    one, two = home / "one", home / "two"
    two.mkdir()
    path = rows(home)
    for name in EVERY:
        left, right = (recipe(small, name, path, device_batch) for device_batch in DEVICE_BATCHES)
        train(left, runs.RunFolder(one / name))
        (two / f"{name}.yaml").write_text(yaml.safe_dump(recipes.resolved(right)))
    (home / "train_all.py").write_text(TRAIN_ALL)
    launch = ["accelerate.commands.launch", "--config_file", str(ROOT / "accelerate_configs" / "cpu.yaml")]
    subprocess.run(
        [sys.executable, "-m", *launch, str(home / "train_all.py"), str(two)],
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=900,
    )
    return one, two


def rows(folder):
    """A jsonl with a long tail."""
    with (CLIPS / "metadata.csv").open() as file:
        clips = list(csv.DictReader(file))
    lines = [
        {"id": clip["file_name"], "media": str(CLIPS / clip["file_name"]), "label": name, "split": "train"}
        for name, count in COUNTS.items()
        for clip in [clip for clip in clips if clip["label"] == name][:count]
    ]
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def recipe(small, name, path, device_batch):
    trainer = {"per_device_train_batch_size": device_batch, "max_steps": STEPS}
    return small(
        data={"source": "jsonl", "root": str(path), "classes": list(COUNTS)},
        frames={"keep": 1},
        sampler={"strategy": "natural"},
        loss={
            "over_classes": None if name == "none" else name,
            "class_weights": {"disgust": 2.0, "fear": 5.0},
        },
        global_batch=BATCH,
        trainer={**trainer, "optim": "sgd", "learning_rate": 0.3, "max_grad_norm": 0},
    )


@pytest.mark.parametrize("name", EVERY)
def test_two_processes_are_one(found, name):
    one, two = (runs.RunFolder(folder / name) for folder in found)
    assert [json.loads(run.env.read_text())["world_size"] for run in (one, two)] == [1, 2]
    assert len(losses(one)) == STEPS
    assert losses(two) == pytest.approx(losses(one), rel=1e-5)
    left, right = (load_file(run.adapter / "adapter_model.safetensors") for run in (one, two))
    assert left.keys() == right.keys()
    for key, value in left.items():
        away = np.linalg.norm(right[key] - value) / np.linalg.norm(value)
        assert away < 1e-5, f"{key}: {away:.1e}"


def test_the_processes_carry_unequal_weights(small):
    """Otherwise dividing each process's loss by its own weights, say, would go unnoticed above."""
    stream = plan(recipe(small, "none", "rows.jsonl", DEVICE_BATCHES[1]), LABELS, list(COUNTS))
    weights_L = stream.weights_C[LABELS[stream.sampler.first(BATCH * STEPS)]]
    # accelerate deals out device batches in turn.
    weights_SP = weights_L.reshape(STEPS, -1, 2, DEVICE_BATCHES[1]).sum(axis=(1, 3))
    assert (np.abs(np.diff(weights_SP)) > 0.5).any()


def losses(run):
    lines = [json.loads(line) for line in run.log.read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]
