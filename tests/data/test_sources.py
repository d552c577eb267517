"""Folders and JSON lines on disk -> rows, or one line that says what is wrong and what to do.

No media file is opened by a source: empty ones stand in.
"""

import json
from pathlib import Path

import pytest

import emovlm
from emovlm import UserError
from emovlm.data.schema import PLACE
from emovlm.data.sources import demo, folder, jsonl


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def refused(load, root, **args):
    with pytest.raises(UserError) as caught:
        list(load(str(root), **args))
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestFolderPerClass:
    def test_rows_in_numeric_order_without_hidden_files(self, tmp_path):
        touch(tmp_path, "sad/img10.jpg", "sad/img2.JPG", " happy/a.mp4", ".git/x.mp4", "sad/.DS_Store", "sad/Thumbs.db")
        rows = folder.load(str(tmp_path))
        assert [(row["id"], row["label"]) for row in rows] == [
            (" happy/a.mp4", "happy"),
            ("sad/img2.JPG", "sad"),
            ("sad/img10.jpg", "sad"),
        ]
        assert rows[1]["media"] == [str(tmp_path / "sad" / "img2.JPG")]
        assert not any("split" in row for row in rows)

    def test_words_that_others_read_as_nothing_are_classes(self, tmp_path):
        touch(tmp_path, "None/a.mp4", "no/b.mp4", "NA/c.mp4")
        assert {row["label"] for row in folder.load(str(tmp_path))} == {"None", "no", "NA"}

    def test_numbers_need_a_table(self, tmp_path):
        touch(tmp_path, "0/a.mp4", "1/b.mp4")
        assert "label 0 is a bare number" in refused(folder.load, tmp_path)
        rows = folder.load(str(tmp_path), names={"0": "neutral", 1: "happy"})
        assert [row["label"] for row in rows] == ["neutral", "happy"]

    def test_splits_by_any_of_their_names(self, tmp_path):
        touch(tmp_path, "Train/happy/a.mp4", "val/happy/a.mp4", "test/happy/a.mp4")
        assert [(row["id"], row["split"]) for row in folder.load(str(tmp_path))] == [
            ("test/happy/a.mp4", "test"),
            ("Train/happy/a.mp4", "train"),
            ("val/happy/a.mp4", "validation"),
        ]

    @pytest.mark.parametrize(
        ("files", "message"),
        [
            (["train/happy/a.mp4", "extra/b.mp4"], "folders of splits (train) beside others (extra)"),
            (["val/happy/a.mp4", "dev/happy/a.mp4"], "both mean the split 'validation'"),
            (["happy/a.mp4", "b.mp4"], "b.mp4: a clip outside the class folders"),
            (["happy/a.mp4", "sad/.hidden"], "sad: this folder holds no clip, so it is no class"),
            (["happy/s1/a.mp4"], "name the files of such clips in a metadata.csv (column file_names)"),
            (["happy/a.mp4", "happy/notes.txt"], "notes.txt: is no known kind of picture or video"),
            ([".git/x"], "no clip found; looked for metadata.csv, metadata.jsonl and a folder per class"),
        ],
    )
    def test_unclear_folders_are_refused(self, tmp_path, files, message):
        touch(tmp_path, *files)
        assert message in refused(folder.load, tmp_path)

    def test_a_missing_folder_says_from_where_it_was_looked_for(self, tmp_path):
        assert f"'{tmp_path}/nowhere': no such folder (from {Path.cwd()})" in refused(folder.load, tmp_path / "nowhere")


class TestMetadata:
    def test_a_table_beside_the_files(self, tmp_path):
        touch(tmp_path, "clips/1.mp4", "clips/2.mp4")
        table = write(
            tmp_path / "metadata.csv",
            "file_name,label,subject,apex_s",
            "clips/1.mp4, happy ,001,0.5",
            "clips/2.mp4,,,",
        )
        rows = folder.load(str(tmp_path))
        media = [str(tmp_path / "clips" / "1.mp4")]
        assert rows[0] == {
            "id": "clips/1.mp4",
            "media": media,
            "label": "happy",
            "subject": "001",
            "apex_s": "0.5",
            PLACE: f"{table}:2",
        }
        assert rows[1]["label"] is None

    def test_a_table_per_split(self, tmp_path):
        for split in ("train", "test"):
            touch(tmp_path, f"{split}/1.mp4")
            write(tmp_path / split / "metadata.csv", "file_name,label", "1.mp4,happy")
        rows = folder.load(str(tmp_path))
        assert [(row["id"], row["split"]) for row in rows] == [("test/1.mp4", "test"), ("train/1.mp4", "train")]

    def test_json_lines_are_as_good(self, tmp_path):
        touch(tmp_path, "1.mp4")
        write(tmp_path / "metadata.jsonl", '{"file_name": "1.mp4", "label": "happy", "subject": 7, "id": 3}')
        row = folder.load(str(tmp_path))[0]
        assert (row["id"], row["subject"], row["label"]) == ("3", "7", "happy")

    @pytest.mark.parametrize("cell", ['"f/img2.png;f/img10.png"', '"[""f/img2.png"", ""f/img10.png""]"', "f"])
    def test_several_pictures_are_one_clip(self, tmp_path, cell):
        touch(tmp_path, "f/img10.png", "f/img2.png", "f/.hidden.png")
        write(tmp_path / "metadata.csv", "file_names,label", f"{cell},happy")
        (row,) = folder.load(str(tmp_path))
        assert [Path(path).name for path in row["media"]] == ["img2.png", "img10.png"]

    @pytest.mark.parametrize(
        ("lines", "message"),
        [
            (["file_name,label", "a.mp4,happy", "b.mp4,sad"], "metadata.csv:3: names 'b.mp4', but there is no file"),
            (["file_name,label", "f,happy"], ":2: 'f' is a folder; name its pictures in the column file_names"),
            (["file_names,label", "empty,happy"], ":2: the folder 'empty' holds no picture"),
            (["path,label", "a.mp4,happy"], ":2: no file_name (columns: path, label)"),
            (["file_name,label", "sub\\a.mp4,happy"], "write / instead of \\"),
            (["file_name,label", "a.mp4,3"], "metadata.csv:2: label 3 is a bare number"),
            (["file_name,label"], "no clip found"),
            (["file_names,label", "[1,happy"], "is no JSON list"),
        ],
    )
    def test_mistakes_name_file_and_line(self, tmp_path, lines, message):
        touch(tmp_path, "a.mp4", "f/1.png", "empty/.keep")
        write(tmp_path / "metadata.csv", *lines)
        assert message in refused(folder.load, tmp_path)

    def test_two_tables_are_one_too_many(self, tmp_path):
        touch(tmp_path, "metadata.csv", "metadata.jsonl")
        assert "has metadata.csv and metadata.jsonl" in refused(folder.load, tmp_path)

    def test_a_split_column_must_agree_with_the_folder(self, tmp_path):
        touch(tmp_path, "train/1.mp4")
        write(tmp_path / "train" / "metadata.csv", "file_name,label,split", "1.mp4,happy,test")
        assert "split 'test' in the folder of 'train'" in refused(folder.load, tmp_path)


class TestJsonl:
    def test_one_file(self, tmp_path):
        touch(tmp_path, "a.mp4", "b1.png", "b2.png")
        path = write(
            tmp_path / "rows.jsonl",
            '{"id": 1, "media": "a.mp4", "label": "happy", "subject": 2, "soft_label": {"happy": 1.0}}',
            '{"media": ["b1.png", "b2.png"], "answer": "A smile."}',
        )
        first, second = jsonl.load(str(path))
        assert first == {
            "id": "1",
            "media": [str(tmp_path / "a.mp4")],
            "label": "happy",
            "subject": "2",
            "soft_label": {"happy": 1.0},
            PLACE: f"{path}:1",
        }
        assert (second["id"], second["label"], second["answer"]) == ("b1.png,b2.png", None, "A smile.")

    def test_a_folder_of_splits(self, tmp_path):
        touch(tmp_path, "a.mp4")
        for split in ("train", "validation"):
            write(tmp_path / f"{split}.jsonl", json.dumps({"id": split, "media": "a.mp4", "label": "happy"}))
        assert [(row["id"], row["split"]) for row in jsonl.load(str(tmp_path))] == [
            ("train", "train"),
            ("validation", "validation"),
        ]

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ('{"media": "a.mp4", "label": 3}', "rows.jsonl:1: label 3 is a bare number"),
            ('{"media": "a.mp4", "label": false}', "rows.jsonl:1: label False is no text"),
            ('{"media": "b.mp4", "label": "happy"}', "rows.jsonl:1: names 'b.mp4', but there is no file"),
            ('{"video": "a.mp4", "label": "happy"}', "a path or a list of paths is needed (keys: video, label)"),
            ('{"media": [1], "label": "happy"}', "a path or a list of paths is needed"),
            ("", "rows.jsonl: has no row"),
        ],
    )
    def test_mistakes_name_file_and_line(self, tmp_path, line, message):
        touch(tmp_path, "a.mp4")
        assert message in refused(jsonl.load, write(tmp_path / "rows.jsonl", line))

    def test_numbers_with_a_table(self, tmp_path):
        touch(tmp_path, "a.mp4")
        path = write(tmp_path / "rows.jsonl", '{"media": "a.mp4", "label": 3}')
        assert next(jsonl.load(str(path), names={3: "fear"}))["label"] == "fear"

    def test_nothing_to_read(self, tmp_path):
        assert "has none of train.jsonl" in refused(jsonl.load, tmp_path)
        assert "no such file or folder" in refused(jsonl.load, tmp_path / "x.jsonl")


def test_numeric_order():
    names = ["img10", "img2", "img1b", "Img1", "img02", "a"]
    assert sorted(names, key=folder.by_number) == ["a", "Img1", "img1b", "img02", "img2", "img10"]


def test_demo_clips():
    if not (Path(emovlm.__file__).parent / "demo" / "clips" / "train" / "metadata.csv").is_file():
        pytest.skip("the demo clips are not rendered yet (tools/demo)")
    for rows in (demo.load(), demo.load(set="micro")):
        assert {row["label"] for row in rows} == set(demo.CLASSES)
        assert {row["split"] for row in rows} == {"train", "validation", "test"}
    with pytest.raises(UserError, match=r"data.set: 'mirco' is no set of the demo; did you mean 'micro'\?"):
        demo.load(set="mirco")
