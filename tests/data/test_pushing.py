"""A recipe's rows as a repository folder that `datasets` reads back, with media, classes and splits."""

import json
from pathlib import Path

import datasets
import pytest
import yaml

from emovlm import UserError
from emovlm.data import columns, pushing, tables
from emovlm.recipe import Data


@pytest.fixture(autouse=True)
def caches(monkeypatch, tmp_path):
    monkeypatch.setenv("EMOVLM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(columns.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def write_rows(folder, media):
    """Three clips of two people; the second has no label."""
    folder.mkdir()
    rows = []
    for n, names in enumerate(media):
        for name in names:
            (folder / name).write_bytes(f"content of {name}".encode())
        row = {"id": f"00{n}", "media": names, "subject": f"p{n}", "split": "test" if n == 2 else "train", "apex_s": n}
        rows.append(row if n == 1 else row | {"label": "happy" if n else "no"})
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"source": "jsonl", "root": str(folder / "rows.jsonl")}


def read_back(folder, tmp_path):
    return datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "read"))


def test_videos_come_back_through_datasets_and_as_a_source(small, tmp_path):
    data = write_rows(tmp_path / "mine", [["a.mp4"], ["b.mp4"], ["c.mp4"]])
    said = pushing.push(small(data=data), tmp_path / "set")
    assert said[0].startswith(f"{tmp_path}/set: train 2, test 1 rows with their media inside, 0.0 MB")
    found = read_back(tmp_path / "set", tmp_path)
    features = found["train"].features
    assert features["label"].names == ["happy", "no"]
    assert isinstance(features["media"], datasets.Video)
    bare = found["train"].cast_column("media", datasets.Video(decode=False))
    assert bare[0] == {
        "id": "000",
        "media": {"bytes": b"content of a.mp4", "path": "a.mp4"},
        "label": 1,
        "subject": "p0",
        "apex_s": 0.0,
    }
    assert bare[1]["label"] is None
    again, classes = tables.load_rows(Data.model_validate({"source": "hub", "root": str(tmp_path / "set")}))
    before, _ = tables.load_rows(Data.model_validate(data))
    assert classes == ["happy", "no"]
    assert {split: [without(row) for row in part] for split, part in again.items()} == {
        split: [without(row) for row in part] for split, part in before.items()
    }


def without(row):
    """A row whose media are what is in the files."""
    return row | {"media": [Path(path).read_bytes() for path in row["media"]]}


def test_pictures_in_several_files_of_a_split(small, tmp_path, monkeypatch):
    monkeypatch.setattr(pushing, "SHARD", 30)
    data = write_rows(tmp_path / "mine", [["a1.jpg", "a2.jpg"], ["b.jpg"], ["c.jpg"]])
    pushing.push(small(data=data), tmp_path / "set")
    assert sorted(file.name for file in (tmp_path / "set" / "data").iterdir()) == [
        "test-00000-of-00001.parquet",
        "train-00000-of-00002.parquet",
        "train-00001-of-00002.parquet",
    ]
    found = read_back(tmp_path / "set", tmp_path)["train"]
    bare = found.cast_column("media", datasets.List(datasets.Image(decode=False)))
    assert [[file["path"] for file in files] for files in bare["media"]] == [["a1.jpg", "a2.jpg"], ["b.jpg"]]


def test_the_card_counts_and_says_how_it_was_made_and_leaves_the_licence(small, tmp_path):
    data = write_rows(tmp_path / "mine", [["a.mp4"], ["b.mp4"], ["c.mp4"]])
    pushing.push(small(data=data), tmp_path / "set")
    card = (tmp_path / "set" / "README.md").read_text()
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["license"] is None
    assert header["task_categories"] == ["video-classification"]
    assert header["configs"][0]["data_files"] == [
        {"split": "train", "path": "data/train-*"},
        {"split": "test", "path": "data/test-*"},
    ]
    table = [
        "| class | train | test |",
        "|---|---|---|",
        "| happy | 0 | 1 |",
        "| no | 1 | 0 |",
        "| (no label) | 1 | 0 |",
    ]
    assert "\n".join([*table, "| all | 2 | 1 |"]) in card
    assert "No `subject` is in two splits (2 in train, 1 in test)." in card
    assert "source: jsonl" in card
    assert str(tmp_path) not in card, "where the set lies is not told"


def test_what_cannot_be_pushed(small, tmp_path):
    data = write_rows(tmp_path / "mine", [["a.mp4"], ["b.jpg"], ["c.mp4"]])
    with pytest.raises(UserError, match=r"rows of videos \(the first: '000'\) and of pictures \('001'\)"):
        pushing.push(small(data=data), tmp_path / "set")
    assert not (tmp_path / "set").exists()
    with pytest.raises(UserError, match="exists; name another folder"):
        pushing.push(small(data=data), tmp_path / "mine")


def test_a_folder_inside_a_file_is_refused(small, tmp_path):
    data = write_rows(tmp_path / "mine", [["a.mp4"], ["b.mp4"], ["c.mp4"]])
    (tmp_path / "ff").touch()
    with pytest.raises(UserError, match=r"ff/x: cannot be made \(Not a directory\)"):
        pushing.push(small(data=data), tmp_path / "ff" / "x")


def test_shares_come_back_in_the_order_of_the_classes(small, tmp_path):
    data = write_rows(tmp_path / "mine", [["a.mp4"], ["b.mp4"], ["c.mp4"]])
    rows = [json.loads(line) for line in Path(data["root"]).read_text().splitlines()]
    rows[0]["soft_label"] = {"no": 0.75, "happy": 0.25}
    Path(data["root"]).write_text("".join(json.dumps(row) + "\n" for row in rows))
    pushing.push(small(data={**data, "classes": ["no", "happy"]}), tmp_path / "set")
    again, classes = tables.load_rows(Data.model_validate({"source": "hub", "root": str(tmp_path / "set")}))
    assert (classes, again["train"][0]["soft_label"]) == (["happy", "no"], [0.25, 0.75])
