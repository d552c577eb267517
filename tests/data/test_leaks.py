"""Leaks are counted, by hand."""

import json
import warnings

import pytest

from emovlm.data.leaks import LeakWarning, leak_notes, spells
from emovlm.data.splits import load
from emovlm.recipe import Data


@pytest.mark.parametrize(
    ("text", "name", "spelt"),
    [
        ("I am HAPPY.", "happy", True),
        ("unhappy", "happy", False),
        ("Happiness is a warm gun", "happy", False),
        ("what a happy, surprise party", "happy_surprise", True),
        ("happy birthday; a surprise", "happy surprise", False),
        ("GROSSE STRASSE", "straße", True),
        ("I'm sad", "m", True),
        ("", "sad", False),
    ],
)
def test_whole_words_whatever_their_case(text, name, spelt):
    assert spells(text, name) is spelt


def test_a_source_in_two_splits_is_counted_once():
    by_split = {
        "train": [{"id": "1", "source": "b"}, {"id": "2", "source": "b"}, {"id": "3", "source": "c"}],
        "validation": [{"id": "4", "source": "a"}, {"id": "5", "source": "b"}],
        "test": [{"id": "6", "source": "a"}, {"id": "7"}],
    }
    (note,) = leak_notes(by_split)
    assert "2 of 3 sources are in more than one split (the first: 'a', in validation, test)" in note
    assert "data.splits.unit=source" in note
    assert leak_notes({"train": by_split["train"], "test": by_split["test"]}) == []


def test_texts_that_spell_their_own_class_are_counted_by_split():
    by_split = {
        "train": [
            {"id": "1", "label": "happy", "text": "Happy now?"},
            {"id": "2", "label": "sad", "text": "happy for you"},  # another row's class
            {"id": "3", "label": "sad"},
            {"id": "4", "text": "sad"},
        ],
        "validation": [{"id": "5", "label": "sad", "text": "no"}],
        "test": [{"id": "6", "label": "sad", "text": "so sad"}, {"id": "7", "label": "sad", "text": "sad!"}],
    }
    (note,) = leak_notes(by_split)
    assert "class of its own row: 1 of 2 in train, 2 of 2 in test (the first: '1', happy)" in note


def test_loading_warns_of_each(tmp_path):
    (tmp_path / "a.mp4").touch()
    rows = [
        {"id": str(index), "media": "a.mp4", "label": "sad", "subject": str(index), "source": "film", "text": "sad"}
        for index in range(20)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = Data.model_validate({"source": "jsonl", "root": str(tmp_path / "rows.jsonl")})
    with pytest.warns(LeakWarning) as caught:
        load(data)
    assert len(caught) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(Data(source="demo"))
