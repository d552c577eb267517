"""Rows as data sets: in memory where they are few, mapped from one file where they are many."""

import pytest

from emovlm import UserError
from emovlm.data import columns

ROWS = [
    {"id": str(n), "media": [f"{n}.jpg", "x.jpg"], "label": "sad", "soft_label": [0.25, 0.75], "film": {"year": n}}
    for n in range(5)
] + [{"id": "5", "media": ["a.mp4"], "apex_s": 0.5}]


@pytest.fixture
def mapped(monkeypatch, tmp_path):
    monkeypatch.setattr(columns, "MAPPED", 3)
    monkeypatch.setattr(columns.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return tmp_path / "cache" / "emovlm"


def test_a_mapped_set_is_the_one_in_memory_and_its_file_is_shared(mapped, monkeypatch):
    first = columns.to_dataset({"train": ROWS, "test": ROWS[:2]}, ["happy", "sad"])
    again = columns.to_dataset({"train": ROWS}, ["happy", "sad"])["train"]
    (file,) = mapped.iterdir()
    assert [entry["filename"] for entry in first["train"].cache_files] == [str(file)]
    assert again.cache_files == first["train"].cache_files
    assert first["test"].cache_files == []
    monkeypatch.setattr(columns, "MAPPED", 100)
    in_memory = columns.to_dataset({"train": ROWS}, ["happy", "sad"])["train"]
    assert first["train"].features == in_memory.features
    assert list(first["train"]) == list(in_memory)
    assert in_memory[4] == {**ROWS[4], "label": 1, "apex_s": None}
    assert (in_memory[5]["label"], in_memory[5]["film"]) == (None, None)


def test_a_cache_that_cannot_be_written_is_named_with_the_remedy(mapped):
    mapped.parent.write_text("a file where the folder should be")
    with pytest.raises(UserError, match=r"cannot be written .*; set HF_DATASETS_CACHE"):
        columns.to_dataset({"train": ROWS}, ["happy", "sad"])
