"""Lists for other trainers: the documented schema of each, resampled as the sampler draws, and back again unchanged."""

import json
import re
from collections import Counter

import datasets
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from emovlm import UserError, sample
from emovlm.cli import app
from emovlm.data import tables
from emovlm.data.importing import bring_in
from emovlm.prompts import exporting
from emovlm.recipe import Data

QUESTION = "Which emotion does the person show?"
SUFFIXES = {"llava": ".json", "sharegpt": ".json", "swift": ".jsonl", "messages": ".jsonl", "csv": ".csv"}


@pytest.fixture
def rows(tmp_path):
    """Five clips: videos, one picture, three pictures; a class of one clip; an unlabelled clip."""
    media = [["a.mp4"], ["b.mp4"], ["c 1.jpg"], ["d1.png", "d2.png", "d10.png"], ["e.mp4"]]
    for name in (name for names in media for name in names):
        (tmp_path / name).touch()
    labels = ["happy", "happy", "happy", "fear", None]
    table = [
        {"id": f"{n}", "media": names, "label": label, "subject": f"p{n}", "split": "train"}
        for n, (names, label) in enumerate(zip(media, labels, strict=True))
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table))
    return tmp_path / "rows.jsonl"


@pytest.fixture
def recipe(small, rows):
    prompt = {"question": QUESTION, "list_classes": False}
    trainer = {"max_steps": 2}
    return small(data={"source": "jsonl", "root": str(rows)}, prompt=prompt, trainer=trainer)


def read(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else [json.loads(line) for line in text.splitlines()]


def exported(recipe, folder, kind, *, sampled=False):
    path = folder / f"out{SUFFIXES[kind]}"
    exporting.export(recipe, path, kind, sampled=sampled)
    return path


def test_llava(recipe, tmp_path):
    video, _, picture, pictures = read(exported(recipe, tmp_path, "llava"))
    assert video == {
        "split": "train",
        "id": "0",
        "subject": "p0",
        "video": str(tmp_path / "a.mp4"),
        "conversations": [{"from": "human", "value": f"<image>\n{QUESTION}"}, {"from": "gpt", "value": "happy"}],
    }
    assert picture["image"] == str(tmp_path / "c 1.jpg")
    assert pictures["image"] == [str(tmp_path / name) for name in ("d1.png", "d2.png", "d10.png")]
    assert pictures["conversations"][0]["value"].count("<image>") == 3


def test_sharegpt_with_the_entry_that_llama_factory_needs(recipe, tmp_path):
    (tmp_path / "dataset_info.json").write_text('{"other": {"file_name": "x.json"}}')
    entries = read(exported(recipe, tmp_path, "sharegpt"))
    assert entries[0]["conversations"] == [
        {"from": "human", "value": f"<video>{QUESTION}"},
        {"from": "gpt", "value": "happy"},
    ]
    for entry in entries:
        asked = entry["conversations"][0]["value"]
        for mark, column in (("<image>", "images"), ("<video>", "videos")):
            assert asked.count(mark) == len(entry.get(column, []))
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    assert set(info) == {"other", "out"}
    assert info["out"]["formatting"] == "sharegpt"
    assert info["out"]["file_name"] == "out.json"
    columns = info["out"]["columns"]
    assert columns == {"messages": "conversations", "images": "images", "videos": "videos"}
    # As LLaMA-Factory loads it: one table with these columns.
    loaded = datasets.load_dataset("json", data_files=str(tmp_path / "out.json"), cache_dir=str(tmp_path / "cache"))
    assert set(columns.values()) <= set(loaded["train"].column_names)


def test_swift_has_absolute_paths_and_no_label(recipe, tmp_path):
    entries = read(exported(recipe, tmp_path, "swift"))
    assert entries[3]["messages"] == [
        {"role": "user", "content": f"<image><image><image>{QUESTION}"},
        {"role": "assistant", "content": "fear"},
    ]
    reserved = {"label", "rejected_response", "objects", "tools", "audios", "channel"}
    for entry in entries:
        assert not reserved & set(entry)
        assert all(path.startswith("/") for path in entry.get("images", []) + entry.get("videos", []))


def test_messages_go_through_a_chat_template_of_transformers(recipe, tmp_path, demo_vlm):
    template = demo_vlm.processor.apply_chat_template
    for entry in read(exported(recipe, tmp_path, "messages")):
        text = template(entry["messages"], tokenize=False)
        parts = Counter(part["type"] for part in entry["messages"][0]["content"])
        assert (text.count("<|video_pad|>"), text.count("<|image_pad|>")) == (parts["video"], parts["image"])
        assert f"{QUESTION}<|im_end|>\n<|im_start|>assistant\n" in text


def test_a_csv_is_a_folder_of_our_own(recipe, tmp_path):
    exported(recipe, tmp_path, "csv").rename(tmp_path / "metadata.csv")
    assert (tmp_path / "metadata.csv").read_text().splitlines()[0] == "file_names,split,id,label,subject"
    again, _ = tables.load_rows(
        Data.model_validate({"source": "folder", "root": str(tmp_path), "splits": {"test": 0, "validation": 0}})
    )
    assert again["train"] == [row for row in tables.load_rows(recipe.data)[0]["train"] if "label" in row]


@pytest.mark.parametrize("kind", SUFFIXES)
def test_out_and_in_again_gives_the_same_rows(recipe, tmp_path, kind):
    path = exported(recipe, tmp_path, kind, sampled=True)
    (tmp_path / "in").mkdir()
    bring_in(path, tmp_path / "in" / "rows.jsonl")
    data = {"source": "jsonl", "root": str(tmp_path / "in" / "rows.jsonl"), "splits": {"test": 0, "validation": 0}}
    again, classes = tables.load_rows(Data.model_validate(data | {"splits": {**data["splits"], "unit": "id"}}))
    drawn = [
        {key: value for key, value in row.items() if key != "step"} for row in sample.drawn(sample.planned(recipe))
    ]
    assert classes == ["fear", "happy"]
    assert [{key: value for key, value in row.items() if key != "step"} for row in again["train"]] == drawn


@pytest.mark.parametrize("kind", SUFFIXES)
def test_what_was_trained_on_comes_back_as_train_alone(recipe, tmp_path, kind):
    path = exported(recipe, tmp_path, kind)
    bring_in(path, tmp_path / "again.jsonl")
    # Were no split said, a third of the four people would be dealt to each of the others.
    splits = {"test": 0.34, "validation": 0.33}
    again, _ = tables.load_rows(
        Data.model_validate({"source": "jsonl", "root": str(tmp_path / "again.jsonl"), "splits": splits})
    )
    assert {split: len(part) for split, part in again.items()} == {"train": 4}


def test_the_resampled_list_is_the_stream(recipe, tmp_path):
    # Two steps of four: class-balanced, so that the one clip of fear comes four times.
    entries = read(exported(recipe, tmp_path, "swift", sampled=True))
    found = sample.planned(recipe)
    stream = found.plan.sampler.first(8)
    assert [entry["id"].partition("#")[0] for entry in entries] == [found.rows[n]["id"] for n in stream]
    assert Counter(entry["messages"][1]["content"] for entry in entries) == {"happy": 4, "fear": 4}
    assert len({entry["id"] for entry in entries}) == 8


def test_the_verb_says_what_was_left_out(recipe, tmp_path, rows):
    import yaml

    from emovlm.recipe import resolved

    (tmp_path / "r.yaml").write_text(yaml.safe_dump(resolved(recipe)))
    out = tmp_path / "out.jsonl"
    told = CliRunner().invoke(app, ["data", "export", str(tmp_path / "r.yaml"), str(out), "--format", "swift"])
    assert told.exit_code == 0, told.output
    assert re.search(r"4 rows each once written to \S*out.jsonl; the question: Which emotion", told.output)
    assert "left out: 1 rows without label and answer" in told.output


def test_a_csv_has_the_rows_own_media_and_says_the_order_of_shares(small, tmp_path):
    (tmp_path / "a.jpg").touch()
    row = {"id": "a", "media": "a.jpg", "split": "train", "soft_label": {"sad": 0.75, "happy": 0.25}}
    # Columns of the user's own, which would name another file.
    (tmp_path / "rows.jsonl").write_text(json.dumps(row | {"file_name": "no.jpg", "file_names": "no.jpg"}) + "\n")
    recipe = small(data={"source": "jsonl", "root": str(tmp_path / "rows.jsonl"), "classes": ["sad", "happy"]})
    notes = exporting.export(recipe, tmp_path / "metadata.csv", "csv", sampled=False)
    assert notes[1].startswith("soft_label: shares in the order of data.classes: [sad, happy]")
    data = {"source": "folder", "root": str(tmp_path), "classes": ["sad", "happy"]}
    again = tables.load_rows(Data.model_validate(data))[0]["train"][0]
    assert (again["media"], again["soft_label"]) == ([str(tmp_path / "a.jpg")], [0.75, 0.25])


@pytest.mark.parametrize(("content", "message"), [("[1]", "must be an object; this is list"), ("{", "no valid JSON")])
def test_an_index_that_cannot_be_added_to_leaves_nothing(recipe, tmp_path, content, message):
    (tmp_path / "dataset_info.json").write_text(content)
    with pytest.raises(UserError, match=message):
        exported(recipe, tmp_path, "sharegpt")
    assert not (tmp_path / "out.json").exists()
    assert (tmp_path / "dataset_info.json").read_text() == content


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("out.json", "swift", "a list of --format swift is a .jsonl file; name it out.jsonl"),
        ("rows.jsonl", "swift", "exists; name another file"),
        ("out.json", "lava", "--format: unknown name 'lava'; did you mean 'llava'?"),
    ],
)
def test_mistakes_are_one_line(recipe, tmp_path, name, kind, message):
    with pytest.raises(UserError) as caught:
        exporting.export(recipe, tmp_path / name, kind, sampled=False)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_part_of_a_file_is_refused_where_lists_name_whole_files(small, tmp_path):
    (tmp_path / "a.mp4").touch()
    row = {"id": "a", "media": "a.mp4", "label": "happy", "start_s": 1, "split": "train"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    recipe = small(data={"source": "jsonl", "root": str(tmp_path / "rows.jsonl")})
    with pytest.raises(UserError, match=r"1 rows are parts of a file \(start_s, end_s; the first: 'a'\)"):
        exporting.export(recipe, tmp_path / "out.jsonl", "swift", sampled=False)
    exporting.export(recipe, tmp_path / "out.csv", "csv", sampled=False)


def test_frames_for_trl_are_those_of_the_recipe(small, tmp_path):
    from emovlm.frames.look import look

    recipe = small(trainer={"max_steps": 1})
    exporting.export(recipe, tmp_path / "out.jsonl", "trl", sampled=True)
    entry = read(tmp_path / "out.jsonl")[0]
    row = next(row for row in sample.planned(recipe).rows if row["id"] == entry["id"])
    frames_THWC = look(row, recipe.frames, None).frames_THWC
    assert all(
        np.array_equal(np.asarray(Image.open(path)), frame)
        for path, frame in zip(entry["images"], frames_THWC, strict=True)
    )
    kinds = [part["type"] for part in entry["prompt"][0]["content"]]
    assert kinds == ["text", "image", "text", "image", "text"]
    assert entry["completion"] == [{"role": "assistant", "content": [{"type": "text", "text": row["label"]}]}]


@pytest.mark.slow
def test_trl_trains_on_the_list_and_sees_what_our_collator_makes_of_the_rows(small, tmp_path, demo_vlm):
    trl = pytest.importorskip("trl", reason="TRL is not installed: pip install trl")
    from emovlm import demo
    from emovlm.models import load
    from emovlm.prompts.collator import Collator
    from emovlm.recipe import Model

    recipe = small(trainer={"max_steps": 1})
    exporting.export(recipe, tmp_path / "out.jsonl", "trl", sampled=True)
    listed = datasets.load_dataset(
        "json", data_files=str(tmp_path / "out.jsonl"), split="train", cache_dir=str(tmp_path / "cache")
    )
    options = trl.SFTConfig(
        output_dir=str(tmp_path / "run"),
        max_steps=1,
        per_device_train_batch_size=4,
        max_length=None,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",
    )
    model = load.load(Model(name="demo")).model
    trainer = trl.SFTTrainer(
        model, options, train_dataset=listed, processing_class=load.load_processor(str(demo.MODEL), local=True)
    )
    batch = trainer.data_collator([dict(row) for row in listed])
    rows, classes = (
        list(sample.drawn(sample.planned(recipe))),
        ["happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"],
    )
    ours = Collator(demo_vlm.processor, recipe, classes, with_answers=False)(rows)
    assert (batch["pixel_values"] == ours["pixel_values"]).all()
    decode = demo_vlm.processor.tokenizer.decode
    for ids, mask, own, labels, row in zip(
        batch["input_ids"], batch["attention_mask"], ours["input_ids"], batch["labels"], rows, strict=True
    ):
        asked = own[own != demo_vlm.processor.tokenizer.pad_token_id]
        assert ids[mask == 1][: len(asked)].tolist() == asked.tolist()
        assert decode(labels[labels != -100]).strip() == f"{row['label']}<|im_end|>"
    before = {name: weight.clone() for name, weight in model.named_parameters() if "down_proj" in name}
    assert np.isfinite(trainer.train().training_loss)
    assert all((weight != before[name]).any() for name, weight in model.named_parameters() if name in before)
