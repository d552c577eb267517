"""ZeRO, FSDP2, several machines: real processes over gloo, whose engine is asserted, give what one process gives.

24 clips of three classes, five to validate: two processes then score an unequal number of batches.
"""

import contextlib
import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import load_file

from emovlm import recipe as recipes
from emovlm import run as runs

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "accelerate_configs"
CLIPS = ROOT / "emovlm" / "demo" / "clips" / "train"
COUNTS = {"happy": 14, "sad": 9, "fear": 6}
STEPS, BATCH = 4, 4
PIPED = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recipe(small, tmp_path_factory):
    """The path of a recipe with checkpoints and a validation every two steps."""
    home = tmp_path_factory.mktemp("scale")
    with (CLIPS / "metadata.csv").open() as file:
        clips = list(csv.DictReader(file))
    chosen = [c for name, count in COUNTS.items() for c in [c for c in clips if c["label"] == name][:count]]
    rows = [
        {"id": c["file_name"], "media": str(CLIPS / c["file_name"]), "label": c["label"], "split": "train"}
        for c in chosen
    ]
    for row in rows[::6]:
        row["split"] = "validation"
    (home / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = small(
        data={"source": "jsonl", "root": str(home / "rows.jsonl"), "classes": list(COUNTS)},
        frames={"keep": 1, "max_pixels": 3136},
        global_batch=BATCH,
        trainer={"max_steps": STEPS, "per_device_train_batch_size": 1, "save_strategy": "steps", "save_steps": 2},
        evaluate={"split": "validation", "batch_size": 2, "during_training": 2},
        # Saves, and so gathers, in the middle of a training.
        select={"metric": "nll"},
        model={"dtype": "float32"},
    )
    (home / "r.yaml").write_text(yaml.safe_dump(recipes.resolved(found)))
    return home / "r.yaml"


@pytest.fixture(scope="module")
def reference(recipe, tmp_path_factory):
    """The run on one process."""
    from emovlm.evaluate.evaluator import evaluate, validator
    from emovlm.train.sft import train

    run, found = runs.RunFolder(tmp_path_factory.mktemp("one") / "run"), recipes.load(recipe)
    train(found, run, validate=validator(found))
    evaluate(found, run)
    return run


def start(config, asked, *options, program=("accelerate.commands.launch",), **changes):
    """A launcher that runs scale_run.py."""
    command = [sys.executable, "-m", *program, *(["--config_file", str(CONFIGS / config)] if config else [])]
    return subprocess.Popen(
        [*command, *options, str(Path(__file__).with_name("scale_run.py")), json.dumps(asked)],
        **PIPED,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", **changes},
    )


def ended(*launchers):
    """What each said on stderr. None outlives the test."""
    try:
        return [launcher.communicate(timeout=300)[1] for launcher in launchers]
    finally:
        for launcher in launchers:
            launcher.terminate()  # which ends its processes
            launcher.wait()


def free_port(ports=(0,)):
    for port in ports:
        with socket.socket() as found, contextlib.suppress(OSError):
            found.bind(("127.0.0.1", port))
            return found.getsockname()[1]
    raise AssertionError("no port is free")


def logged(run):
    """-> ({step: loss}, {step: UAR of the validation})"""
    lines = [json.loads(line) for line in run.log.read_text().splitlines()]
    scores = {line["step"]: line["validation_uar"] for line in lines if "validation_uar" in line}
    return {line["step"]: line["loss"] for line in lines if "loss" in line}, scores


def tensors(run):
    return load_file(run.adapter / "adapter_model.safetensors")


def scores(run):
    from emovlm.evaluate.predictions import read

    return np.array([row["scores"] for row in read(run.predictions("validation-likelihood")).rows])


def assert_same(run, reference):
    """Losses, validation, ledger, adapter and scores of a run are those of the reference."""
    losses, uars = logged(run)
    assert losses == pytest.approx(logged(reference)[0], abs=1e-4)
    assert list(losses) == list(range(1, STEPS + 1))
    assert uars == pytest.approx(logged(reference)[1])
    assert run.ledger.read_text() == reference.ledger.read_text()
    chosen, expected = (json.loads(one.report.read_text())["train"]["selected"] for one in (run, reference))
    assert chosen == pytest.approx(expected, abs=1e-4)
    assert tensors(run).keys() == tensors(reference).keys()
    for name, value in tensors(reference).items():
        np.testing.assert_allclose(tensors(run)[name], value, rtol=0, atol=1e-4, err_msg=name)
    np.testing.assert_allclose(scores(run), scores(reference), rtol=0, atol=1e-3)


ENGINES = {
    # config: (class of the wrapped model, ZeRO's stage, what a process holds of the frozen weights)
    "zero2": ("DeepSpeedEngine", 2, 1.0),
    "zero3": ("DeepSpeedEngine", 3, 0.5),
    "fsdp2": ("FSDPModule", None, 0.5),
}


@pytest.mark.parametrize("config", ENGINES)
def test_an_engine_is_the_one_asked_for_and_changes_nothing(recipe, reference, tmp_path, config):
    """One launch: train, validate, save, score; then go on from the checkpoint in the middle."""
    run, again = runs.RunFolder(tmp_path / "run"), runs.RunFolder(tmp_path / "again")
    commands = [
        ["train", str(recipe), f"output={run.folder}"],
        ["train", str(recipe), "--resume", f"output={again.folder}"],
    ]
    asked = {"record": str(tmp_path / "record"), "commands": commands, "cut_back": [str(run.folder), str(again.folder)]}
    # Without a GPU accelerate leaves each process of FSDP alone, which emovlm refuses: see test_processes.py.
    forced = {"ACCELERATE_TORCH_DEVICE": "cpu"} if config == "fsdp2" else {}
    launcher = start(f"{config}.yaml", {**asked, "forced": bool(forced)}, "--main_process_port", "0", **forced)
    [said] = ended(launcher)
    assert launcher.returncode == 0, said[-3000:]
    kind, stage, share = ENGINES[config]
    for rank in (0, 1):
        facts = json.loads((tmp_path / "record" / f"facts-{rank}.json").read_text())
        assert kind in facts["kinds"]
        assert (facts["stage"], facts["world"]) == (stage, 2)
        assert facts["held"] / facts["whole"] == pytest.approx(share, abs=0.01)
        assert facts["passes"] == [2], "the prompt, then all names: whatever their number"
    assert json.loads(run.report.read_text())["train"]["engine"] == ("fsdp" if config == "fsdp2" else config)
    assert_same(run, reference)
    assert "going on from checkpoint-2" in said
    assert_same(again, reference)
    # An adapter that was saved in shards would be empty, or half there: one process reads it and scores the same.
    from emovlm.evaluate.evaluator import evaluate

    before = scores(run)
    evaluate(recipes.load(recipe), run)
    np.testing.assert_allclose(scores(run), before, rtol=0, atol=1e-4)


def test_the_demo_under_zero3_by_its_launch(tmp_path):
    """The documented command, on the CPU: the plain line is printed, and the engine is DeepSpeed's."""
    overrides = ["trainer.max_steps=2", "trainer.per_device_train_batch_size=8", "evaluate.during_training=null"]
    overrides += ["data.test_subset={per_class: 1}", f"output={tmp_path / 'run'}"]
    launch = f"{CONFIGS / 'zero3.yaml'} --main_process_port 0"
    command = [sys.executable, "-m", "emovlm", "train", str(ROOT / "recipes" / "demo" / "tiny_video.yaml"), *overrides]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--launch", launch], capture_output=True, text=True, env=environment, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.startswith(f"accelerate launch --config_file {launch} -m emovlm train ")
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["train"]["engine"] == "zero3"
    assert report["train"]["trainable_parameters"] == 108_544
    assert list(report["evaluations"]) == ["test-likelihood"]


def test_two_machines_a_death_and_the_resume(recipe, reference, tmp_path):
    """Two launchers of one process each; then the job script, as when Slurm queues it again."""
    run, record = runs.RunFolder(tmp_path / "run"), tmp_path / "record"
    asked = {
        "record": str(record),
        "commands": [["train", str(recipe), f"output={run.folder}"]],
        "fault": {"rank": 1, "step": 3, "how": "raise"},
    }
    address = ["--main_process_ip", "127.0.0.1", "--main_process_port", str(free_port()), "--num_processes", "2"]
    launchers = [start("multi_node_zero3.yaml", asked, *address, "--machine_rank", str(rank)) for rank in (0, 1)]
    said = ended(*launchers)
    assert time.time() - float((record / "fault").read_text()) < 60, "the others waited for a process that is gone"
    assert all(launcher.returncode for launcher in launchers)
    facts = json.loads((record / "facts-1.json").read_text())
    assert (facts["world"], facts["stage"]) == (2, 3)
    error = f"process 1 on {socket.gethostname()}: RuntimeError: a fault as planned\n"
    assert said[1].index(error) < said[1].index("Traceback"), "the error stands at the top"
    assert said[1].count("Traceback (most recent call last):") == 2, "its own, and the launcher's"
    assert "traceback : process 1" in said[1], "torchrun ends with it"
    assert "another process has ended" in said[0]
    assert "a fault as planned" not in said[0]
    assert list(logged(run)[0]) == [1, 2, 3]

    job(tmp_path, "multi_node_zero3.yaml", str(recipe), f"output={run.folder}")
    assert json.loads(run.env.read_text())["world_size"] == 2
    assert_same(run, reference)


def job(home, config, *arguments):
    """tools/slurm/train.sbatch on two machines that are this one, each with one process."""
    standins = {
        "scontrol": "echo 127.0.0.1; echo elsewhere",
        "srun": 'while [[ $1 == --* ]]; do shift; done\nSLURM_NODEID=0 "$@" & SLURM_NODEID=1 "$@" && wait $!',
        "emovlm": f'exec "{sys.executable}" -m emovlm "$@"',
    }
    for name, body in standins.items():
        (home / name).write_text(f"#!/usr/bin/env bash\n{body}\n")
        (home / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{home}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "SLURM_JOB_ID": str(free_port(range(20_000, 32_000)) - 20_000),
        "SLURM_JOB_NODELIST": "",
        "SLURM_NNODES": "2",
        "SLURM_GPUS_ON_NODE": "1",
    }
    script = ["bash", str(ROOT / "tools" / "slurm" / "train.sbatch"), str(CONFIGS / config)]
    started = subprocess.Popen([*script, *arguments], cwd=home, env=environment, start_new_session=True, **PIPED)
    try:
        said = started.communicate(timeout=300)[1]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGTERM)
    assert started.returncode == 0, said[-3000:]
    logs = [path.read_text() for path in sorted((home / "slurm").rglob("stderr.log"))]
    assert len(logs) == 2, "a log for each process"
    assert "going on from checkpoint-2" in logs[0]


def test_a_machine_is_lost_and_the_other_goes_on(recipe, reference, tmp_path):
    """torchrun --nnodes=1:2: after the restart one process accumulates what two did, over the same rows."""
    run, record = runs.RunFolder(tmp_path / "run"), tmp_path / "record"
    asked = {
        "record": str(record),
        "commands": [["train", str(recipe), "--resume", f"output={run.folder}"]],
        "fault": {"rank": 1, "step": 3, "how": "node"},
    }
    options = ["--nnodes=1:2", "--nproc-per-node=1", "--max-restarts=3", "--rdzv-backend=c10d", "--rdzv-id=elastic"]
    options += [f"--rdzv-endpoint=127.0.0.1:{free_port()}"]
    launchers = []
    for host in (1, 0):
        # Short waits, for the test; the machine that keeps the rendezvous must not be the one that is lost.
        conf = f"--rdzv-conf=is_host={host},last_call_timeout=5,keep_alive_interval=1"
        launchers.append(start(None, asked, *options, conf, program=["torch.distributed.run"], ACCELERATE_USE_CPU="1"))
    said = ended(*launchers)
    assert [launcher.returncode for launcher in launchers] == [0, -signal.SIGKILL], said[0][-3000:]
    assert "going on from checkpoint-2" in said[0]
    batches = [json.loads(line) for path in record.glob("rows-*.jsonl") for line in path.read_text().splitlines()]
    rows = {
        (world, step): sorted(row for w, s, taken in batches if (w, s) == (world, step) for row in taken)
        for world, step, _ in batches
    }
    assert [world for world, _ in sorted(rows)] == [1, 1, 2, 2, 2, 2]
    assert rows[1, 2] == rows[2, 2]
    assert len(rows[1, 3]) == BATCH
    assert_same(run, reference)


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
@pytest.mark.parametrize("config", ["ddp", *ENGINES, "zero3_offload"])
def test_an_engine_on_gpus(recipe, reference, tmp_path, config):
    """In bfloat16, over nccl; FSDP2 as accelerate itself starts it."""
    run = runs.RunFolder(tmp_path / "run")
    command = ["train", str(recipe), "model.dtype=bfloat16", f"output={run.folder}"]
    asked = {"record": str(tmp_path / "record"), "commands": [command]}
    devices = os.environ.get("CUDA_VISIBLE_DEVICES", "0,1")
    launcher = start(f"{config}.yaml", asked, "--main_process_port", "0", CUDA_VISIBLE_DEVICES=devices)
    [said] = ended(launcher)
    assert launcher.returncode == 0, said[-3000:]
    kind, stage, share = {**ENGINES, "ddp": ("DistributedDataParallel", None, 1.0)}.get(config, ENGINES["zero3"])
    facts = json.loads((tmp_path / "record" / "facts-1.json").read_text())
    assert kind in facts["kinds"]
    assert (facts["stage"], facts["world"]) == (stage, 2)
    assert facts["held"] / facts["whole"] == pytest.approx(share, abs=0.01)
    assert logged(run)[0] == pytest.approx(logged(reference)[0], abs=0.05)
