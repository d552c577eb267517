"""Class names in texts: whole words in any spelling, counted by class, taken out without a trace."""

from emovlm.enrich.masking import masked, mentions

WORDS = {
    "happy": ["happy", "joy", "happiness"],
    "angry": ["angry", "mad"],
    "fearfully surprised": ["fearfully surprised"],
}
TEXTS = {
    "a": {0: ["a happy face"], 1: ["brows rise"]},
    "b": {0: ["Angry, with joy"]},
    "c": {0: ["lips part"], 1: ["mad."]},
    "d": {0: ["made nomads happily"]},
    "e": {0: ["angry"]},
}
LABELS = {"a": "happy", "b": "angry", "c": "happy", "d": "fearfully surprised", "e": None}


def test_who_says_what():
    assert mentions(TEXTS, LABELS, WORDS) == {
        "happy": {"clips": 2, "say_own": 1, "say_other": 1, "said_by_others": 2},
        "angry": {"clips": 1, "say_own": 1, "say_other": 1, "said_by_others": 1},
        "fearfully surprised": {"clips": 1, "say_own": 0, "say_other": 1, "said_by_others": 0},
    }


def test_forms_of_a_word_say_the_class_too():
    words = {"sad": ["sad"], "angry": ["angry"], "surprise": ["surprise"], "happy": ["happy"], "disgust": ["disgust"]}
    said = "sadly sadness sadder saddened angrily angrier surprised surprising surprisingly happily disgusting"
    for form in [*said.split(), "Angry-looking", "sad-eyed"]:
        assert masked({"x": {0: [f"she turns {form} and looks up"]}}, words) == {"x": {0: ["she turns and looks up"]}}
    for other in ("saddle", "sadist", "hungrily", "unhappy", "surprisal", "mishap"):
        text = f"a {other} there"
        assert masked({"x": {0: [text]}}, words) == {"x": {0: [text]}}, other


def left(text):
    return masked({"x": {0: [text]}}, WORDS)["x"]


def test_words_go_and_what_stands_around_them_closes_up():
    assert left("a happy face") == {0: ["a face"]}
    assert left("looks angry, then Mad.") == {0: ["looks, then."]}
    assert left("joy; lips part; happy") == {0: ["lips part"]}
    assert left("fearfully-surprised look, fearfully_surprised too") == {0: ["look, too"]}
    assert left("made nomads, unhappy") == {0: ["made nomads, unhappy"]}


def test_a_longer_name_goes_as_a_whole():
    words = {"happy": ["happy"], "happy surprise": ["happy surprise"]}
    assert masked({"x": {0: ["a happy surprise face"]}}, words) == {"x": {0: ["a face"]}}


def test_a_text_without_class_names_is_left_as_it_is():
    assert left("brows rise ,  peak 0.4 s;") == {0: ["brows rise ,  peak 0.4 s;"]}


def test_a_text_of_which_nothing_is_left_is_left_out_with_its_gap():
    assert left("Happy!") == {}
    assert masked(TEXTS, WORDS)["c"] == {0: ["lips part"]}
    assert set(masked(TEXTS, WORDS)) == set(TEXTS), "every clip stays"
