import json

import pytest

from emovlm import UserError, study
from emovlm import run as runs

RECIPE = """\
data: {source: demo}
model: {name: demo}
trainer: {max_steps: 3, per_device_train_batch_size: 4}
global_batch: 4
"""
STUDY = """\
recipe: r.yaml
arms:
  natural: [sampler.strategy=natural]
  root: [sampler.strategy=square_root]
seeds: [0, 1]
control: natural
contrast: [root, natural]
"""


@pytest.fixture
def write(tmp_path):
    (tmp_path / "r.yaml").write_text(RECIPE)

    def write(text=STUDY):
        path = tmp_path / "s.yaml"
        path.write_text(text + f"output: {tmp_path / 'out'}\n")
        return path

    return write


def conduct(path):
    """A study whose runs only write what a finished run leaves behind. -> what was done, in order."""
    did = []

    def train(entry):
        did.append(("train", entry.arm, entry.seed))
        entry.run.adapter.mkdir(parents=True)

    def evaluate(entry):
        did.append(("evaluate", entry.arm, entry.seed))
        runs.begin(entry.recipe, entry.run)
        runs.update_report(entry.run, entry.recipe, evaluation=("test-likelihood", {}))

    return did, study.conduct(study.load(path), path, train=train, evaluate=evaluate)


def test_arms_times_seeds_then_nothing_the_second_time(write):
    path = write()
    did, counts = conduct(path)
    assert did[0] == ("evaluate", "zero_shot", 0)
    trained = [(arm, seed) for verb, arm, seed in did if verb == "train"]
    assert trained == [("natural", 0), ("natural", 1), ("root", 0), ("root", 1)]
    assert counts == (5, 0)
    assert conduct(path) == ([], (0, 5))
    report = json.loads((path.parent / "out" / "report.json").read_text())
    assert [arm["name"] for arm in report["arms"]] == ["zero_shot", "natural", "root"]
    assert report["arms"][2]["runs"][1] == {"seed": 1, "folder": "root/seed1"}
    assert (report["control"], report["contrast"]) == ("natural", ["root", "natural"])


def test_only_the_changed_arm_is_run_again(write):
    conduct(write())
    path = write(STUDY.replace("  root:", "  balanced: [sampler.strategy=class_balanced]\n  root:"))
    did, counts = conduct(path)
    assert did == [(verb, "balanced", seed) for seed in (0, 1) for verb in ("train", "evaluate")]
    assert counts == (2, 5)


def test_grid_makes_arms_out_of_all_combinations():
    values = {"recipe": "r.yaml", "control": "strategy=natural,rank=4", "contrast": ["strategy=natural,rank=8"] * 2}
    found = study.Study.model_validate(
        {**values, "grid": {"sampler.strategy": ["natural", "square_root"], "lora.rank": [4, 8]}}
    )
    assert list(found.all_arms()) == [
        *("strategy=natural,rank=4", "strategy=natural,rank=8"),
        *("strategy=square_root,rank=4", "strategy=square_root,rank=8"),
    ]
    assert found.all_arms()["strategy=square_root,rank=8"] == ['sampler.strategy="square_root"', "lora.rank=8"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("control: natural", "control: naturl", "there is no arm 'naturl'"),
        ("contrast: [root, natural]", "contrast: [root]", "contrast"),
        ("seeds: [0, 1]", "seeds: [0, 0]", "a seed is given twice"),
        ("strategy=square_root", "strategy=sqare_root", "did you mean 'square_root'"),
        ("[sampler.strategy=square_root]", "[trainer.max_steps=9]", "equal optimiser steps"),
        ("arms:", "amrs:", "did you mean 'arms'"),
        ("recipe: r.yaml", "recipe: q.yaml", "no such file"),
        ("  root:", "  zero_shot:", "cannot be called zero_shot"),
    ],
)
def test_faults_are_found_before_anything_runs(write, old, new, says):
    assert old in STUDY
    path = write(STUDY.replace(old, new))
    with pytest.raises(UserError) as caught:
        study.plan(study.load(path), path)
    assert says in str(caught.value)
    assert not (path.parent / "out").exists()
