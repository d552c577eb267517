"""Greedy replies: the same alone and in a batch, cut off or not, whatever the checkpoint asks for."""

import logging

import peft
import pytest
from transformers import GenerationConfig

from emovlm.models import load as models
from emovlm.prompts.collator import Collator
from emovlm.recipe import Model
from emovlm.scoring.generate import generate
from emovlm.scoring.likelihood import label_scores


@pytest.fixture(scope="module", params=["images", "video"])
def asked(request, small, demo_vlm, demo_rows):
    """(model, collator, four rows): with texts between the pictures of one clip, so that the others are padded."""
    rows = [dict(demo_rows[index]) for index in range(4)]
    told = {row["id"]: {} for row in rows} | {rows[1]["id"]: {0: ["brows down", "lips pressed"]}}
    texts = told if request.param == "images" else None
    collator = Collator(
        demo_vlm.processor, small(frames={"input": request.param}), ["happy", "sad"], with_answers=False, texts=texts
    )
    return demo_vlm.model, collator, rows


def test_a_reply_is_the_likeliest_token_every_time(asked):
    model, collator, rows = asked
    replies = generate(model, collator.answers, collator(rows), max_new_tokens=12)
    for row, reply in zip(rows, replies, strict=True):
        prompt, ids = collator([row]), []
        while ids[-1:] != collator.answers.end_ids and len(ids) < 12:
            # Brute force: the next token of all, by passes over the prompt and what was written so far.
            scores = label_scores(model, prompt, [[*ids, token] for token in range(3, 455)] + [[*ids, 2]])[0]
            ids.append([*range(3, 455), 2][scores.argmax()])
        assert ids[-1:] == collator.answers.end_ids
        assert reply == (collator.answers.tokenizer.decode(ids[:-1]).strip(), False)


def test_batch_of_four_is_four_batches_of_one(asked):
    model, collator, rows = asked
    together = generate(model, collator.answers, collator(rows), max_new_tokens=12)
    alone = [generate(model, collator.answers, collator([row]), max_new_tokens=12)[0] for row in rows]
    assert together == alone
    assert len(set(together)) > 1  # else padding and rows could be mixed up unseen


def test_a_reply_without_its_end_is_cut_off(asked):
    model, collator, rows = asked
    whole = generate(model, collator.answers, collator(rows), max_new_tokens=12)
    short = generate(model, collator.answers, collator(rows), max_new_tokens=1)
    assert not any(reply.cut_off for reply in whole)
    assert all(reply.cut_off for reply in short)
    assert all(reply.text.startswith(cut.text) and reply.text != "" for reply, cut in zip(whole, short, strict=True))


def test_an_end_just_within_the_limit_is_an_end(asked):
    model, collator, rows = asked
    (whole,) = generate(model, collator.answers, collator(rows[:1]), max_new_tokens=12)
    exact = len(collator.answers.ids(whole.text))
    assert generate(model, collator.answers, collator(rows[:1]), max_new_tokens=exact) == [whole]
    assert generate(model, collator.answers, collator(rows[:1]), max_new_tokens=exact - 1) == [(whole.text, True)]


@pytest.fixture
def said():
    """What transformers logs, warnings included."""
    messages, logger = [], logging.getLogger("transformers")
    handler, level = logging.Handler(), logger.level
    handler.emit = lambda record: messages.append(record.getMessage())
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)
    yield messages
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_the_config_of_the_checkpoint_does_not_count_and_stays(asked, monkeypatch, said):
    model, collator, rows = asked
    expected = generate(model, collator.answers, collator(rows), max_new_tokens=12)
    of_qwen = {"do_sample": True, "temperature": 5.0, "top_p": 0.5, "top_k": 9, "min_p": 0.1, "repetition_penalty": 9.0}
    own = GenerationConfig(**of_qwen, max_length=3, suppress_tokens=collator.answers.ids(expected[0].text)[:1])
    monkeypatch.setattr(model, "generation_config", own)
    assert generate(model, collator.answers, collator(rows), max_new_tokens=12) == expected
    assert model.generation_config is own
    assert said == []


def test_a_second_end_of_the_checkpoint_ends_a_reply_too(asked, monkeypatch):
    model, collator, rows = asked
    (whole,) = generate(model, collator.answers, collator(rows[:1]), max_new_tokens=12)
    first = collator.answers.ids(whole.text)[0]
    monkeypatch.setattr(model, "generation_config", GenerationConfig(eos_token_id=[2, first]))
    assert generate(model, collator.answers, collator(rows[:1]), max_new_tokens=12) == [("", False)]


def test_wrapped_in_adapters_it_writes_the_same(asked):
    model, collator, rows = asked
    expected = generate(model, collator.answers, collator(rows), max_new_tokens=12)
    own = models.load(Model(name="demo")).model.eval()
    own.generation_config = GenerationConfig(suppress_tokens=collator.answers.ids(expected[0].text)[:1])
    wrapped = peft.get_peft_model(own, peft.LoraConfig(target_modules=["q_proj"], r=2))
    assert generate(wrapped, collator.answers, collator(rows), max_new_tokens=12) == expected
