"""What is exported is the run: the adapter as it is, or one model that gives the same scores, or nothing."""

import numpy as np
import pytest
import torch
from peft import LoraModel, PeftModel
from transformers import AutoModelForImageTextToText, AutoProcessor

from emovlm import UserError
from emovlm import run as runs
from emovlm.evaluate.clip_scores import clip_scores
from emovlm.evaluate.evaluator import checkpoint
from emovlm.models import export as exports
from emovlm.models import load


@pytest.fixture(scope="module")
def trained(small, tmp_path_factory):
    """`trained(**changes)` -> (recipe, run, how it scores four clips)."""
    from emovlm.train.sft import train

    def trained(**changes):
        recipe = small(**changes, trainer={"max_steps": 2}, evaluate={"split": "validation", "score": "mean"})
        run = runs.RunFolder(tmp_path_factory.mktemp("run") / "run")
        train(recipe, run)
        return recipe, run, clip_scores(recipe, 4)

    return trained


@pytest.fixture(scope="module")
def adapted(trained):
    return trained(lora={"parts": ["language", "projector"], "projector": {"train": "full"}})


def own_scores(recipe, run, score):
    vlm = checkpoint(recipe, run)
    return score(vlm.model.eval(), vlm.processor)


def plain_scores(folder, score, adapter=None):
    """As somebody without emovlm would load it."""
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, adapter) if adapter else model
    return score(model.eval(), AutoProcessor.from_pretrained(adapter or folder, padding_side="left"))


def test_the_adapter_with_its_processor(adapted, tmp_path):
    recipe, run, score = adapted
    assert exports.export(recipe, run, tmp_path / "out", merge=False, score=score) is None
    found = plain_scores(load.locate("demo")[0], score, adapter=tmp_path / "out")
    np.testing.assert_allclose(found, own_scores(recipe, run, score), atol=1e-5)
    with pytest.raises(UserError, match="exists already"):
        exports.export(recipe, run, tmp_path / "out", merge=False, score=score)


def test_the_merged_model_gives_the_scores_of_the_adapter(adapted, tmp_path):
    recipe, run, score = adapted
    difference = exports.export(recipe, run, tmp_path / "out", merge=True, score=score)
    assert 0 <= difference < exports.LIMIT
    own = own_scores(recipe, run, score)
    np.testing.assert_allclose(plain_scores(tmp_path / "out", score), own, atol=1e-3)
    base = plain_scores(load.locate("demo")[0], score)
    assert np.abs(base - own).max() > 0.01, "the adapter must matter"
    assert own.shape == (4, 7)


def test_a_merge_that_scores_otherwise_is_refused(adapted, tmp_path, monkeypatch):
    """In eight bits of precision the adapter is rounded away; a merge that forgets the adapter is found too."""
    recipe, run, score = adapted
    with pytest.raises(UserError, match=r"merged into bfloat16 .* nats, more than 0.001; give --dtype float32"):
        exports.export(recipe, run, tmp_path / "out", merge=True, score=score, dtype="bfloat16")
    monkeypatch.setattr(LoraModel, "merge_and_unload", LoraModel.unload)
    with pytest.raises(UserError, match=r"merged into float32 .* keep the adapter"):
        exports.export(recipe, run, tmp_path / "out", merge=True, score=score)
    assert list(tmp_path.iterdir()) == []


def test_four_bits_are_merged_as_they_were_trained(trained, tmp_path):
    recipe, run, score = trained(model={"quantize": "nf4"})
    assert exports.export(recipe, run, tmp_path / "out", merge=True, score=score) < exports.LIMIT
    np.testing.assert_allclose(plain_scores(tmp_path / "out", score), own_scores(recipe, run, score), atol=5e-3)


def test_a_model_that_was_trained_whole_is_whole_already(trained, tmp_path):
    recipe, run, score = trained(train="full")
    assert exports.export(recipe, run, tmp_path / "out", merge=True, score=score) is None
    np.testing.assert_allclose(plain_scores(tmp_path / "out", score), own_scores(recipe, run, score), atol=1e-5)


def test_a_dtype_goes_with_a_merge(adapted, tmp_path):
    recipe, run, score = adapted
    with pytest.raises(UserError, match=r"--dtype float16: goes with --merge"):
        exports.export(recipe, run, tmp_path / "out", merge=False, score=score, dtype="float16")


def test_a_run_that_is_not_trained_is_refused(small, tmp_path):
    with pytest.raises(UserError, match="is not trained yet"):
        exports.export(small(), runs.RunFolder(tmp_path / "run"), tmp_path / "out", merge=False, score=lambda *_: None)
