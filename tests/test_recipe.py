"""A recipe is refused in one line that names file, line, place and remedy, before anything heavy is imported."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from emovlm import UserError, recipe, recipe_schema

GOOD = """\
seed: 0
data: {source: jsonl, root: clips.jsonl}
frames: {pick: uniform, keep: 8}
model: {name: demo}
sampler:
  strategy: natural
global_batch: 16
trainer: {learning_rate: 1e-4, per_device_train_batch_size: 4}
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "x.yaml"
        path.write_text(text)
        return path

    return write


def test_good_recipe_has_numbers_and_defaults(write):
    found = recipe.load(write(GOOD))
    assert found.trainer["learning_rate"] == 1e-4
    assert found.frames.args == {"keep": 8}
    assert found.data.args == {"root": "clips.jsonl"}
    assert (found.evaluate.split, found.train) == ("test", "lora")


def test_resolved_recipe_loads_to_the_same(write):
    found = recipe.load(write(GOOD))
    again = recipe.load(write(yaml.safe_dump(recipe.resolved(found))))
    assert again == found


@pytest.mark.parametrize(
    ("old", "new", "place", "says"),
    [
        ("keep: 8", "kep: 8", "x.yaml:3: frames.kep", "did you mean 'keep'?"),
        ("keep: 8", "keep: eight", "x.yaml:3: frames.keep", "'eight'"),
        ("global_batch: 16", "globl_batch: 16", "x.yaml:7: globl_batch", "did you mean 'global_batch'?"),
        ("global_batch: 16", "global_batch: -1", "x.yaml:7: global_batch", "-1"),
        ("global_batch: 16", "global_batch: 18", "x.yaml", "18 is not a multiple"),
        ("learning_rate", "learnig_rate", "x.yaml:8: trainer.learnig_rate", "did you mean 'learning_rate'?"),
        ("learning_rate: 1e-4", "output_dir: x", "x.yaml:8: trainer.output_dir", "output: at the top level"),
        ("strategy: natural", "strategy: naturall", "x.yaml:6: sampler.strategy", "did you mean 'natural'?"),
        ("strategy: natural", "strategy: natural\n  q: 0.5", "x.yaml:7: sampler.q", "unknown key (with natural)"),
        ("source: jsonl", "source: json", "x.yaml:2: data.source", "did you mean 'jsonl'?"),
        ("source: jsonl", "source: no_such_module:load", "x.yaml:2: data.source", "no module 'no_such_module'"),
        (", root: clips.jsonl", "", "x.yaml:2: data", "jsonl needs data.root"),
        ("jsonl, root", "jsonl, classes: [happy, no], root", "x.yaml:2: data.classes.1", "in quotes, 'no'"),
        ("jsonl, root", "jsonl, classes: [happy, 3], root", "x.yaml:2: data.classes.1", "in quotes, '3'"),
        ("jsonl, root", "jsonl, imbalance: {ratio: 9, order: [no]}, root", "data.imbalance.order", "quotes"),
        ("seed: 0", "seed: 0\nseed: 1", "x.yaml:2: seed", "given twice (first in line 1)"),
        ("model: {name: demo}", "model: {}", "x.yaml:4: model.name", "is missing"),
        ("seed: 0", "seed: ${oc.env:EMOVLM_NOT_SET}", "x.yaml:1: seed", "EMOVLM_NOT_SET"),
        ("seed: 0", "seed: [", "x.yaml:", "not valid YAML"),
    ],
)
def test_a_fault_is_one_line_with_place_and_remedy(write, old, new, place, says):
    assert old in GOOD
    with pytest.raises(UserError) as caught:
        recipe.load(write(GOOD.replace(old, new, 1)))
    message = str(caught.value)
    assert place in message
    assert says in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("casme2, root: x, table: 5", "data.table: YAML reads 5 as 5; a text is expected: write it in quotes, '5'"),
        ("folder, root: x, names: [happy]", "data.names: got ['happy']: input should be a valid dictionary"),
        ("folder, root: x, names: {1: no}", "data.names.1: YAML reads no as False; a text is expected"),
        ("hub, root: x, columns: [image]", "data.columns: got ['image']: input should be a valid dictionary"),
        ("hub, root: x, columns: {media: null}", "data.columns.media: got None"),
        ("hub, root: x, revision: null, names: {1: happy, '2': sad}", None),
        ("casme2, root: x, table: null", None),
    ],
)
def test_arguments_that_may_be_left_out_have_types_too(write, given, says):
    path = write(GOOD.replace("jsonl, root: clips.jsonl", given, 1))
    if says is None:
        assert recipe.load(path).data.args["root"] == "x"
    else:
        with pytest.raises(UserError) as caught:
            recipe.load(path)
        assert f"x.yaml:2: {says}" in str(caught.value)


def test_overrides_replace_values_and_whole_sections(write, monkeypatch):
    path = write(GOOD)
    monkeypatch.setenv("EMOVLM_ROOT", "/data")
    found = recipe.load(
        path, ["sampler={strategy: tail_oversampling, floor: 0.25}", "seed=7", "data.root=${oc.env:EMOVLM_ROOT}/x"]
    )
    assert found.sampler.strategy == "tail_oversampling"
    assert found.sampler.args == {"floor": 0.25}
    assert (found.seed, found.data.args["root"]) == (7, "/data/x")
    with pytest.raises(UserError, match=r"expected a\.b=value"):
        recipe.load(path, ["sampler"])
    with pytest.raises(UserError, match=r"frames\.kep: unknown key .*did you mean 'keep'"):
        recipe.load(path, ["frames.kep=3"])


def test_trainer_keys_equal_those_of_training_arguments():
    import dataclasses

    from transformers import TrainingArguments

    assert recipe.trainer_keys() == {field.name for field in dataclasses.fields(TrainingArguments)}


def test_schema_knows_trainer_keys_and_names():
    found = recipe_schema.schema()
    assert "learning_rate" in found["properties"]["trainer"]["properties"]
    assert "output_dir" not in found["properties"]["trainer"]["properties"]
    assert "square_root" in found["$defs"]["Sampler"]["properties"]["strategy"]["examples"]
    assert "floor" in found["$defs"]["Sampler"]["properties"]
    json.dumps(found)


@pytest.mark.parametrize("arguments", [["--help"], ["train", "{typo}"]])
def test_help_and_a_typo_cost_under_a_second(write, arguments):
    typo = write(GOOD.replace("keep", "kep"))
    command = [sys.executable, "-m", "emovlm", *(argument.format(typo=typo) for argument in arguments)]
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        # Processor time: the cores may be busy with other tests.
        times.append(spent.ru_utime + spent.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 1.0, times
    if arguments == ["--help"]:
        assert done.returncode == 0
    else:
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "did you mean 'keep'?" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_typo_is_answered_without_torch(write):
    code = (
        "import sys; from pathlib import Path; from emovlm import recipe\n"
        f"recipe.load(Path({str(write(GOOD))!r}))\n"
        "heavy = {'torch', 'transformers', 'datasets', 'av', 'sklearn'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])
