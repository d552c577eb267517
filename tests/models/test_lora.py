"""LoRA goes on the language model by full path, and a saved adapter is whole, loads whole, or is refused."""

import json
import subprocess
import sys

import pytest
import torch

from emovlm import UserError
from emovlm.models import load, lora
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
