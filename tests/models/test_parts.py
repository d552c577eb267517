"""Language model, tower and projector are found in every family, and only what is asked for gets a gradient."""

import pytest
import torch
import transformers as hf

from emovlm import UserError
from emovlm.models import load, lora, parts
from emovlm.recipe import Lora, Model

from .tiny_families import FAMILIES, TEXT, TOWER

# family: (language model, tower, projectors)
ROOTS = {
    "qwen2_vl": ("model.language_model", "model.visual", ["model.visual.merger"]),
    "qwen2_5_vl": ("model.language_model", "model.visual", ["model.visual.merger"]),
    "qwen3_vl": ("model.language_model", "model.visual", ["model.visual.merger", "model.visual.deepstack_merger_list"]),
    "qwen3_5": ("model.language_model", "model.visual", ["model.visual.merger"]),
    "internvl": ("model.language_model", "model.vision_tower", ["model.multi_modal_projector"]),
    "llava_onevision": ("model.language_model", "model.vision_tower", ["model.multi_modal_projector"]),
    "smolvlm": ("model.text_model", "model.vision_model", ["model.connector"]),
    "gemma3": ("model.language_model", "model.vision_tower", ["model.multi_modal_projector"]),
    "gemma4": ("model.language_model", "model.vision_tower", ["model.embed_vision"]),
    "glm4v": ("model.language_model", "model.visual", ["model.visual.merger"]),
    "glm46v": ("model.language_model", "model.visual", ["model.visual.merger"]),
    "video_llama_3": ("model.language_model", "model.vision_model", ["model.projector"]),
    "lfm2_vl": ("model.language_model", "model.vision_tower", ["model.multi_modal_projector"]),
    "minicpmv4_6": ("model.language_model", "model.vision_tower", ["model.vision_tower.vit_merger", "model.merger"]),
}
FAST = ("qwen3_vl", "gemma3")
EACH = [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in FAMILIES]


@pytest.mark.parametrize("name", FAMILIES)
def test_parts_are_found(family, name):
    language, vision, projectors = ROOTS[name]
    assert parts.roots(family(name).model) == {"language": [language], "vision": [vision], "projector": projectors}


@pytest.mark.parametrize("name", FAMILIES)
def test_kinds_of_layers_add_up(family, name):
    """`attention` and `mlp` share nothing; `all` is both, and nothing lies outside the part."""
    model = family(name).model
    by_part = parts.roots(model)
    for part in ("language", "vision"):
        attention, mlp, all_ = (set(parts.linear_paths(model, kind, part)) for kind in ("attention", "mlp", "all"))
        assert attention
        assert mlp
        assert not attention & mlp
        assert attention | mlp <= all_
        assert {parts.part_of(path, by_part) for path in all_} == {part}
        # Beside them there are only the convolutions of LFM2.
        assert all(".conv." in path for path in all_ - attention - mlp)


def gradients(model, processor):
    """{part: names of what got a gradient} after a backward pass over two pictures and a word."""
    model.train()
    model(**load.probe(processor)).logits.logsumexp(-1).sum().backward()
    by_part = parts.roots(model.get_base_model())
    found = {}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            path = lora.saved_name(name).removeprefix("base_model.model.")
            found.setdefault(parts.part_of(path, by_part), []).append(name)
    return found


def learning(model):
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


@pytest.mark.parametrize("part", parts.PARTS)
@pytest.mark.parametrize("name", EACH)
def test_adapters_of_one_part_learn_alone(family_folder, name, part):
    vlm = load.load(Model(name=str(family_folder(name))))
    if (name, part) == ("gemma3", "projector"):
        with pytest.raises(UserError, match=r"has no linear layer; set lora.projector={train: full}"):
            lora.add(vlm.model, Lora(parts=[part]))
        return
    model = lora.add(vlm.model, Lora(parts=[part], rank=2))
    found = gradients(model, vlm.processor)
    assert found.keys() == {part}
    assert set(found[part]) == learning(model)
    assert all(".lora_" in path for path in found[part])


@pytest.mark.parametrize("part", parts.PARTS)
@pytest.mark.parametrize("name", EACH)
def test_a_part_that_is_trained_whole_learns_alone_and_whole(family_folder, name, part):
    vlm = load.load(Model(name=str(family_folder(name))))
    by_part = parts.roots(vlm.model)
    left_out = [*parts.unreached(vlm.model), f"{by_part['language'][0]}.embed_tokens"]
    whole = {
        path
        for path, _ in vlm.model.named_parameters()
        if parts.part_of(path, by_part) == part and not path.startswith(tuple(left_out))
    }
    model = lora.add(vlm.model, Lora.model_validate({"parts": [part], part: {"train": "full"}}))
    found = gradients(model, vlm.processor)
    assert found.keys() == {part}
    assert set(found[part]) == learning(model)
    assert {lora.saved_name(path).removeprefix("base_model.model.") for path in found[part]} == whole


def test_what_a_tower_holds_and_never_calls():
    """LLaVA takes the last layer but one of CLIP: the last layer and the norm behind it are never used."""
    vision = hf.CLIPVisionConfig(**TOWER)
    config = hf.LlavaConfig(vision_config=vision, text_config=hf.Qwen2Config(**TEXT), image_token_id=5)
    assert config.vision_feature_layer == -2
    model = hf.LlavaForConditionalGeneration(config)
    ids = torch.tensor([[7] + [5] * 16 + [8]])
    model(input_ids=ids, pixel_values=torch.randn(1, 3, 56, 56)).logits.sum().backward()
    tower = parts.vision_path(model)
    never = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    lost = tuple(f"{path}." for path in parts.unreached(model))
    assert never == {name for name, _ in model.named_parameters() if name.startswith(lost)}
    assert any(f"{tower}.encoder.layers.1." in name for name in never)
    assert not any(f"{tower}.encoder.layers.0." in name for name in never)


def test_a_model_without_a_tower_is_refused():
    model = hf.AutoModelForImageTextToText.from_config(
        hf.GitConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=4)
    )
    with pytest.raises(UserError, match=r"finds no part of the model"):
        parts.roots(model)
