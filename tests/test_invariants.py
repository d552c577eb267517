"""Settings that must agree give the same loss curve, and a resumed run is the run that never stopped."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from emovlm import recipe as recipes
from emovlm import run as runs

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def train(small, tmp_path_factory):
    """-> a function that trains the small recipe with changes: (losses, run folder)."""
    from emovlm.train.sft import train as train_run

    def train(**changes):
        run = runs.RunFolder(tmp_path_factory.mktemp("run") / "run")
        train_run(small(**changes), run)
        return losses(run), run

    return train


def losses(run):
    lines = [json.loads(line) for line in run.log.read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


@pytest.fixture(scope="module")
def reference(train):
    return train()


def test_the_same_recipe_twice_is_the_same_to_the_last_digit(train, reference):
    assert train()[0] == reference[0]
    assert len(reference[0]) == 4


def test_batch_four_is_one_batch_accumulated_four_times(train, reference):
    accumulated, _ = train(trainer={"per_device_train_batch_size": 1})
    assert accumulated == pytest.approx(reference[0], rel=1e-5)


def test_the_ledger_is_a_replay_of_the_stream(small, reference):
    from emovlm.data import splits
    from emovlm.longtail.plan import plan
    from emovlm.longtail.targets import class_indices

    ledger = json.loads(reference[1].ledger.read_text())
    rows = splits.load(small().data)["train"]
    labels_N = class_indices(rows["label"])
    drawn = labels_N[plan(small(), labels_N, rows.features["label"].names).sampler.first(16)]
    assert ledger["drawn"] == [int((drawn == c).sum()) for c in range(7)]
    assert sum(ledger["drawn"]) == 16
    assert ledger["asked"] == pytest.approx([1 / 7] * 7, abs=1e-5)


def test_stop_and_resume_is_not_stopping(small, train, tmp_path):
    """Checkpoints every two steps; the run is cut back to the one at step 2 and goes on."""
    from emovlm.train.sft import train as train_run

    whole, run = train(trainer={"save_strategy": "steps", "save_steps": 2})
    stopped = runs.RunFolder(tmp_path / "run")
    shutil.copytree(run.folder, stopped.folder)
    for path in (stopped.adapter, stopped.folder / "checkpoint-4"):
        shutil.rmtree(path)
    for path in (stopped.ledger, stopped.report):
        path.unlink()
    train_run(small(trainer={"save_strategy": "steps", "save_steps": 2}), stopped, resume=True)
    assert losses(stopped) == whole
    assert json.loads(stopped.ledger.read_text()) == json.loads(run.ledger.read_text())


def test_free_answers_train_with_the_token_mean_whatever_the_accumulation(small, tmp_path):
    """Captions: with LoRA and with all parameters; the mean is over the tokens of the whole step."""
    from emovlm.train.sft import train as train_run

    clips = ROOT / "emovlm" / "demo" / "clips" / "train"
    answers = ["brows down", "face relaxed", "inner brows up, lips parted, jaw dropped", "chin up"]
    lines = [
        {"id": f"r{k}", "media": [str(clips / f"{k + 1:04d}.mp4")], "split": "train", "answer": answers[k % 4]}
        for k in range(8)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = {}
    for train_what in ("lora", "full"):
        for batch in (4, 1):
            run = runs.RunFolder(tmp_path / f"{train_what}{batch}")
            recipe = small(
                data={"source": "jsonl", "root": str(tmp_path / "rows.jsonl"), "classes": ["happy"]},
                prompt={"question": "describe_face"},
                sampler={"strategy": "natural"},
                train=train_what,
                trainer={"per_device_train_batch_size": batch, "max_steps": 2, "learning_rate": 1e-4},
            )
            train_run(recipe, run)
            found[train_what, batch] = losses(run)
            assert run.trained()
    assert found["lora", 4] == pytest.approx(found["lora", 1], rel=1e-5)
    assert found["full", 4] == pytest.approx(found["full", 1], rel=1e-5)
    assert found["lora", 4][0] == pytest.approx(found["full", 4][0], rel=1e-5), "LoRA starts as the base"


def test_class_losses_train_and_sharing_the_prefix_changes_nothing(train):
    """Scores of all classes in training: one shared prefix, one pass a name, and any accumulation agree."""
    loss = {"over_classes": "logit_adjusted", "prior": "natural"}
    shared, run = train(loss=loss)
    apart, _ = train(loss={**loss, "share_prefix": False})
    accumulated, _ = train(loss=loss, trainer={"per_device_train_batch_size": 1})
    assert apart == pytest.approx(shared, rel=1e-4)
    assert accumulated == pytest.approx(shared, rel=1e-4)
    assert json.loads(run.report.read_text())["train"]["loss_prior"] == "natural"


def test_without_a_prior_to_correct_logit_adjustment_is_cross_entropy(train):
    """Balanced sampling: the planned prior is uniform, so the adjustment is nothing."""
    plain, run = train(loss={"over_classes": "cross_entropy"})
    adjusted, _ = train(loss={"over_classes": "logit_adjusted"})
    assert adjusted == pytest.approx(plain, rel=1e-5)
    assert json.loads(run.ledger.read_text())["effective_prior"] != []


def test_class_weights_scale_the_loss_of_their_class(train, reference):
    weighted, run = train(loss={"class_weights": {"disgust": 3.0}})
    assert weighted != reference[0]
    weights = json.loads(run.ledger.read_text())["class_weights"]
    assert weights[5] == pytest.approx(3 * weights[0], rel=1e-5)
    assert sum(weights) / 7 == pytest.approx(1, rel=1e-5), "mean 1 under the balanced mix"


@pytest.mark.slow
@pytest.mark.parametrize("resume", [False, True])
def test_two_processes_are_one(small, reference, tmp_path, resume):
    """Same global batch, two processes over gloo through `--launch`: the same losses and the same predictions."""
    changes = {"trainer": {"per_device_train_batch_size": 2, "save_strategy": "steps", "save_steps": 2}}
    values = recipes.resolved(small(**changes, evaluate={"split": "validation"}))
    (tmp_path / "r.yaml").write_text(yaml.safe_dump({**values, "output": str(tmp_path / "run")}))
    run = runs.RunFolder(tmp_path / "run")
    command = [sys.executable, "-m", "emovlm"]
    launch = ["--launch", str(ROOT / "accelerate_configs" / "cpu.yaml")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def call(*arguments):
        subprocess.run([*command, *arguments], check=True, cwd=tmp_path, env=environment, timeout=900)

    call("train", "r.yaml", *launch)
    if resume:
        shutil.rmtree(run.adapter)
        shutil.rmtree(run.folder / "checkpoint-4")
        # From two processes to one at the same global batch.
        call("train", "r.yaml", "--resume")
    assert losses(run) == pytest.approx(reference[0], rel=1e-5)
    drawn = json.loads(run.ledger.read_text())["drawn"]
    assert drawn == json.loads(reference[1].ledger.read_text())["drawn"]
    assert json.loads(run.env.read_text())["world_size"] == (1 if resume else 2)

    from emovlm.evaluate.predictions import read

    two = read(run.predictions("validation-likelihood"))
    call("evaluate", str(run.folder))
    one = read(run.predictions("validation-likelihood"))
    assert [row["id"] for row in one.rows] == [row["id"] for row in two.rows]
    for left, right in zip(one.rows, two.rows, strict=True):
        assert left["scores"] == pytest.approx(right["scores"], abs=1e-4)
