"""Lists of other trainers become rows: each documented form, labels or texts, paths that can be found."""

import json
import math
from datetime import datetime
from pathlib import Path

import datasets
import pytest

from emovlm import UserError
from emovlm.data import tables
from emovlm.data.importing import bring_in
from emovlm.recipe import Data

ASKED = "What does the face show?"
SPOKEN = [{"from": "human", "value": f"<image>\n{ASKED}"}, {"from": "gpt", "value": "happy"}]
PARTS = [
    {"role": "system", "content": "You look at faces."},
    {"role": "user", "content": [{"type": "image", "path": "a.jpg"}, {"type": "text", "text": ASKED}]},
    {"role": "assistant", "content": [{"type": "text", "text": "happy"}]},
]
FORMS = {
    "llava": {"image": "a.jpg", "conversations": SPOKEN},
    "sharegpt": {"images": ["a.jpg"], "conversations": SPOKEN, "system": "You look at faces."},
    "swift": {
        "images": ["a.jpg"],
        "messages": [{"role": "user", "content": f"<image>{ASKED}"}, {"role": "assistant", "content": "happy"}],
        "label": True,
    },
    "swift, shorter": {"images": ["a.jpg"], "conversation": [{"human": f"<image>{ASKED}", "assistant": "happy"}]},
    "parts": {"messages": PARTS},
    "trl": {
        "images": ["a.jpg"],
        "prompt": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": ASKED}]}],
        "completion": [{"role": "assistant", "content": "happy"}],
    },
    "query": {"images": "file://a.jpg", "query": f"<image>{ASKED}", "response": "happy"},
    "alpaca": {"images": ["a.jpg"], "instruction": f"<image>{ASKED}", "input": "", "output": "happy"},
}


@pytest.fixture
def folder(tmp_path):
    for name in ("a.jpg", "b.jpg", "v.mp4"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def brought(folder, entries, **options):
    """(rows as they are written, what was said)."""
    (folder / "list.json").write_text(json.dumps(entries))
    (folder / "out.jsonl").unlink(missing_ok=True)
    said = bring_in(folder / "list.json", folder / "out.jsonl", **options)
    return [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()], said


def refused(folder, entries):
    with pytest.raises(UserError) as caught:
        brought(folder, entries)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_rows(folder, form):
    rows, said = brought(folder, [FORMS[form], FORMS[form]])
    assert rows == [{"id": f"list/{n}", "media": "a.jpg", "label": "happy"} for n in (1, 2)]
    assert said == [
        f"2 rows written to {folder}/out.jsonl (data: {{source: jsonl, root: {folder}/out.jsonl}})",
        "label: the answers are 1 classes (happy 2)",
        f'all rows ask the same; in the recipe: prompt: {{question: "{ASKED}", list_classes: false}}',
    ]


def spoken(answer, question=ASKED, **others):
    turns = [{"from": "human", "value": f"<image>{question}"}, {"from": "gpt", "value": answer}]
    return {"image": "a.jpg", "conversations": turns, **others}


@pytest.mark.parametrize(
    ("answers", "column"),
    [
        (["happy", "very sad", "happy", "very sad"], "label"),
        (["happy", "sad", "happy"], "answer"),  # not twice on average
        (["a smile that comes slowly", "happy"] * 2, "answer"),  # five words
        (["1", "2"] * 2, "answer"),  # numbers name no class
    ],
)
def test_few_short_answers_are_classes_and_others_are_texts(folder, answers, column):
    rows, said = brought(folder, [spoken(answer) for answer in answers])
    assert [row[column] for row in rows] == answers
    assert said[1].startswith(column)


def test_several_questions_stay_in_a_column_and_ids_become_unique(folder):
    rows, said = brought(folder, [spoken("happy", "One?", id="x", subject="p1"), spoken("happy", "Two?", id="x")])
    assert [(row["id"], row["question"]) for row in rows] == [("x", "One?"), ("x#2", "Two?")]
    assert rows[0]["subject"] == "p1"
    assert said[1:] == [
        "1 rows had an id that was there before: a number stands behind it",
        "label: the answers are 1 classes (happy 2)",
        "2 different questions are kept in the column `question`; a recipe asks one of all rows",
    ]


def test_paths_start_where_the_user_says_and_can_be_found_from_the_new_file(folder, tmp_path):
    (tmp_path / "images").mkdir()
    (folder / "a.jpg").rename(tmp_path / "images" / "a.jpg")
    rows, _ = brought(folder, [spoken("happy")] * 2, media=tmp_path / "images")
    assert rows[0]["media"] == "images/a.jpg"
    (tmp_path / "elsewhere").mkdir()
    bring_in(folder / "list.json", tmp_path / "elsewhere" / "out.jsonl", tmp_path / "images")
    loaded, classes = tables.load_rows(
        Data.model_validate(
            {
                "source": "jsonl",
                "root": str(tmp_path / "elsewhere" / "out.jsonl"),
                "splits": {"unit": "id", "test": 0, "validation": 0},
            }
        )
    )
    assert loaded["train"][0]["media"] == [str(tmp_path / "images" / "a.jpg")]
    assert classes == ["happy"]


def test_a_folder_above_is_written_so_that_the_source_takes_it(folder, tmp_path, monkeypatch):
    (tmp_path / "b").mkdir()
    (folder / "list.json").write_text(json.dumps([spoken("happy")] * 2))
    monkeypatch.chdir(tmp_path / "b")
    bring_in(Path("../list.json"), Path("mine.jsonl"), Path("../b/.."))
    assert json.loads(Path("mine.jsonl").read_text().splitlines()[0])["media"] == str(tmp_path / "a.jpg")
    bring_in(Path("../list.json"), Path("../b/../mine.jsonl"), Path(".."))
    assert json.loads(Path("../mine.jsonl").read_text().splitlines()[0])["media"] == "a.jpg"


def test_ids_become_unique_beside_ids_with_a_number_of_their_own(folder):
    rows, _ = brought(folder, [spoken("happy", id=name) for name in ("a", "a", "a#2", "a")])
    assert [row["id"] for row in rows] == ["a", "a#3", "a#2", "a#4"]


def test_answers_that_differ_in_case_are_refused_and_splits_have_our_names(folder):
    told = refused(folder, [spoken(answer) for answer in ("Happy", "happy") * 2])
    assert told.endswith("list.json: classes 'Happy' and 'happy' differ only in case; spell them alike")
    rows, _ = brought(folder, [spoken("happy", split=split) for split in ("dev", "Val", "test")])
    assert [row["split"] for row in rows] == ["validation", "validation", "test"]


def test_values_of_a_parquet_that_json_has_not(folder):
    for value, message in ((b"x", "type bytes"), (datetime(2026, 1, 2), "type datetime"), (math.inf, "Out of range")):
        datasets.Dataset.from_dict({"image": ["a.jpg"], "t": [value]}).to_parquet(str(folder / "t.parquet"))
        with pytest.raises(UserError, match=rf"\[train\], row 0: the column 't' cannot .*{message}"):
            bring_in(folder / "t.parquet", folder / "out.jsonl")
    values = {"image": ["a.jpg"] * 2, "fps": [math.nan, 5.0]}
    datasets.Dataset.from_dict(values).to_parquet(str(folder / "t.parquet"))
    bring_in(folder / "t.parquet", folder / "out.jsonl")
    assert [json.loads(line).get("fps") for line in (folder / "out.jsonl").read_text().splitlines()] == [None, 5.0]


def test_a_csv_keeps_its_columns(folder):
    (folder / "t.csv").write_text("path,label\nx,y\n")
    with pytest.raises(UserError, match=r"t.csv:2: no file \(media, .*\) .* in its columns path, label; rename them"):
        bring_in(folder / "t.csv", folder / "out.jsonl")
    (folder / "t.csv").write_text('image,label,subject,start_s\na.jpg,no,001,\n"[""a.jpg"", ""b.jpg""]",NA,002,0.5\n')
    bring_in(folder / "t.csv", folder / "out.jsonl")
    assert [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()] == [
        {"id": "t/1", "media": "a.jpg", "label": "no", "subject": "001"},
        {"id": "t/2", "media": ["a.jpg", "b.jpg"], "label": "NA", "subject": "002", "start_s": "0.5"},
    ]


def test_a_parquet_of_conversations_with_pictures_as_bytes(folder):
    features = datasets.Features(
        {
            "images": datasets.List(datasets.Image(decode=False)),
            "messages": datasets.List({"role": datasets.Value("string"), "content": datasets.Value("string")}),
        }
    )
    picture = {"bytes": b"picture", "path": "x.png"}
    entry = {"images": [picture], "messages": FORMS["swift"]["messages"]}
    datasets.Dataset.from_list([entry] * 2, features=features).to_parquet(str(folder / "list.parquet"))
    bring_in(folder / "list.parquet", folder / "out.jsonl")
    first, second = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert first["label"] == "happy"
    assert first["media"] == second["media"]
    assert (folder / first["media"]).read_bytes() == b"picture"


def test_a_folder_that_datasets_saved_gives_names_for_class_numbers(folder):
    features = datasets.Features(
        {"image": datasets.Value("string"), "label": datasets.ClassLabel(names=["sad", "happy"])}
    )
    rows = datasets.Dataset.from_dict({"image": [str(folder / "a.jpg")] * 2, "label": [1, -1]}, features=features)
    rows.save_to_disk(str(folder / "saved"))
    bring_in(folder / "saved", folder / "out.jsonl")
    assert [json.loads(line).get("label") for line in (folder / "out.jsonl").read_text().splitlines()] == [
        "happy",
        None,
    ]


def test_shares_of_a_parquet_are_named_by_its_classes(folder):
    features = datasets.Features(
        {
            "image": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["sad", "happy"]),
            "soft_label": datasets.List(datasets.Value("float64")),
        }
    )
    values = {"image": ["a.jpg"] * 2, "label": [0, 1], "soft_label": [[0.75, 0.25], [1.0]]}
    datasets.Dataset.from_dict(values, features=features).to_parquet(str(folder / "t.parquet"))
    bring_in(folder / "t.parquet", folder / "out.jsonl")
    shares = [json.loads(line)["soft_label"] for line in (folder / "out.jsonl").read_text().splitlines()]
    assert shares == [{"sad": 0.75, "happy": 0.25}, [1.0]]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (spoken("happy") | {"image": "z.jpg"}, "entry 1: names 'z.jpg', but there is no file"),
        (spoken("happy") | {"image": "../a.jpg"}, "the path '../a.jpg' leads out of it by .."),
        (spoken("happy") | {"image": "https://x/a.jpg"}, "is on the web; download it"),
        (spoken("happy") | {"image": None}, "0 pictures and 0 videos; a row is one video, or pictures"),
        (spoken("happy") | {"videos": ["v.mp4"]}, "1 pictures and 1 videos"),
        (spoken("happy") | {"image": 3}, "a file is int; must be a path, or bytes"),
        (spoken(""), "the answer of the assistant is empty"),
        ({"image": "a.jpg", "conversations": SPOKEN * 2}, "2 answers of the assistant; a row has one"),
        ({"image": "a.jpg", "conversations": SPOKEN[:1]}, "0 answers of the assistant"),
        ({"image": "a.jpg", "conversations": "hello"}, "0 answers of the assistant"),
        ({"image": "a.jpg", "conversations": [{"from": "tool", "value": "x"}]}, "a turn of 'tool'"),
        ({"image": "a.jpg", "messages": [{"role": "user", "content": [{"type": "audio"}]}]}, "a part of type 'audio'"),
        ({"image": "a.jpg", "messages": [{"role": "user", "content": 3}]}, "the content of a turn is int"),
        ("text", "entry 1: must be an object; this is str"),
        ({"image": "a.jpg", "instruction": 1, "input": "x", "output": "y"}, "the content of a turn is int"),
        ({"image": "a.jpg", "messages": [{"role": "user", "content": [{"type": ["x"]}]}]}, "a part of type ['x']"),
        (spoken("\ud800"), "entry 1: the column 'answer' cannot be written as JSON ('utf-8' codec"),
        (spoken("happy") | {"image": "\ud800.jpg"}, "entry 1: the column 'media' cannot be written as JSON"),
        (spoken("happy") | {"fps": float("nan")}, "entry 1: the column 'fps' cannot be written as JSON (Out of range"),
    ],
)
def test_an_entry_that_cannot_be_a_row_is_named(folder, entry, message):
    assert message in refused(folder, [entry])


def test_files_that_cannot_be_read_or_written(folder):
    for name, content, message in [
        ("x.json", "{", "is no valid JSON"),
        ("x.json", "{}", "must be a list of entries; this is dict"),
        ("x.json", "[]", "has no row"),
        ("x.txt", "", "must be .json, .jsonl, .csv, .parquet or a folder"),
    ]:
        (folder / name).write_text(content)
        with pytest.raises(UserError, match=message):
            bring_in(folder / name, folder / "out.jsonl")
    with pytest.raises(UserError, match="no such file or folder"):
        bring_in(folder / "none.json", folder / "out.jsonl")
    with pytest.raises(UserError, match=r"name a \.jsonl"):
        bring_in(folder / "x.json", folder / "out.json")
    (folder / "out.jsonl").touch()
    with pytest.raises(UserError, match="exists; name another file"):
        bring_in(folder / "x.json", folder / "out.jsonl")
