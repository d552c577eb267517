"""`select:` keeps the best model that was scored, stops when patience runs out, and survives a stop in between."""

import json
import math
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from emovlm import UserError, recipe
from emovlm import run as runs
from emovlm.recipe import Select
from emovlm.train.selection import LARGER_IS_BETTER
from emovlm.train.sft import train

ROOT = Path(__file__).parents[2]
CHANGES = {"trainer": {"max_steps": 5, "save_strategy": "steps", "save_steps": 2}, "evaluate": {"during_training": 1}}


class Scores:
    """Stands for the evaluator: gives these values one after the other, and remembers the weights it was shown."""

    def __init__(self, values, metric="uar", die_at=None):
        self.values, self.metric, self.die_at, self.weights = values, metric, die_at, []

    def __call__(self, model, processor):
        step = len(self.weights) + 1
        if step == self.die_at:
            raise KeyboardInterrupt
        self.weights.append({name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad})
        return {self.metric: self.values[step - 1]}, np.ones((7, 8), dtype=int)


def run_with(small, folder, scores, *, resume=False, **select):
    found = small(output=str(folder), select={"metric": scores.metric, **select}, **CHANGES)
    train(found, runs.RunFolder(folder), validate=scores, resume=resume)
    return runs.RunFolder(folder)


def kept(run):
    return load_file(run.adapter / "adapter_model.safetensors")


def same(stored, weights):
    return all(torch.equal(stored[name.replace(".default.", ".")], p) for name, p in weights.items())


def test_every_metric_has_a_direction():
    assert set(get_args(Select.model_fields["metric"].annotation)) == set(LARGER_IS_BETTER)


@pytest.mark.parametrize(
    ("metric", "values", "best"),
    [("uar", [0.3, 0.6, 0.6, math.nan, 0.5], 2), ("nll", [0.9, 0.7, 0.4, math.nan, 0.8], 3)],
)
def test_the_first_best_model_is_the_runs(small, tmp_path, metric, values, best):
    scores = Scores(values, metric)
    run = run_with(small, tmp_path / "run", scores)
    assert same(kept(run), scores.weights[best - 1])
    assert not same(kept(run), scores.weights[-1])
    report = json.loads(run.report.read_text())
    chosen = {"metric": metric, "split": "validation", "step": best, "value": values[best - 1]}
    assert report["train"]["selected"] == chosen
    assert report["selected_on"] == "validation"
    assert not run.selected.exists()


def test_patience_ends_the_training(small, tmp_path):
    scores = Scores([0.3, 0.6, 0.5, 0.6, 0.9])
    run = run_with(small, tmp_path / "run", scores, patience=2)
    assert len(scores.weights) == 4
    assert json.loads(run.report.read_text())["train"]["num_steps"] == 4
    assert same(kept(run), scores.weights[1])


def test_a_score_that_is_no_number_never_wins(small, tmp_path):
    scores = Scores([math.nan] * 5)
    run = run_with(small, tmp_path / "run", scores, patience=1)
    assert same(kept(run), scores.weights[-1])
    report = json.loads(run.report.read_text())
    assert report["train"]["selected"] is None
    assert report["selected_on"] is None


@pytest.mark.parametrize(("values", "die_at"), [([0.8, 0.6, 0.5, 0.4, 0.3], 4), ([0.3, 0.4, 0.9, 0.4, 0.3], 5)])
def test_a_resume_remembers_the_best(small, tmp_path, values, die_at):
    whole = Scores(values)
    run_with(small, tmp_path / "whole", whole)
    with pytest.raises(KeyboardInterrupt):
        run_with(small, tmp_path / "run", Scores(values, die_at=die_at))
    start = 2 if die_at == 4 else 4
    rest = Scores(values[start:])
    run = run_with(small, tmp_path / "run", rest, resume=True)
    assert len(rest.weights) == 5 - start
    best = kept(run)
    assert all(torch.equal(best[name], p) for name, p in kept(runs.RunFolder(tmp_path / "whole")).items())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (["select.metric=acc", "evaluate.during_training=5"], "select.metric"),
        (["select.metric=uar", "evaluate.during_training=null"], "needs evaluate.during_training"),
        (["select.split=test", "evaluate.during_training=5"], "both must say test"),
        (["select_on=test"], "both must say test"),
    ],
)
def test_what_cannot_be_selected_is_refused_at_once(changes, says):
    with pytest.raises(UserError, match=says):
        recipe.load(ROOT / "recipes" / "demo" / "tiny_video.yaml", changes)


def test_zero_shot_of_a_recipe_that_selects():
    recipe.load(ROOT / "recipes" / "demo" / "tiny_video.yaml", ["select.metric=uar", "train=none"])
