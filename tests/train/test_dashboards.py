"""What TensorBoard, W&B and trackio are sent, read back from their files: loss and recall a class, the ledger an epoch.

Eight clips of three classes, drawn class-balanced in steps of four: five steps are two epochs and a half.
"""

import importlib.util
import json
import os
import re
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
from emovlm.train import dashboard_runs, dashboards

ROOT = Path(__file__).parents[2]
CLIPS = ROOT / "emovlm" / "demo" / "clips" / "train"
CLASSES = ["happy", "sad", "fear"]
LABELS = [0, 0, 0, 0, 0, 1, 1, 2]
EPOCH_ENDS = [2, 4, 5]
TIME_LEFT = re.compile(r", \d:\d\d:\d\d left")


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
    monkeypatch.setattr(dashboards.Dashboards, "on_epoch_end", lambda *args, **kwargs: None)
    without = trained(recipe, tmp_path / "without")
    assert run.log.read_text() == without.log.read_text()
    assert [json.loads(line)["step"] for line in run.log.read_text().splitlines()] == EPOCH_ENDS
    told = capsys.readouterr().out
    assert TIME_LEFT.sub("", said) == TIME_LEFT.sub("", told)
    assert "ledger" not in run.log.read_text() + said
    weights = "adapter_model.safetensors"
    assert (run.adapter / weights).read_bytes() == (without.adapter / weights).read_bytes()


INSTALLED = [name for name in ("wandb", "tensorboard", "trackio") if importlib.util.find_spec(name)]
# Rows: happy, sad, fear. Columns: the same, and unreadable. Then a validation in which nothing is called fear.
CONFUSIONS = [
    np.array([[2, 1, 0, 0], [0, 3, 0, 0], [1, 0, 2, 1]]),
    np.array([[3, 0, 0, 0], [3, 0, 0, 0], [4, 0, 0, 0]]),
]


@pytest.fixture(scope="module")
def stopped_and_resumed(recipe_of, tmp_path_factory):
    """-> (recipe, folder with the dashboards' files) of a run that was killed behind step 3 and went on."""
    home = tmp_path_factory.mktemp("dashboards")
    recipe = recipe_of(report_to=INSTALLED, save_strategy="steps", save_steps=1)
    recipe = recipe.model_copy(update={"evaluate": recipe.evaluate.model_copy(update={"during_training": 2})})
    first, last = CONFUSIONS
    seen = iter([first, first, last, first, last])  # at the steps 2, 4, 5, and after the resume 4, 5
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"MODE": "offline", "DIR": str(home), "SILENT": "true"}.items():
            patch.setenv(f"WANDB_{name}", value)
        patch.setenv("TRACKIO_DIR", str(home / "trackio"))  # read while trackio is imported: by this training
        patch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
        for resume in (False, True):
            run = trained(recipe, home / "run", resume=resume, validate=lambda model, processor: ({}, next(seen)))
            if not resume:
                for path in (run.adapter, *(run.folder / f"checkpoint-{step}" for step in (4, 5))):
                    shutil.rmtree(path)
    return recipe, home


def same_values(found, whole):
    """What was logged at each step is what the run that was never stopped logged."""
    for tag, values in whole.items():
        if tag.partition("/")[0] in ("loss", "recall", "ledger"):
            assert found[tag] == pytest.approx(values, rel=1e-4), tag
    assert list(found["loss"]) == [1, 2, 3, 4, 5]
    assert found["validation_prediction_entropy"][2] == pytest.approx(1.0609, abs=1e-4), "of 3, 4 and 2 answers"
    assert found["validation_alarm_classes_lost"] == {2: 0, 4: 0, 5: 2}
    assert found["validation_alarm_collapse"][5] == 1
    for step in (1, 2, 3, 4, 5):
        assert 0 < found["speed/data_wait_share"][step] < 1
        assert found["speed/clips_per_s"][step] > 0
        assert 0.1 < found["speed/peak_memory_gb"][step] < 100


def by_tag(lines):
    """{tag: {step: value}} of lines with values by tag; the later of two lines of a step counts."""
    found = {}
    for line in lines:
        for tag, value in line.items():
            found.setdefault(tag.removeprefix("train/"), {})[line["train/global_step"]] = value
    return found


def test_wandb_has_it_all_and_a_resume_goes_on_in_its_run(stopped_and_resumed, whole):
    wandb = pytest.importorskip("wandb")
    recipe, home = stopped_and_resumed
    assert wandb.run is None, "the next training does not land in this run"
    files = sorted(home.glob("wandb/offline-run-*/run-*.wandb"))
    assert len(files) == 2
    read = [wandb_file(path) for path in files]
    assert len({identity for identity, _, _ in read}) == 1
    for _, config, _ in read:
        assert config["recipe"] == resolved(recipe)
        assert config["learning_rate"] == 1e-3
    lines = [line for _, _, history in read for line in history]
    same_values(by_tag(lines), whole[2])
    table = next(line for line in lines if "validation/confusion_counts/path" in line)
    content = json.loads(next(home.glob(f"wandb/*/files/{table['validation/confusion_counts/path']}")).read_text())
    assert content["columns"] == ["true class", *CLASSES, "unreadable"]
    assert content["data"][2] == ["fear", 1, 0, 2, 1]
    assert list(home.glob(f"wandb/*/files/{table['validation/confusion/path']}"))


def test_trackio_has_it_all_and_a_resume_goes_on_in_its_run(stopped_and_resumed, whole):
    trackio = pytest.importorskip("trackio")
    recipe, home = stopped_and_resumed
    (run,) = [run for run in trackio.Api().runs("emovlm") if run.name.startswith(f"{home.name}/run-")]
    assert run.config["recipe"] == resolved(recipe)
    lines = trackio.sqlite_storage.SQLiteStorage.get_logs("emovlm", run.name, run_id=run.id)
    same_values(by_tag(lines), whole[2])
    shown = by_tag(lines)
    assert shown["validation/confusion_counts"][2]["_value"][2] == {
        "true class": "fear",
        "happy": 1,
        "sad": 0,
        "fear": 2,
        "unreadable": 1,
    }
    assert shown["validation/confusion"][2]["_type"] == "trackio.image"


def test_tensorboard_has_it_all_and_a_resume_goes_on_in_its_run(stopped_and_resumed, whole):
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    recipe, home = stopped_and_resumed
    events = home / "run" / "tensorboard"
    same_values(scalars(events), whole[2])
    read = reading.EventAccumulator(str(events), size_guidance={reading.TENSORS: 0, reading.IMAGES: 0}).Reload()
    assert [event.step for event in read.Images("validation/confusion")] == [2, 4, 5]
    tables = [
        event.tensor_proto.string_val[0].decode() for event in read.Tensors("validation/confusion_counts/text_summary")
    ]
    assert tables[0].splitlines()[-1] == "| fear | 1 | 0 | 2 | 1 |"
    text = read.Tensors("recipe/text_summary")[0].tensor_proto.string_val[0].decode()
    assert yaml.safe_load(text.removeprefix("```yaml\n").removesuffix("```")) == resolved(recipe)


def test_a_run_made_anew_in_the_same_place_is_another_one(tmp_path):
    first = dashboard_runs.identity(tmp_path)
    assert dashboard_runs.identity(tmp_path) == first
    (tmp_path / "dashboard.json").unlink()
    assert dashboard_runs.identity(tmp_path) != first


def test_the_picture_of_a_confusion_matrix_is_dark_where_the_share_is_large():
    pixels_HWC = dashboards.picture(np.array([[9, 1], [0, 10]]), ["happy", "sad"], ["happy", "sad"])
    assert pixels_HWC.dtype == np.uint8
    assert pixels_HWC.shape[2] == 3
    blue = pixels_HWC[..., 2].astype(int) - pixels_HWC[..., 0] > 60
    height, width = blue.shape
    as_sad = blue[:, -width // 5 :]
    assert as_sad[: height // 4].mean() < 0.1, "happy as sad: one of ten"
    assert as_sad[height // 2 : 3 * height // 5].mean() > 0.5, "sad as sad: all"


def test_clips_a_second_and_the_share_waited_are_of_the_steps_since_the_last_report(monkeypatch):
    now_s = iter([0.0, 1.0, 1.0, 4.0, 100.0, 100.5, 101.0, 102.5])
    monkeypatch.setattr(dashboards.time, "monotonic", lambda: next(now_s))
    pace = dashboards.Pace()
    fetch = pace.waiting(lambda: "batch")
    assert fetch() == "batch"
    pace.begin_step()
    pace.end_step(num_clips=8)
    assert pace.report() == {"speed/clips_per_s": 2.0, "speed/data_wait_share": 0.25}, "1 s waited, 3 s worked"
    fetch()
    pace.begin_step()
    pace.end_step(num_clips=8)
    assert pace.report() == {"speed/clips_per_s": 4.0, "speed/data_wait_share": 0.25}, "0.5 s waited, 1.5 s worked"


def test_only_the_first_process_shows_the_confusion_matrix():
    class Never:
        show_confusion = None

    class Trainer:
        get_batch_samples = None
        state = type("State", (), {"is_world_process_zero": False})

    dashboards.Dashboards(Trainer(), [Never()]).confusion(1, CONFUSIONS[0])


def wandb_file(path):
    """-> (identity, config, lines of the history) of an offline run.

    The file is a LevelDB log behind a header of 7 bytes: blocks of 32 KiB with pieces (crc, length, kind), where kind
    1 is a whole record and 4 the last piece of one.
    """
    from wandb.proto.wandb_internal_pb2 import Record

    content, at, piece, config, history = path.read_bytes(), 7, b"", {}, []
    identity = None
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
            identity = record.run.run_id or identity
            updates = [*record.run.config.update, *record.config.update]
            config |= {one.key: json.loads(one.value_json) for one in updates if one.key}
            line = {one.key or "/".join(one.nested_key): json.loads(one.value_json) for one in record.history.item}
            history += [line] if line else []
    return identity, config, history


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
