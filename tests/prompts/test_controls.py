"""Every control keeps what it says and changes nothing else: on a clip of 3 chosen frames and 2 in each of 2 gaps."""

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from emovlm import lookup
from emovlm.prompts import controls
from emovlm.prompts.arrangement import WHOLE, Arrangement, Given, partners

OWN, BETWEEN = (0, 3, 6), {0: (1, 2), 1: (4, 5)}
TEXTS = {0: ["brows raise", "lips part a bit"], 1: ["chin raises", "eyes close"], WHOLE: ["brows raise, then stop"]}
OTHERS = {0: ["x"], 1: ["y", "z"], WHOLE: ["x to z"]}
GIVEN = Given(OWN, BETWEEN, TEXTS, OTHERS, frame_tokens=18, text_tokens=40, seed=3, name="clip")


def test_the_texts_of_another_clip_gap_by_gap():
    assert controls.texts_of_another_clip(GIVEN) == Arrangement(OWN, OTHERS)
    fewer = Given(OWN, BETWEEN, TEXTS, {0: ["x"]})
    assert controls.texts_of_another_clip(fewer).texts == {0: ["x"], 1: ["x"]}
    assert controls.texts_of_another_clip(Given(OWN, BETWEEN, TEXTS, {})).texts == {}


def test_order_is_all_that_reversed_and_shuffled_change():
    turned = controls.reversed(GIVEN)
    assert turned == Arrangement(OWN, {0: ["eyes close", "chin raises"], 1: ["lips part a bit", "brows raise"]})
    shuffled = controls.shuffled_order(GIVEN).texts
    flat = [*shuffled[0], *shuffled[1]]
    assert sorted(flat) == sorted(TEXTS[0] + TEXTS[1])
    assert flat != TEXTS[0] + TEXTS[1]
    same = Given(OWN, BETWEEN, {0: ["a"], 1: ["a"]})
    assert controls.shuffled_order(same).texts == {0: ["a"], 1: ["a"]}, "texts that are alike have one order"


def test_static_is_one_text_in_every_place():
    assert controls.static(GIVEN).texts == {0: ["chin raises"] * 2, 1: ["chin raises"] * 2}


def test_irrelevant_has_as_many_words_everywhere_and_none_of_the_clip():
    found = controls.irrelevant(GIVEN).texts
    assert {gap: [len(text.split()) for text in texts] for gap, texts in found.items()} == {
        gap: [len(text.split()) for text in texts] for gap, texts in TEXTS.items()
    }
    told = {word for texts in TEXTS.values() for text in texts for word in text.replace(",", "").split()} - {"a"}
    assert not told & {word for texts in found.values() for text in texts for word in text.split()}


def test_frames_or_texts_alone():
    assert controls.texts_only(GIVEN) == Arrangement((), TEXTS)
    assert controls.keyframes_only(GIVEN) == Arrangement(OWN, {})


def test_more_frames_without_news_and_with():
    assert controls.repeated_frames(GIVEN) == Arrangement((0, 0, 3, 3, 3, 6, 6), {})
    assert controls.dense(GIVEN) == Arrangement((0, 1, 2, 3, 4, 5, 6), {})


@pytest.mark.parametrize(("text_tokens", "more"), [(0, ()), (17, ()), (18, (4,)), (40, (2, 5)), (999, (1, 2, 4, 5))])
def test_dense_at_equal_tokens_buys_frames_with_the_tokens_of_the_texts(text_tokens, more):
    # One frame costs 18 tokens; n of the 4 skipped frames 1, 2, 4, 5: those at (2 k + 1) * 4 // (2 n).
    poor = Given(OWN, BETWEEN, TEXTS, frame_tokens=18, text_tokens=text_tokens)
    assert controls.dense_equal_tokens(poor) == Arrangement(tuple(sorted({*OWN, *more})), {})


@pytest.mark.parametrize("name", lookup.CONTROL.names())
def test_every_control_is_pure_and_documented(name):
    control = lookup.resolve(lookup.CONTROL, name)
    assert control.__doc__
    found = control(GIVEN)
    assert found == control(GIVEN)
    assert set(found.frames) <= set(range(7))
    assert list(found.frames) == sorted(found.frames)
    assert set(found.texts) <= set(TEXTS)
    assert (found.texts == {}) == (name in controls.WITHOUT_TEXTS | {"dense_equal_tokens"})
    without = Given(OWN, {}, TEXTS, OTHERS, frame_tokens=18, text_tokens=40, seed=3, name="clip")
    assert (control(without).frames != found.frames) == (name in controls.LOOK_BETWEEN)
    assert control(Given(OWN)).texts == {}, "a clip without a gap has no texts and fails at nothing"


@drawn(st.sets(st.text(max_size=5), min_size=2, max_size=30), st.integers(0, 5))
def test_partners_are_others_and_each_is_used_once(names, seed):
    found = partners(sorted(names), seed)
    assert all(name != other for name, other in found.items())
    assert set(found) == set(found.values()) == names
    assert found == partners(sorted(names, reverse=True), seed)
