"""The model card says what the run's files say, has a header that parses, and tells what a server can load."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from emovlm import UserError
from emovlm.report.card import card
from tests.report import folders_made_up

ROOT = Path(__file__).parents[2]
QWEN = "Qwen/Qwen2.5-VL-3B-Instruct"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """`made(folder, **recipe)`: a run with these sections in its recipe."""
    run = folders_made_up.run(tmp_path_factory.mktemp("made") / "run")

    def made(folder, **recipe):
        shutil.copytree(run, folder)
        path = folder / "recipe.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **recipe}))
        return folder

    return made


def header(text):
    return yaml.safe_load(text.split("---\n")[1])


def vllm(text):
    return text.partition("## Serving with vLLM\n")[2]


def test_the_header_is_yaml_and_leaves_the_licence_to_the_base(made, tmp_path):
    folder = made(tmp_path / "run", model={"name": QWEN})
    found = header(card(folder, "fine"))
    assert found["base_model"] == QWEN
    assert (found["library_name"], found["base_model_relation"]) == ("peft", "adapter")
    assert (found["license"], found["license_link"]) == ("other", f"https://huggingface.co/{QWEN}")
    found = header(card(folder, "fine", merged=True))
    assert (found["library_name"], found["base_model_relation"]) == ("transformers", "finetune")


def test_a_folder_of_somebodys_disk_is_not_told(made, tmp_path):
    text = card(
        made(
            tmp_path / "run",
            model={"name": "/home/ann/models/tiny"},
            data={"source": "folder", "root": "/home/ann/clips"},
        ),
        "x",
    )
    assert "ann" not in re.findall(r"\w+", text)
    assert "base_model" not in header(text), "only a name of the hub leads anywhere"
    assert 'from_pretrained("folder/of/tiny")' in text
    assert "license_link" not in header(text)


def test_each_class_has_the_figures_of_report_json(made, tmp_path):
    folder = made(tmp_path / "run")
    text = card(folder, "x")
    found = json.loads((folder / "report.json").read_text())["evaluations"]["test-likelihood"]
    for c, name in enumerate(found["classes"]):
        row = [cell.strip() for cell in re.search(rf"^\| {name} \|(.*)\|$", text, re.MULTILINE)[1].split("|")]
        recall = found["recall"][c]
        assert row == [
            str(found["train_counts"][c]),
            str(found["support"][c]),
            f"{recall['value']:.3f} [{recall['low']:.3f}, {recall['high']:.3f}]",
            f"{found['precision'][c]:.3f}",
            f"{found['f1'][c]:.3f}",
            str(found["predicted"][c]),
        ]
    assert f"| {found['war']['value']:.3f} [" in text
    assert "One seed: a demonstration" in text


def test_a_choice_on_the_test_split_is_stamped_and_an_unscored_run_says_so(made, tmp_path):
    folder = made(tmp_path / "run")
    report = json.loads((folder / "report.json").read_text())
    (folder / "report.json").write_text(json.dumps({**report, "selected_on": "test"}))
    assert "Selected on the test split" in card(folder, "x")
    (folder / "report.json").write_text(json.dumps({**report, "evaluations": {}}))
    text = card(folder, "x")
    assert "Not scored on any split" in text
    assert "| WAR |" not in text
    with pytest.raises(UserError, match="report"):
        card(tmp_path, "x")


def test_a_linear_layer_is_no_adapter(made, tmp_path):
    text = card(made(tmp_path / "run", train="head"), "x")
    assert header(text)["library_name"] == "transformers"
    assert "PeftModel" not in text
    assert 'load_file("x/head.safetensors")' in text
    assert "vllm serve" not in text


def test_it_tells_what_faces_do_not_tell_and_what_the_law_says(made, tmp_path):
    text = card(made(tmp_path / "run"), "x")
    for said in (
        "Article 5(1)(f)",
        "Regulation (EU) 2024/1689",
        "workplace",
        "education",
        "medical or safety",
        "culture",
    ):
        assert said in text


@pytest.mark.parametrize(
    ("lora", "said", "unsaid"),
    [
        ({"parts": ["language"], "rank": 8}, "--max-lora-rank 8 --lora-modules", "--enable-tower-connector-lora"),
        ({"parts": ["language"], "rank": 12}, "--max-lora-rank 16 --lora-modules", "refuses"),
        ({"parts": ["language"], "rank": 600}, "refuses this adapter (rank 600 is above 512)", "vllm serve"),
        (
            {"parts": ["language", "vision"], "rank": 8, "vision": {"rank": 32}},
            "32 --lora-modules emotions=x --enable-tower",
            "refuses",
        ),
        (
            {"parts": ["language", "projector"], "projector": {"train": "full"}},
            "modules_to_save). Export again with `--merge`",
            "vllm serve",
        ),
        ({"parts": ["language"], "dora": True}, "refuses this adapter (`lora.dora`)", "vllm serve"),
    ],
)
def test_which_adapters_a_server_can_load(made, tmp_path, lora, said, unsaid):
    text = vllm(card(made(tmp_path / "run", model={"name": QWEN}, lora=lora), "x"))
    assert said in text
    assert unsaid not in text
    assert "vllm serve x" in vllm(card(tmp_path / "run", "x", merged=True))


@pytest.mark.slow
def test_the_export_has_our_card_and_not_pefts_form(small, tmp_path):
    from emovlm import recipe as recipes

    (tmp_path / "mine.yaml").write_text(
        yaml.safe_dump(recipes.resolved(small(trainer={"max_steps": 2}, evaluate={"split": "validation"})))
    )
    for arguments in (["train", "mine.yaml"], ["export", "runs/mine", "out"]):
        subprocess.run(
            [sys.executable, "-m", "emovlm", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=True,
        )
    text = (tmp_path / "out" / "README.md").read_text()
    assert header(text)["library_name"] == "peft"
    assert "More Information Needed" not in text
    assert "# out" in text


def test_names_of_classes_are_text_and_no_markup(made, tmp_path):
    folder = made(tmp_path / "run")
    path = folder / "report.json"
    path.write_text(path.read_text().replace('"fear"', '"<b>fe|ar</b>"'))
    text = card(folder, "x")
    assert "<b>" not in text.replace("\\<b", "")
    assert re.search(r"^\| \\<b\\>fe\\\|ar", text, re.MULTILINE)
