"""Sets of the library `datasets`, all local: parquet files, what save_to_disk writes, pictures and videos in bytes."""

import io
import os
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image

from emovlm import UserError
from emovlm.data import mediacache
from emovlm.data.sources import hub
from emovlm.data.tables import load_rows
from emovlm.frames import decode
from emovlm.recipe import Data

from . import layouts


@pytest.fixture(autouse=True)
def _caches(monkeypatch, tmp_path):
    monkeypatch.setenv("EMOVLM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "hf"))


def png(shade):
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), shade, np.uint8)).save(file, "png")
    return file.getvalue()


def pictures(*shades):
    return [{"bytes": png(shade), "path": f"{shade}.png"} for shade in shades]


def table(shades=(10, 20, 30), emotions=(1, 0, 1), **more):
    features = {"image": datasets.Image(), "emotion": datasets.ClassLabel(names=["sad", "happy"])}
    features |= {name: datasets.Value("string") for name in more}
    values = {"image": pictures(*shades), "emotion": list(emotions), **more}
    return datasets.Dataset.from_dict(values, features=datasets.Features(features))


COLUMNS = {"media": "image", "label": "emotion"}


def shade(row):
    clip = decode.read(row["media"], lambda times_s, span_s: np.array([0]), max_pixels=10**6)
    return int(clip.frames_THWC[0, 0, 0, 0])


def refused(*args, **kwargs):
    with pytest.raises(UserError) as caught:
        hub.load(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_parquet_file_with_pictures_inside(tmp_path):
    table(subject=["a", "b", "c"], film=["x", "y", "z"]).to_parquet(str(tmp_path / "faces.parquet"))
    rows = hub.load(str(tmp_path / "faces.parquet"), columns=COLUMNS | {"source": "film"})
    assert [(row["id"], row["label"], row["subject"], row["source"]) for row in rows] == [
        ("train/0", "happy", "a", "x"),
        ("train/1", "sad", "b", "y"),
        ("train/2", "happy", "c", "z"),
    ]
    assert [shade(row) for row in rows] == [10, 20, 30]
    # One split alone is dealt out by the recipe.
    assert not any("split" in row for row in rows)
    assert all(Path(row["media"][0]).is_relative_to(tmp_path / "cache" / "media") for row in rows)
    assert rows[0]["media"][0].endswith(".png")


def test_equal_pictures_are_one_file_and_a_second_load_writes_none(tmp_path, monkeypatch):
    table(shades=(10, 10, 30)).to_parquet(str(tmp_path / "faces.parquet"))
    rows = hub.load(str(tmp_path / "faces.parquet"), columns=COLUMNS)
    assert rows[0]["media"] == rows[1]["media"] != rows[2]["media"]
    os.utime(rows[0]["media"][0], (1, 1))
    assert hub.load(str(tmp_path / "faces.parquet"), columns=COLUMNS) == rows
    assert os.stat(rows[0]["media"][0]).st_mtime == 1
    # Which row is which file is kept: the bytes are read once.
    monkeypatch.setattr(mediacache, "store", None)
    assert hub.load(str(tmp_path / "faces.parquet"), columns=COLUMNS) == rows
    monkeypatch.undo()
    monkeypatch.setenv("EMOVLM_CACHE", str(tmp_path / "cache"))
    # A file that was cut short is written anew.
    Path(rows[0]["media"][0]).write_bytes(b"cut")
    hub.load(str(tmp_path / "faces.parquet"), columns=COLUMNS)
    assert shade(rows[0]) == 10


def test_splits_of_save_to_disk_and_of_a_folder_of_parquets(tmp_path):
    parts: Any = {"train": table(), "validation": table((40, 50), (0, 1)), "test": table((60, 70), (0, -1))}
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "saved"))
    (tmp_path / "repository" / "data").mkdir(parents=True)
    for split, part in parts.items():
        part.to_parquet(str(tmp_path / "repository" / "data" / f"{split}-00000-of-00001.parquet"))
    for folder in ("saved", "repository"):
        rows = hub.load(str(tmp_path / folder), columns=COLUMNS)
        assert [(row["split"], row["label"], shade(row)) for row in rows] == [
            ("train", "happy", 10),
            ("train", "sad", 20),
            ("train", "happy", 30),
            ("validation", "sad", 40),
            ("validation", "happy", 50),
            ("test", "sad", 60),
            ("test", None, 70),
        ]
    by_split, classes = load_rows(
        Data.model_validate({"source": "hub", "root": str(tmp_path / "saved"), "columns": COLUMNS})
    )
    assert ({split: len(part) for split, part in by_split.items()}, classes) == (
        {"train": 3, "validation": 2, "test": 2},
        ["happy", "sad"],
    )


def test_videos_lists_of_pictures_and_plain_bytes(tmp_path):
    video = layouts.clip(tmp_path / "made.mp4").read_bytes()
    features = datasets.Features({"clip": datasets.Value("binary"), "label": datasets.Value("string")})
    datasets.Dataset.from_dict({"clip": [video], "label": ["happy"]}, features=features).to_parquet(
        str(tmp_path / "videos.parquet")
    )
    row = hub.load(str(tmp_path / "videos.parquet"), columns={"media": "clip"})[0]
    assert Path(row["media"][0]).read_bytes() == video
    assert decode.glance(row["media"])[2]

    features = datasets.Features({"media": datasets.List(datasets.Image()), "fps": datasets.Value("float32")})
    datasets.Dataset.from_dict({"media": [pictures(10, 20, 30)], "fps": [200]}, features=features).to_parquet(
        str(tmp_path / "films.parquet")
    )
    row = hub.load(str(tmp_path / "films.parquet"))[0]
    assert (len(row["media"]), row["fps"], row["label"]) == (3, 200.0, None)


def test_paths_beside_the_table_stay_inside_its_folder(tmp_path):
    layouts.picture(tmp_path / "set" / "in.jpg")
    layouts.picture(tmp_path / "out.jpg")
    for written, message in (("in.jpg", None), ("../out.jpg", "leads out of it by .."), ("no.jpg", "no file")):
        path = tmp_path / "set" / "a.parquet"
        datasets.Dataset.from_dict({"media": [written], "label": ["sad"]}).to_parquet(str(path))
        if message is None:
            assert hub.load(str(path))[0]["media"] == [str(tmp_path / "set" / "in.jpg")]
        else:
            assert message in refused(str(path))


def test_a_table_that_was_changed_is_read_anew(tmp_path):
    path = str(tmp_path / "a.parquet")
    table().to_parquet(path)
    assert [shade(row) for row in hub.load(path, columns=COLUMNS)] == [10, 20, 30]
    table((30, 10, 20)).to_parquet(path)
    assert [shade(row) for row in hub.load(path, columns=COLUMNS)] == [30, 10, 20]
    for shades in ((10, 20, 30), (20, 30, 10)):
        table(shades).save_to_disk(str(tmp_path / "saved"))
        assert [shade(row) for row in hub.load(str(tmp_path / "saved"), columns=COLUMNS)] == list(shades)


def test_numbers_need_names(tmp_path):
    path = str(tmp_path / "a.parquet")
    datasets.Dataset.from_dict({"media": [png(10), png(20)], "label": [0, 1]}).to_parquet(path)
    assert "label 0 is a bare number" in refused(path)
    rows = hub.load(path, names={"0": "sad", "1": "happy"})
    assert [row["label"] for row in rows] == ["sad", "happy"]


def test_shares_keep_the_order_of_the_class_label_beside_them(tmp_path):
    features = datasets.Features(
        {
            "media": datasets.Image(),
            "label": datasets.ClassLabel(names=["sad", "happy"]),
            "soft_label": datasets.List(datasets.Value("float64")),
        }
    )
    values = {"media": pictures(10, 20), "label": [0, None], "soft_label": [[0.75, 0.25], None]}
    datasets.Dataset.from_dict(values, features=features).to_parquet(str(tmp_path / "a.parquet"))
    assert [row["soft_label"] for row in hub.load(str(tmp_path / "a.parquet"))] == [{"sad": 0.75, "happy": 0.25}, None]
    table = {"sad": "sorrow"}
    assert hub.load(str(tmp_path / "a.parquet"), names=table)[0]["soft_label"] == {"sorrow": 0.75, "happy": 0.25}
    # By alphabet, as without data.classes: 0.75 stays with sad.
    by_split, classes = load_rows(
        Data.model_validate(
            {
                "source": "hub",
                "root": str(tmp_path / "a.parquet"),
                "splits": {"unit": "id", "test": 0, "validation": 0},
            }
        )
    )
    assert (classes, by_split["train"][0]["soft_label"]) == (["happy", "sad"], [0.25, 0.75])


@pytest.mark.parametrize("name", ["dataset_dict.json", "state.json"])
@pytest.mark.parametrize("content", ["{}", "[1]"])
def test_a_saved_set_with_a_wrong_index_is_named(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    (tmp_path / "dataset_info.json").write_text(content)
    assert "cannot be loaded" in refused(str(tmp_path))


def test_what_is_wrong_is_named(tmp_path):
    path = str(tmp_path / "a.parquet")
    table().to_parquet(path)
    assert "has no column 'imaeg'; did you mean 'image'?" in refused(path, columns={"media": "imaeg"})
    assert "name the column with the pictures or videos" in refused(path)
    assert "no such file or folder" in refused(str(tmp_path / "b.parquet"))
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1 and then nothing")
    assert "cannot be loaded" in refused(str(tmp_path / "damaged.parquet"))
    parts: Any = {"train": table(), "holdout": table()}
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "odd"))
    assert "its split 'holdout' is none of train" in refused(str(tmp_path / "odd"), columns=COLUMNS)
    datasets.Dataset.from_dict({"media": [3]}).to_parquet(path)
    assert "row 0: media is int; must be pictures" in refused(path)


def test_no_code_of_a_set_is_run(tmp_path):
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "faces.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    assert "cannot be loaded" in refused(str(tmp_path / "faces"))
    assert not (tmp_path / "ran").exists()
