"""What the recipe says of parts reaches the trainer: rates, whole parts, four bits, checkpointing, resume."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from emovlm import UserError
from emovlm import run as runs
from emovlm.models import load, lora
from emovlm.recipe import Model


@pytest.fixture
def train(small, tmp_path):
    """-> a function that trains the small recipe with changes for two steps, into a folder of its own."""
    from emovlm.train.sft import train as train_run

    def train(name="run", resume=False, **changes):
        changes["trainer"] = {"max_steps": 2, **changes.get("trainer", {})}
        run = runs.RunFolder(tmp_path / name)
        train_run(small(**changes), run, resume=resume)
        return run

    return train


def losses(run):
    return [json.loads(line)["loss"] for line in run.log.read_text().splitlines()]


def moved_by(run, mark):
    """The largest weight of the LoRA-B whose path has the mark; they begin at zero."""
    tensors = load_file(run.adapter / lora.WEIGHTS)
    return max(t.abs().max().item() for name, t in tensors.items() if mark in name and ".lora_B." in name)


def test_each_part_is_trained_at_its_own_rate(train):
    run = train(lora={"parts": ["language", "vision"], "vision": {"learning_rate": 1e-7}})
    assert 1e-4 < moved_by(run, ".language_model.") < 1e-2
    assert 1e-8 < moved_by(run, ".visual.") < 1e-6
    found = json.loads(run.report.read_text())["train"]
    modules = {(one["part"], one["module"].rpartition(".")[2]): one for one in found["trained_modules"]}
    assert modules["vision", "qkv"]["count"] == 4
    assert sum(one["parameters"] for one in found["trained_modules"]) == found["trainable_parameters"]


def test_lora_plus_moves_b_faster(train):
    """One step of AdamW moves every weight by about the learning rate."""
    plain, plus = (
        train(name, lora={"plus_ratio": ratio}, trainer={"max_steps": 1}) for name, ratio in (("1", None), ("8", 8))
    )
    assert moved_by(plus, ".lora_B.") == pytest.approx(8 * moved_by(plain, ".lora_B."), rel=1e-3)


@pytest.mark.parametrize(
    "how",
    [
        {"lora": {"init": "pissa"}},
        {"lora": {"dora": True}},
        {"lora": {"parts": ["language", "projector"], "projector": {"train": "full"}, "plus_ratio": 2}},
        {"lora": {"parts": ["vision"], "vision": {"train": "full"}}},
        {"model": {"quantize": "nf4"}},
    ],
    ids=["pissa", "dora", "projector whole", "vision whole", "nf4"],
)
def test_a_resumed_run_is_the_run_that_never_stopped(train, how):
    how["trainer"] = {"save_strategy": "steps", "save_steps": 1}
    whole = train("whole", **how)
    stopped = runs.RunFolder(whole.folder.with_name("stopped"))
    shutil.copytree(whole.folder, stopped.folder)
    for path in (stopped.adapter, stopped.folder / "checkpoint-2"):
        shutil.rmtree(path)
    train("stopped", resume=True, **how)
    assert losses(stopped) == losses(whole)
    left, right = (load_file(run.adapter / lora.WEIGHTS) for run in (whole, stopped))
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        torch.testing.assert_close(right[name], tensor, atol=1e-6, rtol=0)


def test_checkpointing_leaves_no_part_out_and_changes_no_loss(train):
    parts = {"parts": ["language", "vision", "projector"]}
    plain = train("plain", lora=parts)
    sparse = train("sparse", lora=parts, trainer={"activation_checkpointing": True})
    assert losses(sparse) == pytest.approx(losses(plain), rel=1e-5)
    assert moved_by(sparse, ".visual.blocks.") > 1e-4


def test_four_bits_are_the_language_models_alone(small):
    import bitsandbytes

    model = load.load(Model(name="demo", quantize="nf4")).model
    quantized = {path for path, module in model.named_modules() if isinstance(module, bitsandbytes.nn.Linear4bit)}
    assert len(quantized) == 4 * 7
    assert all(path.startswith("model.language_model.layers.") for path in quantized)
    assert lora.num_parameters(model) == lora.num_parameters(load.load(Model(name="demo")).model)


def test_four_bits_do_not_learn_and_are_not_taken_apart(small):
    from emovlm.train.sft import trainable

    vlm = load.load(Model(name="demo", quantize="nf4"))
    with pytest.raises(UserError, match=r"lora.init: pissa .* set default"):
        lora.add(vlm.model, small(lora={"init": "pissa"}).lora)
    with pytest.raises(UserError, match=r"train: full: .* cannot learn; set lora"):
        trainable(vlm, small(train="full"), 7)


def test_all_parameters_are_trained_also_where_the_tower_holds_unused_ones(train, family_folder):
    """LLaVA-OneVision's tower has a pooling head that is never called, and gets no gradient."""
    model = {"name": str(family_folder("llava_onevision"))}
    run = train(model=model, train="full", prompt={"time_marks": False}, trainer={"learning_rate": 1e-4})
    assert run.model.is_dir()
    trained = {one["module"] for one in json.loads(run.report.read_text())["train"]["trained_modules"]}
    assert "model.vision_tower.encoder.layers.*.self_attn.q_proj" in trained
    assert not any(".head." in module for module in trained)


def test_where_the_memory_of_a_gpu_does_not_suffice_the_error_says_what_helps(train, monkeypatch):
    from transformers import Trainer

    def too_much(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(Trainer, "training_step", too_much)
    with pytest.raises(UserError, match=r"CUDA out of memory. What helps, the cheapest first: 1. trainer.per_device"):
        train()
