"""The shared prefix gives what C full forward passes give, whatever the batch and its padding."""

import numpy as np
import pytest
import torch

from emovlm.longtail.losses import answer_nll
from emovlm.prompts.collator import Collator
from emovlm.scoring.kinds import class_scores
from emovlm.scoring.likelihood import label_scores, label_scores_apart, token_scores

# One to four tokens and the end-of-turn; a name that begins another; two that share their first token.
CLASSES = ["happy", "happy surprise", "sad", "sadness", "neutral", "disgust"]


@pytest.fixture(scope="module", params=["images", "video"])
def case(request, small, demo_vlm, demo_rows):
    recipe = small(frames={"input": request.param, "keep": 4}, prompt={"list_classes": True})
    rows = [{**demo_rows[index], "row": index} for index in range(4)]
    told = {row["id"]: {} for row in rows} | {rows[1]["id"]: {0: ["brows down", "lips pressed"]}}
    texts = told if request.param == "images" else None
    scoring = Collator(demo_vlm.processor, recipe, CLASSES, with_answers=False, texts=texts)
    training = Collator(demo_vlm.processor, recipe, CLASSES, with_answers=True, texts=texts)
    names = [scoring.answers.ids(name) for name in CLASSES]
    assert {len(ids) for ids in names} == {2, 3, 4, 5}
    return demo_vlm.model, scoring, training, rows, names


def test_equal_to_brute_force(case):
    model, scoring, training, rows, names = case
    found = label_scores(model, scoring(rows), names)
    for c in range(len(CLASSES)):
        batch = training([{**row, "label": c} for row in rows])
        labels, _ = batch.pop("labels"), batch.pop("rows_B")
        with torch.no_grad():
            logits = model(**batch, logits_to_keep=labels.shape[1] + 1).logits[:, :-1]
        assert torch.allclose(found[:, c], -answer_nll(logits, labels), atol=1e-4)


def test_batch_of_four_is_four_batches_of_one(case):
    model, scoring, _, rows, names = case
    together = label_scores(model, scoring(rows), names)
    alone = torch.cat([label_scores(model, scoring([row]), names) for row in rows])
    assert torch.allclose(together, alone, atol=1e-4)


def test_order_of_the_names_does_not_matter(case, small):
    """The prompt lists no classes here: with a list, another order is another question."""
    model, scoring, _, rows, names = case
    prompt = Collator(scoring.processor, small(), CLASSES, with_answers=False)(rows)
    with torch.no_grad():
        forth, back = token_scores(model, prompt, names).numpy(), token_scores(model, prompt, names[::-1]).numpy()
    for kind in ("sum", "trie", "mean"):
        there, again = class_scores(forth, names, kind), class_scores(back, names[::-1], kind)
        np.testing.assert_allclose(there, again[:, ::-1], atol=1e-6, rtol=0)


def test_tokens_add_up_to_the_score_and_each_equals_brute_force(case):
    model, scoring, _, rows, names = case
    prompt = scoring(rows[:2])
    logp_BCA = token_scores(model, prompt, names)
    assert torch.equal(logp_BCA.sum(-1), label_scores(model, prompt, names))
    for c, ids in enumerate(names):
        begun = [0.0, *(label_scores_apart(model, prompt, [ids[:a]])[:, 0] for a in range(1, len(ids) + 1))]
        for a in range(len(ids)):
            assert torch.allclose(logp_BCA[:, c, a], begun[a + 1] - begun[a], atol=1e-4)
        assert (logp_BCA[:, c, len(ids) :] == 0).all()


def test_trie_is_constrained_decoding(case):
    """Walk every way down: at each step only tokens that go on with some name may come, each by a pass of its own."""
    model, scoring, _, rows, names = case
    prompt = scoring(rows[:2])

    def walk(begun, log_p_B):
        if begun in names:
            return {tuple(begun): log_p_B}
        tokens = sorted({ids[len(begun)] for ids in names if ids[: len(begun)] == begun and len(ids) > len(begun)})
        next_BK = label_scores_apart(model, prompt, [[*begun, token] for token in tokens]).log_softmax(-1)
        found = {}
        for k, token in enumerate(tokens):
            found |= walk([*begun, token], log_p_B + next_BK[:, k])
        return found

    with torch.no_grad():
        decoded = walk([], torch.zeros(2))
        scores_BC = class_scores(token_scores(model, prompt, names).numpy(), names, "trie")
    np.testing.assert_allclose(scores_BC, np.stack([decoded[tuple(ids)] for ids in names], axis=1), atol=1e-4)
    np.testing.assert_allclose(np.exp(scores_BC).sum(axis=1), 1, atol=1e-6)


def test_shared_tokens_and_the_prompt_are_computed_once(case):
    """ "happy" and "sad" begin two names each, and stand behind the prompt once."""
    model, scoring, _, rows, names = case
    prompt, widths = scoring(rows), []
    hook = model.register_forward_pre_hook(
        lambda module, args, kwargs: widths.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    with torch.no_grad():
        label_scores(model, prompt, names)
    hook.remove()
    nodes = {tuple(ids[:a]) for ids in names for a in range(1, len(ids))}
    assert len(nodes) == sum(len(ids) - 1 for ids in names) - 1 - 1
    assert widths == [tuple(prompt["input_ids"].shape), (4, len(nodes))]


def test_the_end_of_turn_is_part_of_the_score(case):
    """Without it a name could never lose against a longer one that it begins."""
    model, scoring, _, rows, names = case
    whole = label_scores(model, scoring(rows), names)
    bare = label_scores(model, scoring(rows), [ids[: -len(scoring.answers.end_ids)] for ids in names])
    assert (bare[:, 0] >= bare[:, 1]).all()
    assert (whole < bare + 1e-6).all()


def test_scores_are_probabilities_of_disjoint_answers(case):
    model, scoring, _, rows, names = case
    assert (label_scores(model, scoring(rows), names).exp().sum(dim=1) <= 1 + 1e-5).all()
