"""A reply claims one class or none; each test below is a way in which public scorers read one too kindly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovlm.data.synonyms import class_synonyms
from emovlm.scoring import parse as rules
from emovlm.scoring.parse import parse

CLASSES = ["happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"]
NAMES = class_synonyms(CLASSES)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("happy", "happy"),
        ("  Happy.\n", "happy"),
        ("HAPPINESS", "happy"),
        ("**Anger**", "angry"),
        ("The person is _afraid_.", "fear"),
        ("Unhappy", "sad"),
        ("The emotion is 'joy', a joyful and happy face.", "happy"),
        ('{"emotion": "disgust"}', "disgust"),
        ("neutral expression", "neutral"),
        ("It’s sadness: the corners of the mouth point down.", "sad"),
    ],
)
def test_one_class_is_read_by_its_name_or_a_synonym(text, label):
    assert parse(text, NAMES) == (label, None)


@pytest.mark.parametrize("text", ["", "I can't tell.", "The person sits at a table.", "Yes", "4", "unknown", "anxious"])
def test_the_unreadable_is_never_a_class_and_above_all_not_neutral(text):
    assert parse(text, NAMES) == (None, "no class named")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("happy or sad", "happy, sad"),
        ("It may be anger, disgust or fear.", "angry, disgust, fear"),
        ("Choose one of: happy, sad, neutral. Happy.", "happy, neutral, sad"),
        ("not only happy but also surprised", "happy, surprise"),
        ("The eyes say fear. The mouth says joy.", "fear, happy"),
    ],
)
def test_the_true_word_somewhere_in_the_reply_is_not_enough(text, found):
    assert parse(text, NAMES) == (None, f"several: {found}")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Could be happy? The mouth is open, so surprise.\n<answer>sad</answer>", "sad"),
        ("Happy at first, then angry. <ANSWER> Fear </ANSWER> Not happy, sad, whatever.", "fear"),
        ("<think>happy, no, sad...</think>disgust", "disgust"),
        ("the mouth is sad</think>\nneutral", "neutral"),
        ("<think>a <answer>sad</answer>?</think><answer>happy</answer>", "happy"),
    ],
)
def test_the_first_label_inside_the_reasoning_is_no_answer(text, label):
    assert parse(text, NAMES) == (label, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("happy <answer></answer>", "no class named"),
        ("happy <answer>I cannot say</answer>", "no class named"),
        ("<answer>happy</answer> or <answer>sad</answer>", "several: happy, sad"),
        ("<answer>happy surp", "answer tag not closed"),
        ("<think>the mouth is happy", "no class named"),
    ],
)
def test_a_tag_that_holds_no_single_class_is_not_made_up_for_by_the_rest(text, reason):
    assert parse(text, NAMES) == (None, reason)


@pytest.mark.parametrize(
    "text",
    [
        "not happy",
        "isn't happy",
        "The person isn’t happy.",
        "isnt happy",
        "He is no longer happy",
        "She's never happy",
        "not so happy",
        "not yet happy",
        "not, in my view, happy",
        "non-happy",
        "cannot be happy",
        "can't be happy",
        "There are no signs of happiness.",
        "without joy",
        "a lack of joy",
        "The face lacks joy.",
        "far from happy",
        "anything but happy",
        "Happiness is not present.",
        "Happiness is clearly not there.",
        "happiness doesn't seem likely",
        "happiness can't be seen",
        "Happiness, I think, cannot be seen.",
        "happiness can be ruled out",
        "joy is absent",
        "Joy is lacking.",
        "We can rule out happiness.",
    ],
)
def test_not_happy_is_not_happy(text):
    assert parse(text, NAMES) == (None, "only denied: happy")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("not happy but sad", "sad"),
        ("not happy, they look sad", "sad"),
        ("The person is not happy. Sad.", "sad"),
        ("not happy; sad", "sad"),
        ("not happy — sad", "sad"),
        ("not happy - sad", "sad"),
        ("sad, not happy", "sad"),
        ("sad rather than happy", "sad"),
        ("Rather than happy, she looks sad", "sad"),
        ("sad and is not smiling", "sad"),
        ("neither happy nor angry; she is sad", "sad"),
        ("No, the person is sad.", "sad"),
        ("It is no doubt sad.", "sad"),
        ("Is the person happy? No. The person is sad.", "sad"),
    ],
)
def test_a_denial_leaves_the_class_that_is_claimed(text, label):
    assert parse(text, NAMES) == (label, None)


@pytest.mark.parametrize("text", ["not happy or sad", "not happy, or sad", "neither happy nor sad", "not happy, sad"])
def test_a_denial_holds_for_what_is_listed_with_it(text):
    assert parse(text, NAMES) == (None, "only denied: happy, sad")


def test_said_and_denied_is_no_answer():
    assert parse("Happy. No, the person is not happy.", NAMES) == (None, "said and denied: happy")


def test_a_question_claims_nothing():
    assert parse("Is the person happy?", NAMES) == (None, "no class named")


@pytest.mark.parametrize("text", ["I'm afraid I cannot tell.", "I'd be happy to help with that!", "Glad to help."])
def test_courtesies_are_no_emotion(text):
    assert parse(text, NAMES) == (None, "no class named")


def test_whole_words_only():
    assert parse("sadistic, fearless, unsurprised, happyish", NAMES) == (None, "no class named")


def test_the_longest_name_first():
    names = {"happy": ["happy"], "surprise": ["surprise"], "happy surprise": ["happy surprise"]}
    for text in ("happy surprise", "Happy-Surprise", "happy_surprise", "happy  surprise"):
        assert parse(text, names).label == "happy surprise"
    assert parse("happy", names).label == "happy"
    assert parse("not happy surprise", names).reason == "only denied: happy surprise"
    assert parse("happy surprise", {name: names[name] for name in ("happy", "surprise")}).label is None


def test_without_synonyms_only_the_names_count():
    names = {name: [name] for name in CLASSES}
    assert parse("joy", names) == (None, "no class named")
    assert parse("happy", names).label == "happy"


def test_a_name_that_looks_like_a_rule_is_a_name():
    assert parse("none", {"none": ["none"], "happy": ["happy"]}).label == "none"
    assert parse("no emotion", {"no emotion": ["no emotion"], "emotion": ["emotion"]}).label == "no emotion"


def test_a_word_of_two_classes_is_refused():
    with pytest.raises(AssertionError, match="'joy' is a word of two classes"):
        parse("joy", {"happy": ["happy", "Joy"], "joy": ["joy"]})


@given(st.text(max_size=60))
def test_any_text_is_read_without_a_fault_and_gives_a_class_or_a_reason(text):
    label, reason = parse(text, NAMES)
    assert (label in CLASSES) != (reason is not None)


words = st.sampled_from(
    [*rules.NEGATORS, *rules.TURNS, *rules.DENIALS, *rules.VERBS, "and", "or", ",", ".", "?", "the"]
)


@given(st.lists(words, max_size=12), st.lists(words, max_size=12))
def test_a_class_is_only_ever_read_where_it_stands(before, after):
    label, _ = parse(" ".join([*before, "happy", *after]), NAMES)
    assert label in ("happy", None)
    assert parse(" ".join([*before, *after]), NAMES).label is None


def test_a_phrase_is_of_one_kind():
    phrases = [*rules.NEGATORS, *rules.NO_NEGATORS, *rules.DENIALS, *rules.TURNS, *rules.COURTESIES]
    assert len(phrases) == len(set(phrases))


@pytest.mark.parametrize("negator", [*rules.NEGATORS, "isn't", "doesn't look"])
def test_every_negator_denies(negator):
    assert parse(f"The person is {negator} sad", NAMES).label is None
    assert parse(f"{negator} sad", NAMES).label is None
