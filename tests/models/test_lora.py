"""LoRA goes on the language model by full path, and a saved adapter is whole, loads whole, or is refused."""

import json
import re
import subprocess
import sys

import pytest
import torch

from emovlm import UserError
from emovlm.models import load, lora, parts, rates
from emovlm.models.parts import language_path, linear_paths
from emovlm.recipe import Lora, Model


@pytest.fixture
def vlm():
    return load.load(Model(name="demo"))


def test_only_the_language_model_is_adapted(vlm):
    assert language_path(vlm.model) == "model.language_model"
    paths = linear_paths(vlm.model, "all", "language")
    assert paths
    assert all(path.startswith("model.language_model.layers.") for path in paths)
    adapted = lora.add(vlm.model, Lora(rank=4))
    names = [name for name, parameter in adapted.named_parameters() if parameter.requires_grad]
    assert len(names) == 2 * len(paths)
    assert not [name for name in names if "visual" in name]
    modules = lora.adapted_modules(adapted)
    assert sum(one.parameters for one in modules) == sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    assert sum(one.count for one in modules) == len(paths)
    attention = linear_paths(load.load(Model(name="demo")).model, "attention", "language")
    assert {path.rpartition(".")[2] for path in attention} == {"q_proj", "k_proj", "v_proj", "o_proj"}


def test_an_adapter_that_learnt_nothing_is_not_saved(vlm, tmp_path):
    with pytest.raises(RuntimeError, match="every LoRA-B of the language part is zero"):
        lora.save(lora.add(vlm.model, Lora(rank=2)), vlm.processor, tmp_path / "adapter")
    assert not (tmp_path / "adapter").exists()


def test_saved_adapter_loads_equal_and_a_cut_one_is_refused(vlm, tmp_path):
    adapted = lora.add(vlm.model, Lora(rank=2))
    torch.manual_seed(0)
    for name, parameter in adapted.named_parameters():
        if ".lora_B." in name:
            torch.nn.init.normal_(parameter, std=0.1)
    lora.save(adapted, vlm.processor, tmp_path / "adapter")
    again = lora.load(load.load(Model(name="demo")).model, tmp_path / "adapter")
    ids = torch.arange(20).reshape(2, 10)
    with torch.no_grad():
        ours = adapted.eval()(input_ids=ids).logits
        assert torch.equal(again.eval()(input_ids=ids).logits, ours)
    torch.save(ours, tmp_path / "logits.pt")
    script = (
        "import sys, torch; from peft import PeftModel; from transformers import AutoModelForImageTextToText as A\n"
        f"base = A.from_pretrained({load.locate('demo')[0]!r}, dtype=torch.float32)\n"
        f"model = PeftModel.from_pretrained(base, {str(tmp_path / 'adapter')!r}).eval()\n"
        f"with torch.no_grad(): found = model(input_ids=torch.arange(20).reshape(2, 10)).logits\n"
        f"assert torch.equal(found, torch.load({str(tmp_path / 'logits.pt')!r})); assert 'emovlm' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)

    from safetensors.torch import load_file, save_file

    path = tmp_path / "adapter" / "adapter_model.safetensors"
    tensors = load_file(path)
    dropped = sorted(tensors)[0]
    save_file({name: tensor for name, tensor in tensors.items() if name != dropped}, path)
    with pytest.raises(UserError, match="do not match the model"):
        lora.load(load.load(Model(name="demo")).model, tmp_path / "adapter")
    path.unlink()
    with pytest.raises(UserError, match="holds no adapter"):
        lora.load(load.load(Model(name="demo")).model, tmp_path / "adapter")


def test_standard_peft_layout(vlm, tmp_path):
    adapted = lora.add(vlm.model, Lora(rank=2, alpha=6, dropout=0.1))
    adapted.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["lora_dropout"], config["task_type"]) == (2, 6, 0.1, "CAUSAL_LM")


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/model", "a/b/c"])
def test_a_path_that_does_not_exist_is_never_asked_of_the_hub(name):
    with pytest.raises(UserError, match=r"model\.name: .*no such folder"):
        load.locate(name)


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(UserError, match=r"model\.name: .*cannot be loaded"):
        load.load(Model(name=str(tmp_path)))


def test_dtype_follows_the_device():
    expected = torch.bfloat16 if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else torch.float32
    assert load.choose_dtype("auto") == expected
    assert load.choose_dtype("float16") == torch.float16


def moved(model, seed=0):
    """The adapters as a training might leave them."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter), alpha=0.05)
    return model.eval()


def logits_of(vlm, model):
    with torch.no_grad():
        return model(**load.probe(vlm.processor), logits_to_keep=1).logits


def by_part(model, value):
    """{part: set of `value(layer)`} over the layers with LoRA."""
    found, roots_of = {}, parts.roots(model.get_base_model())
    for path, module in model.get_base_model().named_modules():
        if hasattr(module, "lora_A"):
            found.setdefault(parts.part_of(path, roots_of), set()).add(value(module))
    return found


EACH_ITS_OWN = {
    "parts": ["language", "vision", "projector"],
    "rank": 4,
    "alpha": 8,
    "dropout": 0.1,
    "vision": {"rank": 2, "alpha": 2, "dropout": 0.0, "targets": "attention"},
    "projector": {"rank": 3, "dropout": 0.5},
}


def test_each_part_has_its_own_rank_alpha_dropout_and_kind(vlm):
    """The demo's projector lies inside its tower, as Qwen's do."""
    model = lora.add(vlm.model, Lora.model_validate(EACH_ITS_OWN))
    assert by_part(model, lambda layer: layer.r["default"]) == {"language": {4}, "vision": {2}, "projector": {3}}
    scale = by_part(model, lambda layer: round(layer.scaling["default"], 3))
    assert scale == {"language": {2}, "vision": {1}, "projector": {2.667}}
    dropout = by_part(model, lambda layer: getattr(layer.lora_dropout["default"], "p", 0.0))
    assert dropout == {"language": {0.1}, "vision": {0.0}, "projector": {0.5}}
    vision = {one.module.rpartition(".")[2] for one in lora.adapted_modules(model) if one.part == "vision"}
    assert vision == {"qkv", "proj"}


@pytest.mark.parametrize(
    "how",
    [
        EACH_ITS_OWN,
        {"rslora": True, "vision": {"rank": 2}, "parts": ["language", "vision"]},
        {"dora": True, "rank": 4},
        {"init": "pissa", "rank": 4},
        {"parts": ["language", "projector"], "projector": {"train": "full"}, "rank": 2},
        {"parts": ["vision"], "vision": {"train": "full"}},
    ],
    ids=["each its own", "rslora", "dora", "pissa", "projector whole", "vision whole"],
)
def test_what_is_saved_reads_back_equal(vlm, tmp_path, how):
    """By us, which matches every tensor, and by peft, which takes the ranks from the config."""
    from peft import PeftModel

    model = lora.add(vlm.model, Lora.model_validate(how))
    before = logits_of(vlm, model.eval())
    expected = logits_of(vlm, moved(model))
    assert (expected - before).abs().max() > 1e-3
    lora.save(model, vlm.processor, tmp_path / "adapter")
    assert torch.equal(logits_of(vlm, model), expected), "the check must leave the model as it was"
    own = lora.load(load.load(Model(name="demo")).model, tmp_path / "adapter").eval()
    torch.testing.assert_close(logits_of(vlm, own), expected, atol=1e-5, rtol=0)
    plain = PeftModel.from_pretrained(load.load(Model(name="demo")).model, tmp_path / "adapter").eval()
    torch.testing.assert_close(logits_of(vlm, plain), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("whole", [["projector"], ["vision", "projector"], ["language", "vision", "projector"]])
def test_the_check_of_a_save_leaves_no_trace(vlm, tmp_path, whole):
    """Neither in what learns nor in the random numbers to come: a run that saves is the run that does not."""
    settings = EACH_ITS_OWN | {name: {"train": "full"} for name in whole}
    model = moved(lora.add(vlm.model, Lora.model_validate(settings)))
    model.train()
    learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    names = [name for name, _ in model.named_modules()]
    state = torch.get_rng_state()
    lora.save(model, vlm.processor, tmp_path / "adapter")
    assert torch.equal(torch.get_rng_state(), state)
    assert {name for name, parameter in model.named_parameters() if parameter.requires_grad} == learning
    assert [name for name, _ in model.named_modules()] == names
    assert model.training


def test_a_save_that_would_read_back_as_another_model_fails_loudly(vlm, tmp_path, monkeypatch):
    """A wrong alpha in the config, a value that is not the model's, a tensor that is missing."""
    from peft import PeftModel
    from safetensors.torch import load_file, save_file

    model = moved(lora.add(vlm.model, Lora(rank=2, alpha=4)))
    plain = PeftModel.save_pretrained

    def spoiled(change):
        def save_pretrained(self, folder, **kwargs):
            plain(self, folder, **kwargs)
            change(folder)

        monkeypatch.setattr(PeftModel, "save_pretrained", save_pretrained)
        with pytest.raises(RuntimeError) as raised:
            lora.save(model, vlm.processor, tmp_path / "adapter")
        assert list(tmp_path.iterdir()) == []
        return str(raised.value)

    def other_alpha(folder):
        config = folder / "adapter_config.json"
        config.write_text(config.read_text().replace('"lora_alpha": 4', '"lora_alpha": 40'))

    def change_tensors(folder, edit):
        tensors = load_file(folder / lora.WEIGHTS)
        save_file(edit(tensors), folder / lora.WEIGHTS)

    assert "read back, it gives other logits" in spoiled(other_alpha)
    edits = {
        "was not saved as it is": lambda tensors: {name: tensor * 2 for name, tensor in tensors.items()},
        "1 of 56 tensors are missing": lambda tensors: dict(sorted(tensors.items())[1:]),
    }
    for said, edit in edits.items():
        assert said in spoiled(lambda folder, edit=edit: change_tensors(folder, edit))


def test_a_part_that_stayed_still_is_named(vlm, tmp_path):
    model = moved(lora.add(vlm.model, Lora(parts=["language", "vision"], rank=2)))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".visual." in name and ".lora_B." in name:
                parameter.zero_()
    with pytest.raises(RuntimeError, match="every LoRA-B of the vision part is zero"):
        lora.save(model, vlm.processor, tmp_path / "adapter")


def test_each_part_learns_at_its_own_rate(vlm):
    """LoRA+ with ratio 4 on top: B learns four times faster than A; what the trainer says holds for the others."""
    settings = {**EACH_ITS_OWN, "plus_ratio": 4, "vision": {"learning_rate": 1e-5}, "projector": {"train": "full"}}
    model = lora.add(vlm.model, Lora.model_validate(settings))
    groups = rates.groups(model, Lora.model_validate(settings), learning_rate=1e-3, weight_decay=0.1)
    of = {id(parameter): group for group in groups for parameter in group["params"]}
    names = {name: of[id(parameter)] for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert len(names) == sum(len(group["params"]) for group in groups)
    expected = {("language", "A"): 1e-3, ("language", "B"): 4e-3, ("visual", "A"): 1e-5, ("visual", "B"): 4e-5}
    for (part, matrix), rate in expected.items():
        found = {group["lr"] for name, group in names.items() if f".{part}" in name and f".lora_{matrix}." in name}
        assert found == {rate}
    whole = {name: group for name, group in names.items() if ".modules_to_save." in name}
    assert {group["lr"] for group in whole.values()} == {1e-3}
    assert {group["weight_decay"] for name, group in whole.items() if name.endswith("bias")} == {0.0}
    assert {group["weight_decay"] for name, group in whole.items() if "mlp.0.weight" in name} == {0.1}


def test_one_rate_for_all_is_left_to_the_trainer(vlm):
    model = lora.add(vlm.model, Lora(rank=2))
    assert rates.groups(model, Lora(rank=2), 1e-3, 0.0) is None


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"vision": {"rank": 2}}, "vision has settings, but parts ['language'] leaves it frozen; add it to parts"),
        ({"parts": ["vision", "vision"]}, "each part is named once"),
        ({"parts": []}, "at least 1"),
    ],
)
def test_settings_that_would_do_nothing_are_refused(settings, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        Lora.model_validate(settings)


def test_a_kind_that_a_part_has_not_is_refused_with_the_remedy(vlm):
    with pytest.raises(UserError, match=r"lora.projector.targets: 'attention': .*; set it to all"):
        lora.add(vlm.model, Lora(parts=["language", "projector"], targets="attention"))
