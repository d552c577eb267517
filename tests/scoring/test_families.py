"""The shared prefix gives what brute force gives in every family, whatever its attention and its positions."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForImageTextToText

from emovlm import UserError
from emovlm.scoring import likelihood

# One name begins like two others, one ends where another goes on (2 is the end-of-turn).
NAMES = [[5, 7, 2], [5, 9, 2], [5, 2], [6, 2], [5, 9, 11, 12, 2]]

TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "head_dim": 8}
TEXT |= {"num_key_value_heads": 2, "vocab_size": 99, "pad_token_id": 0, "max_position_embeddings": 512}
PATCHES = {"depth": 1, "hidden_size": 32, "embed_dim": 32, "num_heads": 4, "intermediate_size": 64, "patch_size": 14}
PATCHES |= {"out_hidden_size": 32, "deepstack_visual_indexes": [0], "fullatt_block_indexes": [0]}
TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
TOWER |= {"image_size": 28, "patch_size": 14}


def rotary(*section):
    return {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [*section]}}


LINEAR = {"linear_num_key_heads": 2, "linear_num_value_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8}
WINDOW = {"sliding_window": 6, "layer_types": ["sliding_attention", "full_attention"] * 2, "query_pre_attn_scalar": 8}

# family: (what its text model has of its own, its vision tower, whether it reads the trie in one row)
FAMILIES = {
    "qwen2_vl": (rotary(1, 1, 2), PATCHES, True),
    "qwen2_5_vl": (rotary(1, 1, 2), PATCHES, True),
    "qwen3_vl": (rotary(2, 1, 1), PATCHES, True),
    "glm4v": (rotary(1, 1, 2), PATCHES, True),
    "qwen3_5": (LINEAR, PATCHES, False),
    "internvl": ({}, TOWER, True),
    "llava_onevision": ({}, TOWER, True),
    "smolvlm": ({}, TOWER, True),
    "gemma3": (WINDOW, TOWER, False),
}


def tiny(family):
    """A random model whose weights are large enough that a token looked at in error would show."""
    text, vision, _ = FAMILIES[family]
    plain = AutoConfig.for_model(family)
    parts = {"text_config": {**TEXT, **text}, "vision_config": vision}
    for name, part in parts.items():
        parts[name] = {"model_type": getattr(plain, name).model_type, **part}
    torch.manual_seed(0)
    model = AutoModelForImageTextToText.from_config(type(plain)(**parts), dtype=torch.float32).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=parameter.shape[-1] ** -0.5)
    return model


def prompt_of(model, family):
    """Two prompts, one padded on the left. Families with rows of positions also see a picture: it moves their rows."""
    ids_BL = torch.randint(13, 90, (2, 16))
    mask_BL = torch.ones_like(ids_BL)
    mask_BL[1, :3] = 0
    prompt = {"input_ids": ids_BL, "attention_mask": mask_BL}
    if FAMILIES[family][1] is PATCHES:
        num_tokens = 4  # 4 x 4 patches, merged two by two
        kinds_BL = torch.zeros_like(ids_BL)
        kinds_BL[:, 6 : 6 + num_tokens] = 1
        model.config.image_token_id = 98
        ids_BL[kinds_BL == 1] = 98
        prompt |= {"mm_token_type_ids": kinds_BL, "image_grid_thw": torch.tensor([[1, 4, 4]] * 2)}
        prompt["pixel_values"] = torch.randn(2 * 16, 3 * 2 * 14 * 14)
    return prompt


@pytest.mark.parametrize("family", FAMILIES)
def test_shared_prefix_equals_brute_force(family):
    model = tiny(family)
    prompt = prompt_of(model, family)
    with torch.no_grad():
        apart = likelihood.label_scores_apart(model, prompt, NAMES)
        shared = likelihood.label_scores(model, prompt, NAMES)
        alone = likelihood.label_scores(model, only_first(prompt), NAMES)
    torch.testing.assert_close(shared, apart, atol=1e-4, rtol=0)
    torch.testing.assert_close(shared[:1], alone, atol=1e-4, rtol=0)
    assert (apart[0] - apart[1]).abs().max() > 0.01  # the prompt matters


@pytest.mark.parametrize("family", FAMILIES)
def test_copies_of_the_cache_are_taken_only_where_one_row_will_not_do(family):
    """Both ways give the same numbers, so only the cost would tell."""
    model = tiny(family)
    with torch.no_grad():
        cache = model(**prompt_of(model, family), use_cache=True).past_key_values
    assert likelihood._reads_a_tree(model, cache) == FAMILIES[family][2]


@pytest.mark.parametrize("family", [family for family, (*_, one_row) in FAMILIES.items() if one_row])
def test_copies_of_the_cache_give_the_same(family, monkeypatch):
    """The way of flash attention, which can't be told where to look."""
    model = tiny(family)
    prompt = prompt_of(model, family)
    with torch.no_grad():
        in_one_row = likelihood.label_scores(model, prompt, NAMES)
        monkeypatch.setattr(likelihood, "_reads_a_tree", lambda model, cache: False)
        monkeypatch.delattr(likelihood, "_in_one_row")
        torch.testing.assert_close(likelihood.label_scores(model, prompt, NAMES), in_one_row, atol=1e-4, rtol=0)


@pytest.mark.parametrize("family", sorted(FAMILIES.keys() - {"qwen3_5"}))
def test_gradients_equal_those_of_brute_force(family):
    """A loss over all classes is trained through the shared prefix."""
    model = tiny(family).requires_grad_(False)
    embeddings = model.get_input_embeddings().requires_grad_(True)
    prompt = prompt_of(model, family)
    found = []
    for score in (likelihood.label_scores, likelihood.label_scores_apart):
        model.zero_grad()
        score(model, prompt, NAMES).log_softmax(-1)[:, 1].sum().backward()
        found.append(embeddings.weight.grad.clone())
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-4)
    assert found[0].abs().max() > 0.01


def test_a_running_state_is_not_shared_in_training():
    model = tiny("qwen3_5")
    with pytest.raises(UserError, match=r"loss.share_prefix: .* set false"):
        likelihood.label_scores(model, prompt_of(model, "qwen3_5"), NAMES)


def only_first(prompt):
    first = {key: value[:1] for key, value in prompt.items()}
    if "pixel_values" in prompt:
        first["pixel_values"] = prompt["pixel_values"][:16]
    return first
