"""A linear layer behind the frozen model: only it learns, it is saved alone, and it scores as it was trained."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from emovlm import UserError
from emovlm import run as runs
from emovlm.evaluate import predictions
from emovlm.evaluate.evaluator import checkpoint, evaluate, validator
from emovlm.models import head, load
from emovlm.recipe import Model
from emovlm.train.dry_run import dry_run

HEAD = {"train": "head", "loss": {"over_classes": "cross_entropy"}}


@pytest.fixture(scope="module")
def trained(small, tmp_path_factory):
    from emovlm.train.sft import train

    recipe = small(
        **HEAD,
        data={"source": "demo", "test_subset": {"per_class": 2}},
        trainer={"max_steps": 4, "learning_rate": 1e-2, "save_strategy": "steps", "save_steps": 2, "logging_steps": 1},
        evaluate={"during_training": 4},
        output=str(tmp_path_factory.mktemp("runs") / "run"),
    )
    run = runs.RunFolder(recipe.output)
    train(recipe, run, validate=validator(recipe))
    return recipe, run


def test_only_the_head_learns_and_is_saved(trained):
    recipe, run = trained
    saved = load_file(run.head / head.WEIGHTS)
    assert {name: tuple(tensor.shape) for name, tensor in saved.items()} == {"head.weight": (7, 192), "head.bias": (7,)}
    checkpointed = load_file(run.folder / "checkpoint-2" / "model.safetensors")
    assert checkpointed.keys() == saved.keys(), "the frozen weights are in no checkpoint"
    report = json.loads(run.report.read_text())["train"]
    assert report["trainable_parameters"] == 7 * 192 + 7
    assert not torch.equal(checkpointed["head.weight"], saved["head.weight"])
    base = load.load(Model(name="demo")).model.state_dict()
    for name, tensor in checkpoint(recipe, run).model.base.state_dict().items():
        assert torch.equal(tensor, base[name])


def test_its_scores_are_those_of_the_layer_on_the_last_state(trained):
    from emovlm.data import splits
    from emovlm.prompts.collator import Collator

    recipe, run = trained
    evaluate(recipe, run)
    found = predictions.read(run.predictions("test-likelihood"))
    rows = splits.load(recipe.data)["test"]
    vlm = load.load(Model(name="demo"))
    collator = Collator(vlm.processor, recipe, rows.features["label"].names, with_answers=False)
    row = dict(rows[0])
    prompt = collator.tensors([row], [collator.look(row, recipe.frames, None)])
    with torch.no_grad():
        state_H = vlm.model(**prompt, output_hidden_states=True).hidden_states[-1][0, -1]
    saved = load_file(run.head / head.WEIGHTS)
    expected_C = (saved["head.weight"] @ state_H + saved["head.bias"]).numpy()
    np.testing.assert_allclose(found.rows[0]["scores"], expected_C, atol=1e-5)
    assert "linear layer" in found.header["protocol"]["score_means"]


def test_during_and_after_training_the_numbers_are_identical(trained):
    recipe, run = trained
    logged = [json.loads(line) for line in run.log.read_text().splitlines() if "validation_uar" in line][-1]
    assert evaluate(recipe, run, split="validation")["uar"]["value"] == logged["validation_uar"]


def test_a_resumed_run_is_the_run_that_never_stopped(trained, tmp_path):
    import shutil

    from emovlm.train.sft import train

    recipe, run = trained
    stopped = runs.RunFolder(tmp_path / "run")
    shutil.copytree(run.folder, stopped.folder)
    for folder in (stopped.head, stopped.folder / "checkpoint-4"):
        shutil.rmtree(folder)
    train(recipe, stopped, resume=True, validate=validator(recipe))
    left, right = (load_file(one.head / head.WEIGHTS) for one in (run, stopped))
    for name, tensor in left.items():
        torch.testing.assert_close(right[name], tensor, atol=1e-6, rtol=0)


def test_a_head_of_another_model_is_refused(trained, tmp_path):
    _, run = trained
    base = load.load(Model(name="demo")).model
    base.config.get_text_config().hidden_size = 64
    with pytest.raises(UserError, match="is of a model with another hidden size"):
        head.load(base, run.head)
    with pytest.raises(UserError, match=r"holds no head \(head.safetensors\)"):
        head.load(base, tmp_path)


def test_the_dry_run_shows_a_head(small, capsys):
    dry_run(small(**HEAD))
    shown = capsys.readouterr().out
    assert "1,351 of" in shown


def test_a_head_is_exported_as_it_is_and_never_merged(trained, tmp_path):
    from emovlm.models.export import export

    recipe, run = trained
    assert export(recipe, run, tmp_path / "out", merge=False, score=lambda *_: None) is None
    assert (tmp_path / "out" / head.WEIGHTS).is_file()
    with pytest.raises(UserError, match="--merge: a head stands behind"):
        export(recipe, run, tmp_path / "merged", merge=True, score=lambda *_: None)
