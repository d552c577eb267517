"""Through the command line, as a user: train, evaluate, report; and plain peft code that scores the same."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from emovlm import recipe as recipes
from emovlm.evaluate.predictions import read
from emovlm.run import RunFolder

ROOT = Path(__file__).parents[1]
CLIPS = ROOT / "emovlm" / "demo" / "clips"


def emovlm(*arguments, cwd, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "emovlm", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == code, done.stderr
    assert code == 1 or "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def own_data(tmp_path_factory):
    """Somebody's own folder: 24 clips of the demo in a metadata.csv without splits."""
    folder = tmp_path_factory.mktemp("own")
    with (CLIPS / "validation" / "metadata.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] in ("happy", "surprise")]
    by_subject = sorted(rows, key=lambda row: row["subject"])[:40]
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["file_name", "label", "subject"])
        writer.writeheader()
        for row in by_subject:
            shutil.copy(CLIPS / "validation" / row["file_name"], folder)
            writer.writerow({key: row[key] for key in writer.fieldnames})
    return folder


@pytest.fixture(scope="module")
def finished(small, own_data, tmp_path_factory):
    """A run on own data through the command line: train, which also evaluates."""
    folder = tmp_path_factory.mktemp("work")
    recipe = small(
        data={"source": "folder", "root": str(own_data), "splits": {"validation": 0.2, "test": 0.3}},
        evaluate={"during_training": 2},
    )
    (folder / "mine.yaml").write_text(yaml.safe_dump(recipes.resolved(recipe)))
    done = emovlm("train", "mine.yaml", cwd=folder)
    return folder, RunFolder(folder / "runs" / "mine"), done


def test_train_leaves_a_whole_run_folder_and_a_table(finished):
    _, run, done = finished
    for path in (run.recipe, run.env, run.log, run.ledger, run.adapter, run.report):
        assert path.exists(), path
    assert "UAR" in done.stdout
    assert "language_model.layers.*" in done.stderr
    assert "\r" not in done.stdout + done.stderr, "no progress bar where there is no terminal"
    report = json.loads(run.report.read_text())
    assert report["train"]["num_steps"] == 4
    logged = [json.loads(line) for line in run.log.read_text().splitlines()]
    assert [line["step"] for line in logged if "validation_uar" in line] == [2, 4]
    assert recipes.load(run.recipe).evaluate.during_training == 2


def test_the_same_again_is_refused_and_loses_nothing(finished):
    folder, run, _ = finished
    before = run.report.read_text()
    done = emovlm("train", "mine.yaml", cwd=folder, code=2)
    assert "trained already" in done.stderr
    assert done.stderr.count("\n") == 1
    assert run.report.read_text() == before


def test_evaluate_a_run_again_gives_the_same_numbers(finished):
    folder, run, _ = finished
    before = read(run.predictions("test-likelihood"))
    emovlm("evaluate", run.folder, cwd=folder)
    assert read(run.predictions("test-likelihood")).rows == before.rows
    emovlm("evaluate", run.folder, "--split", "validation", cwd=folder)
    assert set(json.loads(run.report.read_text())["evaluations"]) == {"test-likelihood", "validation-likelihood"}


def test_validation_during_training_equals_evaluation_after_it(finished):
    folder, run, _ = finished
    emovlm("evaluate", run.folder, "--split", "validation", cwd=folder)
    after = json.loads(run.report.read_text())["evaluations"]["validation-likelihood"]
    last = [json.loads(line) for line in run.log.read_text().splitlines() if "validation_uar" in line][-1]
    assert last["validation_uar"] == pytest.approx(after["uar"]["value"])
    assert last["validation_macro_f1"] == pytest.approx(after["macro_f1"]["value"])


def test_zero_shot_is_the_model_as_it_is(finished):
    folder, run, _ = finished
    emovlm("evaluate", "mine.yaml", "train=none", "output=zero", cwd=folder)
    zero = RunFolder(folder / "zero")
    assert not zero.adapter.exists()
    assert read(zero.predictions("test-likelihood")).rows != read(run.predictions("test-likelihood")).rows


def test_the_page_of_one_run(finished):
    folder, run, _ = finished
    emovlm("report", run.folder, cwd=folder)
    assert run.page.read_text().startswith("<!doctype html>")


def test_plain_peft_scores_the_same(finished, tmp_path):
    """A script that does not import emovlm: base, adapter and processor, the chat written by hand."""
    _, run, _ = finished
    row = read(run.predictions("test-likelihood")).rows[0]
    script = tmp_path / "plain.py"
    script.write_text(f"""
import sys, av, numpy as np, torch
from peft import PeftModel
from transformers import AutoModelForImageTextToText, AutoProcessor
run = {str(run.folder)!r}
base = AutoModelForImageTextToText.from_pretrained({str(ROOT / "emovlm/demo/model")!r}, dtype=torch.float32)
model = PeftModel.from_pretrained(base, run + "/adapter").eval()
processor = AutoProcessor.from_pretrained(run + "/adapter")
with av.open({row["media"][0]!r}) as container:
    stream = container.streams.video[0]
    frames = {{round(float(f.pts * stream.time_base), 6): f.to_image() for f in container.decode(stream)}}
times = {row["times_s"]!r}
content = []
for time in times:
    content += [{{"type": "text", "text": f"{{time:.2f}} s: "}}, {{"type": "image"}}]
content += [{{"type": "text", "text": "Which emotion does the person in the video show?"}}]
chat = [{{"role": "user", "content": content}}]
text = processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
images = [frames[round(time, 6)] for time in times]
scores = []
for name in ["happy", "surprise"]:
    batch = processor(text=[text + name + "<|im_end|>"], images=[images], return_tensors="pt")
    num = len(processor.tokenizer(name + "<|im_end|>")["input_ids"])
    with torch.no_grad():
        logp = model(**batch).logits[0].log_softmax(-1)
    ids = batch["input_ids"][0]
    scores.append(sum(logp[k - 1, ids[k]].item() for k in range(len(ids) - num, len(ids))))
expected = {row["scores"]!r}
assert np.allclose(scores, expected, atol=1e-4), (scores, expected)
assert "emovlm" not in sys.modules
""")
    subprocess.run([sys.executable, str(script)], check=True)


def test_schema_and_version(tmp_path):
    emovlm("schema", "schema.json", cwd=tmp_path)
    assert json.loads((tmp_path / "schema.json").read_text())["title"] == "Recipe"
    assert emovlm("--version", cwd=tmp_path).stdout.strip()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["evaluate", "{work}/runs"], "is no run folder; give one, such as runs/mine"),
        (["report", "{work}"], "report.json"),
        (["train", "mine.yaml", "output=new", "--launch", "nowhere.yaml"], "--launch: nowhere.yaml: no such file"),
        (["train", "mine.yaml", "seed=1", "--dry-run", "data.root=/nowhere"], "/nowhere"),
        (["evaluate", "mine.yaml", "seed=1", "output=new"], "is not trained yet"),
        (["evaluate", "runs/mine", "frames.keep=1"], "frames.keep=1: a run folder is scored as it was trained"),
    ],
)
def test_the_users_mistakes_are_one_line(finished, arguments, says):
    folder, _, _ = finished
    done = emovlm(*(argument.format(work=folder) for argument in arguments), cwd=folder, code=2)
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
