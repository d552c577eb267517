"""The shared prefix gives what C full forward passes give, whatever the batch and its padding."""

import pytest
import torch

from emovlm.longtail.losses import answer_nll
from emovlm.prompts.collator import Collator
from emovlm.scoring.likelihood import label_scores

# One to four tokens, and a name that begins another.
CLASSES = ["happy", "happy surprise", "sad", "neutral", "disgust"]


@pytest.fixture(scope="module", params=["images", "video"])
def case(request, small, demo_vlm, demo_rows):
    recipe = small(frames={"input": request.param, "keep": 4}, prompt={"list_classes": True})
    rows = [{**demo_rows[index], "row": index} for index in range(4)]
    texts = {rows[1]["id"]: {0: ["brows down", "lips pressed"]}} if request.param == "images" else None
    scoring = Collator(demo_vlm.processor, recipe, CLASSES, with_answers=False, texts=texts)
    training = Collator(demo_vlm.processor, recipe, CLASSES, with_answers=True, texts=texts)
    names = [scoring.answers.ids(name) for name in CLASSES]
    assert len({len(ids) for ids in names}) > 2
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


def test_order_of_the_names_does_not_matter(case):
    model, scoring, _, rows, names = case
    forth, back = label_scores(model, scoring(rows), names), label_scores(model, scoring(rows), names[::-1])
    assert torch.allclose(forth, back.flip(1), atol=1e-5)


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
