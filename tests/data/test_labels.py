"""Names, never numbers, identify a class."""

import pytest

from emovlm import UserError
from emovlm.data import labels


@pytest.mark.parametrize("word", ["None", "NA", "null", "no", "on", "nan", "True", "1st", "v2", "-"])
def test_words_are_names(word):
    assert labels.class_name(f"  {word} ", "t.csv:2") == word


@pytest.mark.parametrize("nothing", [None, "", "   "])
def test_nothing_is_no_label(nothing):
    assert labels.class_name(nothing, "t.csv:2") is None


@pytest.mark.parametrize("number", ["0", "3", "-1", "1.0", "1e3", ".5", 0, 3, 1.0])
def test_bare_numbers_are_refused_with_the_remedy(number):
    with pytest.raises(UserError, match=r"t\.csv:2: label .* is a bare number; write .* data\.names"):
        labels.class_name(number, "t.csv:2")


@pytest.mark.parametrize("value", [True, False, ["happy"], {"happy": 1}])
def test_what_is_no_text_is_refused(value):
    with pytest.raises(UserError, match=r"t\.jsonl:1: label .* is no text"):
        labels.class_name(value, "t.jsonl:1")


def test_a_table_names_numbers():
    table = labels.name_table({0: "neutral", "1": " happy "})
    assert [labels.class_name(code, "p", table) for code in ("0", 1, "surprise")] == ["neutral", "happy", "surprise"]
    with pytest.raises(UserError, match="label 2 is not in the table `names`"):
        labels.class_name("2", "p", table)


@pytest.mark.parametrize("table", [{False: "neutral"}, {"0": 1}, {"0": "7"}, {"0": " "}])
def test_a_table_of_numbers_is_no_table(table):
    with pytest.raises(UserError, match=r"data\.names"):
        labels.name_table(table)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["happy", False], "False is no class name"),
        (["happy", 3], "3 is no class name"),
        (["happy", "3"], "'3' is no class name"),
        (["happy", "happy"], "class 'happy' is given twice"),
        (["happy", "Happy"], "differ only in case"),
    ],
)
def test_class_lists_that_are_refused(classes, message):
    with pytest.raises(UserError, match=message):
        labels.check_classes(classes)


def test_an_unknown_label_gets_a_near_miss():
    assert "did you mean 'happy'?" in str(labels.unknown_label("hapy", ["happy", "sad"], "t.csv:3"))
    assert "allowed: happy, sad" in str(labels.unknown_label("fear", ["happy", "sad"], "t.csv:3"))


def test_no_class_at_all_is_refused():
    with pytest.raises(UserError, match=r"data\.classes: is empty"):
        labels.check_classes([])
