"""tools/bench_gpu.py on the CPU: every line of its tables, the counts behind them, and the shapes of the 3B."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
import torch

from emovlm.scoring.likelihood import pretrained

PATH = Path(__file__).parents[2] / "tools" / "bench_gpu.py"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("bench_gpu", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_gpu"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def step(bench):
    step = bench.Step(bench.stand_in(True, torch.device("cpu")), torch.device("cpu"))
    step.set(bench.Setting("sdpa", False))
    return step


def test_one_command_prints_all_of_it(bench, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bench_gpu.py", "--tiny", "--batch", "2", "--repeats", "1"])
    bench.main()
    said = capsys.readouterr().out
    assert re.search(r"CPU, torch .*: 0\.00\d+ billion parameters, 0\.\d+ million learn", said)
    assert [line.split(":")[0] for line in said.splitlines() if "tokens a step" in line] == ["images", "video"]
    # sdpa and eager with and without checkpointing, twice with all logits, once with kept tokens; pictures and video.
    lines = [line.split("|")[1:-1] for line in said.splitlines() if re.match(r"\| (sdpa|eager)", line)]
    assert len(lines) == 2 * 7
    assert all(re.fullmatch(r" \d+ ms ", line[1]) and float(line[2]) > 0 for line in lines)
    assert sum("visual tokens kept" in line[0] for line in lines) == 2
    assert sum("logits of all positions" in line[0] for line in lines) == 4
    parts = [line.split("|")[1].strip() for line in said.splitlines() if line.endswith("% |")]
    assert parts[:7] == [
        "vision tower",
        "language model",
        "its attention",
        "its MLPs",
        "head and loss",
        "backward",
        "AdamW",
    ]


def test_the_stand_in_has_the_shapes_of_the_3b(bench):
    """Qwen2.5-VL-3B: 3.75 billion parameters, 669 million of them in the vision tower with its merger."""
    base = pretrained(bench.stand_in(False, torch.device("meta")))
    sizes = {name: sum(p.numel() for p in module.parameters()) for name, module in base.model.named_children()}
    assert sizes["visual"] == pytest.approx(0.669e9, rel=1e-3)
    plain = sum(p.numel() for name, p in base.named_parameters() if ".lora_" not in name)
    assert plain == pytest.approx(3.755e9, rel=1e-3)
    assert base.config.text_config.rope_parameters["mrope_section"] == [16, 24, 24]


def test_eight_frames_are_a_thousand_tokens(bench):
    batch = bench.batches("images", False)(2)
    assert batch["image_grid_thw"].tolist() == [[1, 16, 32]] * 16
    assert (batch["input_ids"] == 5).sum().item() == 2 * 8 * 128
    assert bench.batches("video", False)(1)["video_grid_thw"].tolist() == [[4, 16, 32]]


def test_the_settings_change_the_way_and_not_the_loss(bench, step):
    batch = bench.batches("images", True)(2)
    expected = step.loss(batch).item()
    for setting in bench.settings(torch.device("cpu")):
        step.set(setting)
        step.model.train()
        inputs = bench.seen(step, batch) if setting.kept_tokens else batch
        assert ("pixel_values" in inputs) != setting.kept_tokens
        assert step.loss(inputs).item() == pytest.approx(expected, rel=1e-4), setting
        base = pretrained(step.model)
        assert base.config.text_config._attn_implementation == setting.attention
        assert base.is_activation_checkpointing == setting.checkpointing


def test_a_step_learns(bench, step):
    batch = bench.batches("images", True)(2)
    before = step.loss(batch).item()
    for group in step.optimizer.param_groups:
        group["lr"] = 1e-2
    for _ in range(3):
        step(batch)
    assert step.loss(batch).item() < before


def test_operations_are_those_of_the_matrices(bench, step):
    """Frozen weights: forward and the gradient to the input, 4 operations a weight and token; tower: 2 a patch."""
    batch = bench.batches("images", True)(1)
    base = pretrained(step.model)
    linear = {name: m.weight.numel() for name, m in base.named_modules() if isinstance(m, torch.nn.Linear)}
    language = sum(n for name, n in linear.items() if "language_model" in name and ".lora_" not in name)
    tower = sum(n for name, n in linear.items() if "visual.blocks" in name)
    least = 4 * language * batch["input_ids"].numel() + 2 * tower * len(batch["pixel_values"])
    found = step.flops(batch)
    assert least < found < 1.5 * least


def test_the_parts_of_a_profile_are_the_whole(bench, step):
    spent = step.profile(bench.batches("images", True)(1))
    assert all(seconds >= 0 for seconds in spent.values())
    assert spent["its attention"] + spent["its MLPs"] < spent["language model"]
    assert not any(module._forward_hooks for module in step.model.modules()), "the hooks are gone"
