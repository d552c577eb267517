"""The shared prefix gives what brute force gives in every family, whatever its attention and its positions."""

import pytest
import torch

from emovlm import UserError
from emovlm.scoring import likelihood

from .tiny_families import FAMILIES, SIDE

# One name begins like two others, one ends where another goes on (2 is the end-of-turn).
NAMES = [[65, 67, 2], [65, 69, 2], [65, 2], [66, 2], [65, 69, 71, 72, 2]]
TEXTS = ("Which emotion is it?", "Which?")  # the second prompt is padded on the left


@pytest.fixture(scope="module")
def asked(family):
    """`asked(name)` -> model and a prompt of two clips, with pictures as the family's own processor gives them."""

    def asked(name):
        vlm = family(name)
        turns = [
            [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}, {"type": "image"}]}]
            for text in TEXTS
        ]
        texts = [vlm.processor.apply_chat_template(turn, add_generation_prompt=True) for turn in turns]
        rng = torch.Generator().manual_seed(0)
        pictures = torch.randint(0, 255, (2, 2, 3, SIDE, SIDE), dtype=torch.uint8, generator=rng)
        images = [list(pair) for pair in pictures]
        prompt = vlm.processor(text=texts, images=images, padding=True, padding_side="left", return_tensors="pt")
        assert prompt["attention_mask"][1, 0] == 0
        return vlm.model, dict(prompt)

    return asked


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_shared_prefix_equals_brute_force(asked, name):
    model, prompt = asked(name)
    apart = likelihood.label_scores_apart(model, prompt, NAMES)
    shared = likelihood.label_scores(model, prompt, NAMES)
    torch.testing.assert_close(shared, apart, atol=1e-4, rtol=0)
    assert (apart[0] - apart[1]).abs().max() > 0.01  # the prompt matters


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_copies_of_the_cache_are_taken_only_where_one_row_will_not_do(asked, name):
    """Both ways give the same numbers, so only the cost would tell."""
    model, prompt = asked(name)
    cache = model(**prompt, use_cache=True).past_key_values
    assert likelihood._reads_a_tree(model, cache) == FAMILIES[name].one_row


@pytest.mark.parametrize("name", [name for name, own in FAMILIES.items() if own.one_row])
@torch.no_grad()
def test_copies_of_the_cache_give_the_same(asked, name, monkeypatch):
    """The way of flash attention, which can't be told where to look."""
    model, prompt = asked(name)
    in_one_row = likelihood.label_scores(model, prompt, NAMES)
    monkeypatch.setattr(likelihood, "_reads_a_tree", lambda model, cache: False)
    monkeypatch.delattr(likelihood, "_in_one_row")
    torch.testing.assert_close(likelihood.label_scores(model, prompt, NAMES), in_one_row, atol=1e-4, rtol=0)


# Layers that overwrite a running state.
RUNNING = {"qwen3_5", "lfm2_vl", "minicpmv4_6"}


@pytest.mark.parametrize("name", sorted(FAMILIES.keys() - RUNNING))
def test_gradients_equal_those_of_brute_force(asked, name):
    """A loss over all classes is trained through the shared prefix."""
    model, prompt = asked(name)
    embeddings = model.requires_grad_(False).get_input_embeddings().requires_grad_(True)
    found = []
    for score in (likelihood.label_scores, likelihood.label_scores_apart):
        model.zero_grad()
        score(model, prompt, NAMES).log_softmax(-1)[:, 1].sum().backward()
        found.append(embeddings.weight.grad.clone())
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-4)
    assert found[0].abs().max() > 0.01


@pytest.mark.parametrize("name", sorted(RUNNING))
def test_a_running_state_is_not_shared_in_training(asked, name):
    with pytest.raises(UserError, match=r"loss.share_prefix: .* set false"):
        likelihood.label_scores(*asked(name), NAMES)


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_only_the_last_logits_are_computed_where_only_they_are_wanted(asked, name):
    """Also in the families whose forward has no such argument."""
    model, prompt = asked(name)
    whole = model(**prompt).logits
    kept = model(**prompt, logits_to_keep=2).logits
    assert kept.shape[1] == 2
    torch.testing.assert_close(kept, whole[:, -2:], atol=1e-5, rtol=0)
