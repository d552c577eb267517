"""A clip that cannot be read while training ends the run, or counts for nothing: as if its row had weight zero.

Plain SGD without clipping: the adapter is then a sum of gradients, so that a factor or a share that is wrong shows.
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

from emovlm import UserError
from emovlm import recipe as recipes
from emovlm import run as runs
from emovlm.longtail.losses import IGNORED
from emovlm.prompts.collator import Collator

ROOT = Path(__file__).parents[2]
CLIPS = ROOT / "emovlm" / "demo" / "clips" / "train"
STEPS, BATCH = 4, 8
LOSSES = [None, "cross_entropy"]
# Rows whose clip is broken in one run, and whose loss is taken out in another although their clip is fine.
DEAD = [3, 17]
# One launch for all of them: most of its time goes into starting.
TRAIN_ALL = """
import sys
from pathlib import Path
from emovlm import recipe as recipes
from emovlm import run as runs
from emovlm.launch import leave_processes
from tests.train.test_unread import take_out
from emovlm.train.sft import train

for path in sorted(Path(sys.argv[1]).glob("*.yaml")):
    take_out(path.stem.startswith("fine"))
    train(recipes.load(path), runs.RunFolder(path.with_suffix("")))
leave_processes()
"""


def take_out(asked, collate=Collator.__call__):
    """Make all collators say that DEAD failed, though it was read, or undo that."""

    def marked(self, rows):
        batch = collate(self, rows)
        failed = {place: ("planted", "planted") for place, row in enumerate(rows) if row["row"] in DEAD}
        if "labels" in batch:
            batch["labels"][list(failed)] = IGNORED
        return {**batch, **({"failed": failed} if failed else {})}

    Collator.__call__ = marked if asked else collate


def rows(folder, broken=()):
    """Twenty-four rows, eight of each class, as a jsonl; the clips of `broken` are cut off."""
    folder.mkdir(parents=True, exist_ok=True)
    with (CLIPS / "metadata.csv").open() as file:
        clips = list(csv.DictReader(file))
    lines = []
    for name in ("happy", "neutral", "angry"):
        for clip in [clip for clip in clips if clip["label"] == name][:8]:
            content = (CLIPS / clip["file_name"]).read_bytes()
            cut = content[: len(content) // 2] if len(lines) in broken else content
            path = folder / f"{len(lines)}.mp4"
            path.write_bytes(cut)
            lines.append({"id": f"row{len(lines)}", "media": str(path), "label": name, "split": "train"})
    (folder / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder / "rows.jsonl"


def recipe(small, path, device_batch=4, data=None, **changes):
    trainer = {"per_device_train_batch_size": device_batch, "max_steps": STEPS}
    return small(
        data={"source": "jsonl", "root": str(path), "on_error": "quarantine", "max_failed": 0.2, **(data or {})},
        frames={"keep": 2},
        sampler={"strategy": "natural"},
        global_batch=BATCH,
        trainer={**trainer, "optim": "sgd", "learning_rate": 0.3, "max_grad_norm": 0},
        **changes,
    )


def train(one, folder):
    from emovlm.train.sft import train

    run = runs.RunFolder(folder)
    train(one, run)
    return run


def losses(run):
    lines = [json.loads(line) for line in run.log.read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def adapter(run):
    return load_file(run.adapter / "adapter_model.safetensors")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EMOVLM_CACHE", str(tmp_path / "cache"))


def test_without_the_key_the_clip_ends_the_run(small, tmp_path):
    path = rows(tmp_path, broken={0})
    asked = recipe(small, path, data={"on_error": None, "max_failed": None})
    with pytest.raises(UserError, match=r"0\.mp4: is cut off"):
        train(asked, tmp_path / "run")


def test_more_than_the_share_ends_the_run_with_a_name(small, tmp_path):
    path = rows(tmp_path, broken={0, 1, 9})
    asked = recipe(small, path, data={"max_failed": 0.1})
    with pytest.raises(
        UserError, match=r"3 of 24 training rows could not be read, and data.max_failed allows 2 \(0.1\)"
    ):
        train(asked, tmp_path / "run")


def test_the_row_is_named_listed_and_not_counted(small, tmp_path):
    path = rows(tmp_path, broken={3})
    run = train(recipe(small, path), tmp_path / "run")
    report = json.loads(run.report.read_text())["train"]
    assert list(report["failed"]) == ["row3"]
    assert "3.mp4: is cut off" in report["failed"]["row3"]
    ledger = json.loads(run.ledger.read_text())
    drawn = STEPS * BATCH
    assert drawn - 2 <= sum(ledger["drawn"]) < drawn, "of 32 draws from 24 rows, one or two were of row 3"
    (line,) = [json.loads(line) for line in (tmp_path / "run" / "quarantine.jsonl").read_text().splitlines()]
    assert (line["id"], line["reason"]) == ("row3", "truncated")
    # The list is what data.quarantine takes.
    again = recipe(small, path, data={"quarantine": tmp_path / "run" / "quarantine.jsonl", "max_failed": 0})
    report = json.loads(train(again, tmp_path / "again").report.read_text())["train"]
    assert (report["left_out"], report["failed"]) == ({"truncated": 1}, {})


@pytest.mark.parametrize("loss", LOSSES)
def test_the_mean_is_over_those_that_count(small, tmp_path, loss):
    """Of the first step, before anything is learnt: the sums of two halves of the rows are the sum of all."""
    sums = []
    for number, broken in enumerate((set(), set(range(0, 24, 2)), set(range(1, 24, 2)))):
        path = rows(tmp_path / f"rows{number}", broken)
        asked = recipe(small, path, data={"max_failed": 0.6}, loss={"over_classes": loss})
        asked = asked.model_copy(update={"trainer": {**asked.trainer, "max_steps": 1}})
        run = train(asked, tmp_path / f"run{number}")
        counted = sum(json.loads(run.ledger.read_text())["drawn"])
        assert (counted == BATCH) == (not broken)
        sums.append(losses(run)[0] * counted)
    assert sums[1] + sums[2] == pytest.approx(sums[0], rel=1e-4)


@pytest.fixture(scope="module")
def found(small, tmp_path_factory):
    """-> name -> run, for both losses: broken and fine on two processes, fine and untouched on one."""
    home = tmp_path_factory.mktemp("unread")
    two = home / "two"
    two.mkdir()
    paths = {"fine": rows(home / "a"), "broken": rows(home / "b", broken=DEAD)}
    for name in LOSSES:
        for kind, path in paths.items():
            asked = recipe(small, path, 2, loss={"over_classes": name})
            (two / f"{kind} {name}.yaml").write_text(yaml.safe_dump(recipes.resolved(asked)))
    (home / "train_all.py").write_text(TRAIN_ALL)
    launch = ["accelerate.commands.launch", "--config_file", str(ROOT / "accelerate_configs" / "cpu.yaml")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", *launch, str(home / "train_all.py"), str(two)]
    subprocess.run(command, check=True, env=environment, timeout=900)
    runs_of = {path.stem: runs.RunFolder(path.with_suffix("")) for path in two.glob("*.yaml")}
    for name in LOSSES:
        asked = recipe(small, paths["fine"], loss={"over_classes": name})
        for kind in ("one", "untouched"):
            take_out(kind == "one")
            try:
                runs_of[f"{kind} {name}"] = train(asked, home / f"{kind} {name}")
            finally:
                take_out(False)
    return runs_of


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
def test_on_two_processes_a_broken_clip_is_a_row_of_weight_zero(found, loss):
    broken = found[f"broken {loss}"]
    for kind in ("fine", "one"):
        other = found[f"{kind} {loss}"]
        assert losses(other) == pytest.approx(losses(broken), rel=1e-4), kind
        for key, value in adapter(broken).items():
            away = np.linalg.norm(adapter(other)[key] - value) / np.linalg.norm(value)
            assert away < 1e-4, f"{kind} {key}: {away:.1e}"
    assert losses(found[f"untouched {loss}"]) != pytest.approx(losses(broken), rel=1e-3)
    assert json.loads(broken.env.read_text())["world_size"] == 2
    assert sorted(json.loads(broken.report.read_text())["train"]["failed"]) == ["row17", "row3"]
    drawn = [json.loads(found[f"{kind} {loss}"].ledger.read_text())["drawn"] for kind in ("broken", "one")]
    assert drawn[0] == drawn[1]
