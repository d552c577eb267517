"""What TensorBoard and W&B are sent, read back from their files: loss and recall a class, the ledger an epoch.

Eight clips of three classes, drawn class-balanced in steps of four: five steps are two epochs and a half.
"""

import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from emovlm import run as runs
from emovlm.longtail.plan import plan
from emovlm.recipe import resolved
from emovlm.train import callbacks

ROOT = Path(__file__).parents[2]
CLIPS = ROOT / "emovlm" / "demo" / "clips" / "train"
CLASSES = ["happy", "sad", "fear"]
LABELS = [0, 0, 0, 0, 0, 1, 1, 2]
EPOCH_ENDS = [2, 4, 5]


@pytest.fixture(scope="module")
def recipe_of(small, tmp_path_factory):
    """`recipe_of(report_to=...)`: the recipe on the eight clips, with keys of `trainer` replaced."""
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    rows = [
        {"id": f"r{k}", "media": str(CLIPS / f"{k + 1:04d}.mp4"), "label": CLASSES[label], "split": "train"}
        for k, label in enumerate(LABELS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def recipe_of(**trainer):
        data = {"source": "jsonl", "root": str(path), "classes": CLASSES}
        return small(data=data, frames={"keep": 1}, trainer={"max_steps": 5, **trainer})

    return recipe_of


@pytest.fixture(scope="module")
def whole(recipe_of, tmp_path_factory):
    """-> (recipe, run folder, TensorBoard's scalars) of a run with a checkpoint at each step."""
    home = tmp_path_factory.mktemp("whole")
    recipe = recipe_of(report_to="tensorboard", save_strategy="steps", save_steps=1)
    return recipe, runs.RunFolder(home / "run"), on_tensorboard(recipe, home / "run", home / "events")


def trained(recipe, folder, **options):
    from emovlm.train.sft import train

    run = runs.RunFolder(folder)
    train(recipe, run, **options)
    return run


def on_tensorboard(recipe, folder, events, **options):
    """Train; -> {tag: {step: value}}."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TENSORBOARD_LOGGING_DIR", str(events))
        trained(recipe, folder, **options)
    return scalars(events)


def scalars(events):
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    read = reading.EventAccumulator(str(events), size_guidance={reading.SCALARS: 0}).Reload()
    found = {tag: read.Scalars(tag) for tag in read.Tags()["scalars"]}
    return {tag.removeprefix("train/"): {event.step: event.value for event in one} for tag, one in found.items()}


def only_ledger(found):
    return {tag: values for tag, values in found.items() if tag.startswith("ledger/")}


def test_loss_and_recall_of_each_class_are_those_of_the_step(whole):
    recipe, run, found = whole
    sampler = plan(recipe, np.array(LABELS), CLASSES).sampler
    lines = [json.loads(line) for line in run.log.read_text().splitlines()]
    stream = np.array(LABELS)[sampler.first(20)].reshape(5, 4)
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5]
    for line, labels_B in zip(lines, stream, strict=True):
        step = line["step"]
        drawn = {name: int((labels_B == c).sum()) for c, name in enumerate(CLASSES)}
        assert {name for name in CLASSES if step in found[f"loss/{name}"]} == {n for n in CLASSES if drawn[n]}
        parts = [found[f"loss/{name}"][step] * count for name, count in drawn.items() if count]
        assert sum(parts) / 4 == pytest.approx(line["loss"], rel=1e-4)
        for name in CLASSES:
            hits = found[f"recall/{name}"].get(step, 0) * drawn[name]
            assert hits == pytest.approx(round(hits), abs=1e-5), "a whole number of the clips drawn"


def test_the_ledger_of_each_epoch_is_that_of_ledger_json_and_of_a_replay(whole):
    recipe, run, found = whole
    epochs = json.loads(run.ledger.read_text())["epochs"]
    sampler = plan(recipe, np.array(LABELS), CLASSES).sampler
    assert [sum(epoch["drawn"]) for epoch in epochs] == [8, 8, 4]
    for step, epoch in zip(EPOCH_ENDS, epochs, strict=True):
        rows = sampler.stream(epoch["epoch"])[: sum(epoch["drawn"])]
        times_N = np.bincount(rows, minlength=8)
        assert found["ledger/most_repeated"][step] == times_N.max() == epoch["most_repeated"]["times"]
        for c, name in enumerate(CLASSES):
            times = times_N[np.array(LABELS) == c]
            assert found[f"ledger/asked/{name}"][step] == pytest.approx(1 / 3, abs=1e-6)
            assert found[f"ledger/drawn/{name}"][step] == pytest.approx(times.sum() / len(rows))
            assert times.sum() == epoch["drawn"][c]
            assert found[f"ledger/distinct/{name}"][step] == (times > 0).sum()
            assert found[f"ledger/repeats/{name}"][step] == times.sum() - (times > 0).sum()
    assert [found["ledger/distinct/fear"][step] for step in EPOCH_ENDS] == [1, 1, 1], "the one clip there is"
    assert all(list(values) == EPOCH_ENDS for values in only_ledger(found).values())


@pytest.mark.parametrize("step", [2, 3])
def test_after_a_resume_the_ledger_counts_the_whole_epoch(whole, tmp_path, step):
    """From the middle of the second epoch, and from the end of the first."""
    recipe, run, found = whole
    stopped = runs.RunFolder(tmp_path / "run")
    shutil.copytree(run.folder, stopped.folder)
    for path in (stopped.adapter, *(stopped.folder / f"checkpoint-{later}" for later in range(step + 1, 6))):
        shutil.rmtree(path)
    again = on_tensorboard(recipe, stopped.folder, tmp_path / "events", resume=True)
    expected = {tag: {s: v for s, v in values.items() if s > step} for tag, values in only_ledger(found).items()}
    assert only_ledger(again) == expected
    assert again["loss/fear"] == {s: v for s, v in found["loss/fear"].items() if s > step}


def test_logging_the_ledger_changes_nothing_else(recipe_of, tmp_path, capsys, monkeypatch):
    """Reports fall on the ends of epochs here, where one request to log could swallow the other."""
    recipe = recipe_of(logging_strategy="epoch")
    run = trained(recipe, tmp_path / "with")
    said = capsys.readouterr().out
    monkeypatch.setattr(callbacks.Dashboards, "on_epoch_end", lambda *args, **kwargs: None)
    without = trained(recipe, tmp_path / "without")
    assert run.log.read_text() == without.log.read_text()
    assert [json.loads(line)["step"] for line in run.log.read_text().splitlines()] == EPOCH_ENDS
    assert said == capsys.readouterr().out
    assert "ledger" not in run.log.read_text() + said
    weights = "adapter_model.safetensors"
    assert (run.adapter / weights).read_bytes() == (without.adapter / weights).read_bytes()


def test_beside_a_bar_only_reports_of_the_loss_are_written():
    written = []

    class Bar:
        write = staticmethod(written.append)

    class Here:
        is_world_process_zero = True

    progress = callbacks.ShortProgress()
    progress.training_bar = Bar
    progress.on_log(None, Here, None, logs={"ledger/most_repeated": 3})
    progress.on_log(None, Here, None, logs={"loss": 0.51234, "loss/fear": 1.0})
    assert written == ["{'loss': '0.5123'}"]


def test_wandb_has_it_all_and_each_training_its_own_run(recipe_of, whole, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    for name, value in {"MODE": "offline", "DIR": str(tmp_path), "SILENT": "true"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    recipe = recipe_of(report_to="wandb")
    for name in ("first", "second"):
        trained(recipe, tmp_path / name)
        assert wandb.run is None
    files = sorted(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))
    assert len(files) == 2
    for path in files:
        config, history = wandb_file(path)
        assert config["recipe"] == resolved(recipe)
        assert config["learning_rate"] == 1e-3
        for tag, values in whole[2].items():
            kind = tag.partition("/")[0]
            if kind in ("loss", "recall", "ledger"):
                found = {line["train/global_step"]: line[f"train/{tag}"] for line in history if f"train/{tag}" in line}
                assert found == pytest.approx(values, rel=1e-5), tag


def wandb_file(path):
    """-> (config, lines of the history) of an offline run.

    The file is a LevelDB log behind a header of 7 bytes: blocks of 32 KiB with pieces (crc, length, kind), where kind
    1 is a whole record and 4 the last piece of one.
    """
    from wandb.proto.wandb_internal_pb2 import Record

    content, at, piece, config, history = path.read_bytes(), 7, b"", {}, []
    while at < len(content):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        length, kind = struct.unpack_from("<HB", content, at + 4)
        piece += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            record, piece = Record.FromString(piece), b""
            config |= {one.key: json.loads(one.value_json) for one in record.config.update if one.key}
            line = {one.key or "/".join(one.nested_key): json.loads(one.value_json) for one in record.history.item}
            history += [line] if line else []
    return config, history


@pytest.mark.slow
def test_two_processes_are_counted_together(whole, tmp_path):
    """One batch of two a process is one of four on one process: the same epochs."""
    recipe, _, found = whole
    values = resolved(recipe)
    values["trainer"] |= {"per_device_train_batch_size": 2, "save_strategy": "no"}
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(values))
    names = {"recipe": "r.yaml", "folder": "run", "record": "record"}
    asked = json.dumps({key: str(tmp_path / name) for key, name in names.items()})
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1"}
    environment["TENSORBOARD_LOGGING_DIR"] = str(tmp_path / "events")
    command = [*launch, str(Path(__file__).with_name("resume_run.py")), asked]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    two = scalars(tmp_path / "events")
    assert only_ledger(two) == only_ledger(found)
    assert two["loss/fear"] == pytest.approx(found["loss/fear"], rel=1e-4)
