import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from emovlm import UserError, cli
from emovlm import run as runs
from emovlm.train import checkpoints
from emovlm.train.callbacks import RunLog
from emovlm.train.checkpoints import COMPLETE, Progress, fault, find_start, rotate

CLIPS = Path(__file__).parents[2] / "emovlm" / "demo" / "clips" / "train"
STREAM = {"seed": 0, "arguments": {"q": 0.5}, "class_counts": {"happy": 2}, "ids_and_labels": "a", "order": "b"}


def checkpoint(run, step, *, stream=STREAM, progress=None):
    """A folder as transformers leaves it, with our files."""
    folder = run.folder / f"checkpoint-{step}"
    (folder / "global_step").mkdir(parents=True)
    (folder / "optimizer.pt").write_bytes(b"0" * 100)
    (folder / "global_step" / "rank0.pt").write_bytes(b"0" * 10)
    checkpoints.write(folder, np.array([[1, step]]), stream, progress or Progress())
    return folder


@pytest.fixture
def run(tmp_path):
    run = runs.RunFolder(tmp_path / "run")
    runs.write_json(run.env, {})
    return run


def start(run, stream=STREAM, allowed=False):
    return find_start(run, stream, allow_different_data=allowed)


def names(run):
    return sorted(path.name for path in run.folder.iterdir() if path.is_dir())


def test_a_whole_checkpoint_has_no_fault_and_lists_all_its_files(run):
    folder = checkpoint(run, 2)
    assert fault(folder) is None
    listed = json.loads((folder / COMPLETE).read_text())
    assert set(listed) == {
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != COMPLETE
    }
    assert listed["optimizer.pt"] == 100


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda folder: (folder / COMPLETE).unlink(), "the run stopped while it was written"),
        (lambda folder: (folder / COMPLETE).write_text(""), "complete.json cannot be read"),
        (lambda folder: (folder / COMPLETE).write_text("[]"), "complete.json cannot be read"),
        (lambda folder: (folder / "optimizer.pt").unlink(), "optimizer.pt is missing"),
        (lambda folder: (folder / "optimizer.pt").write_bytes(b"0" * 99), "optimizer.pt has 99 of 100 bytes"),
        (lambda folder: (folder / "global_step" / "rank0.pt").unlink(), "global_step/rank0.pt is missing"),
    ],
)
def test_an_incomplete_checkpoint_is_passed_over_for_the_one_before(run, capsys, spoil, expected):
    whole, broken = checkpoint(run, 9), checkpoint(run, 10)
    spoil(broken)
    assert fault(broken) == expected
    found = start(run)
    assert (found.folder, found.step) == (whole, 9)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"checkpoint-10 is incomplete ({expected}" in said
    assert said.endswith("going on from checkpoint-9\n")
    # What was whole once can perhaps be mended; what never was is of no use.
    assert names(run) == ["checkpoint-9"] + ([] if "stopped" in expected else ["damaged-checkpoint-10"])


def test_where_there_is_none_training_starts_anew_and_says_why(run, capsys, tmp_path):
    assert start(run).step == 0
    assert "there is no checkpoint yet; training starts at step 0" in capsys.readouterr().err
    (checkpoint(run, 5) / COMPLETE).unlink()
    assert start(run).folder is None
    assert "checkpoint-5 is incomplete" in capsys.readouterr().err
    assert start(runs.RunFolder(tmp_path / "other")).step == 0
    assert "nothing was begun here yet; training starts at step 0" in capsys.readouterr().err


def test_what_a_killed_process_was_writing_is_swept_away(run):
    (run.folder / ".adapter.123").mkdir()
    (run.folder / ".adapter.123" / "adapter_model.safetensors").write_bytes(b"0")
    (run.folder / ".log.jsonl.77").write_text("x")
    (run.folder / ".gitignore").write_text("*")
    start(run)
    assert sorted(path.name for path in run.folder.iterdir()) == [".gitignore", "env.json"]


def test_rotation_counts_complete_checkpoints_only(run):
    for step in (2, 4, 10):
        checkpoint(run, step)
    (run.folder / "checkpoint-10" / COMPLETE).unlink()
    rotate(run, 1)
    assert names(run) == ["checkpoint-10", "checkpoint-4"], "the good one stays until the new one is complete"
    checkpoint(run, 12)
    rotate(run, 1)
    assert names(run) == ["checkpoint-12"]
    for keep in (None, 0, -1, 3):
        rotate(run, keep)
    assert names(run) == ["checkpoint-12"]


def test_rotation_keeps_the_best_one_and_the_newest(run):
    for step in range(1, 7):
        checkpoint(run, step)
    rotate(run, 5)
    assert names(run) == [f"checkpoint-{step}" for step in (2, 3, 4, 5, 6)]
    rotate(run, 3, str(run.folder / "checkpoint-2"))
    assert names(run) == ["checkpoint-2", "checkpoint-5", "checkpoint-6"]
    rotate(run, 1, str(run.folder / "checkpoint-2"))
    assert names(run) == ["checkpoint-2", "checkpoint-6"]
    rotate(run, 1, str(run.folder / "checkpoint-6"))
    assert names(run) == ["checkpoint-6"]


def test_another_stream_is_refused_in_one_line_and_nothing_is_touched(run):
    checkpoint(run, 4)
    (checkpoint(run, 6) / COMPLETE).unlink()
    other = {**STREAM, "seed": 1, "arguments": {"q": 0.25}, "class_counts": {"happy": 2, "sad": 1}, "order": "c"}
    with pytest.raises(UserError) as error:
        start(run, other)
    message = str(error.value)
    for part in ("seed 0 then, 1 now", "arguments.q 0.5 then, 0.25 now", "class_counts.sad none then, 1 now"):
        assert part in message
    assert "order" not in message.replace("another", ""), "it follows from the rest"
    assert "--allow-different-data" in message
    assert "\n" not in message
    assert names(run) == ["checkpoint-4", "checkpoint-6"]


def test_an_order_that_changed_alone_is_told_too(run):
    checkpoint(run, 4)
    with pytest.raises(UserError, match="order b then, c now"):
        start(run, {**STREAM, "order": "c"})


def test_a_hundred_classes_that_differ_are_still_one_line():
    counts = {f"class {number}": number for number in range(100)}
    found = checkpoints.differences({"class_counts": counts}, {"class_counts": dict.fromkeys(counts, -1)})
    assert found[-1] == "and 92 more"


def test_allowed_differences_are_stamped_and_stay_stamped(run, capsys):
    checkpoint(run, 4)
    other = {**STREAM, "ids_and_labels": "z"}
    found = start(run, other, allowed=True)
    assert (found.step, found.same_rows) == (4, False)
    stamp = "step 4: ids_and_labels a then, z now; the ledger counts from here on"
    assert found.progress.different_data == [stamp]
    assert stamp in capsys.readouterr().err
    # The next checkpoint carries the new fingerprint, and the stamp.
    checkpoint(run, 6, stream=other, progress=found.progress)
    again = start(run, other)
    assert (again.step, again.same_rows) == (6, True)
    assert again.progress.different_data == [stamp]


@pytest.mark.parametrize(
    "text",
    [
        '{"step": 1}\n{"step": 2}\n{"step": 3}\n{"step": 4, "lo',
        '{"step": 1}\n{"step": 2}\n{"st',
        '{"step": 1}\n\n{"step": 2}\n\x00\x00\x00',
        '{"step": 1}\n{"step": 2}\n"a text"\n[]\n',
    ],
)
def test_the_log_is_cut_at_the_checkpoint_and_at_half_a_line(run, text):
    run.log.write_text(text)
    RunLog(run).cut(2)
    assert run.log.read_text() == '{"step": 1}\n{"step": 2}\n'
    RunLog(run).cut(0)
    assert run.log.read_text() == ""


def fingerprint(small, **changes):
    from emovlm.data import splits
    from emovlm.longtail.plan import plan
    from emovlm.longtail.targets import class_indices

    recipe = small(**changes)
    rows = splits.pick(splits.load(recipe.data), "train")
    classes = rows.features["label"].names
    return checkpoints.fingerprint(recipe, rows, plan(recipe, class_indices(rows["label"]), classes))


def test_the_fingerprint_holds_what_decides_the_stream(small):
    found = fingerprint(small)
    assert json.loads(json.dumps(found)) == found
    assert found == fingerprint(small, trainer={"learning_rate": 1e-5, "max_steps": 9}), "no part of the stream"
    for changes, keys in [
        ({"seed": 1}, {"seed", "order"}),
        ({"global_batch": 8}, {"global_batch"}),
        ({"sampler": {"strategy": "natural"}}, {"strategy", "order"}),
        ({"sampler": {"draws": "multinomial"}}, {"arguments", "order"}),
        (
            {"data": {"imbalance": {"ratio": 5}}},
            {"num_rows", "class_counts", "ids_and_labels", "epoch_length", "order"},
        ),
    ]:
        other = fingerprint(small, **changes)
        assert {key for key in found if found[key] != other[key]} == keys, changes


def test_default_arguments_of_a_strategy_are_part_of_it(small):
    found = fingerprint(small, sampler={"strategy": "tail_oversampling"})
    assert found["arguments"]["floor"] == 0.5
    assert found == fingerprint(small, sampler={"strategy": "tail_oversampling", "floor": 0.5})


def test_the_total_counts_where_the_mix_depends_on_progress(small):
    progressive = {"strategy": "progressive"}
    assert fingerprint(small)["total_steps"] is None
    four = fingerprint(small, sampler=progressive)
    nine = fingerprint(small, sampler=progressive, trainer={"max_steps": 9})
    assert (four["total_steps"], nine["total_steps"]) == (4, 9)
    by_epochs = fingerprint(small, sampler=progressive, trainer={"max_steps": -1, "num_train_epochs": 0.5})
    assert by_epochs["total_steps"] == np.ceil(by_epochs["epoch_length"] / 4 * 0.5)


@pytest.fixture(scope="module")
def stopped(small, tmp_path_factory):
    """-> (recipe on a jsonl, run folder): two of three steps are done, with `save_total_limit: 1`."""
    from emovlm.train.sft import train

    home = tmp_path_factory.mktemp("stopped")
    lines = [
        {"id": f"r{k}", "media": str(CLIPS / f"{k + 1:04d}.mp4"), "label": ["happy", "sad"][k % 2], "split": "train"}
        for k in range(8)
    ]
    (home / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    recipe = small(
        data={"source": "jsonl", "root": str(home / "rows.jsonl"), "classes": ["happy", "sad"]},
        frames={"keep": 1},
        trainer={"max_steps": 3, "save_strategy": "steps", "save_steps": 1, "save_total_limit": 1},
    )
    run = runs.RunFolder(home / "run")

    def write_but_the_last(folder, *rest):
        if folder.name == "checkpoint-3":
            raise KeyboardInterrupt
        write(folder, *rest)

    with pytest.MonkeyPatch.context() as patch:
        # Killed in the third step's checkpoint, before the marker.
        write = checkpoints.write
        patch.setattr(checkpoints, "write", write_but_the_last)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, run)
    return recipe, run


def test_with_room_for_one_the_good_checkpoint_outlives_the_half_written_one(stopped):
    _, run = stopped
    assert [path.name for path in run.checkpoints()] == ["checkpoint-2", "checkpoint-3"]
    assert fault(run.checkpoints()[0]) is None


def test_changed_rows_are_refused_then_allowed_and_stamped(stopped, capsys):
    from emovlm.train.sft import train

    recipe, run = stopped
    path = Path(recipe.data.args["root"])
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-1], lines[-1].replace('"sad"', '"happy"')]) + "\n")
    with pytest.raises(UserError, match=r"checkpoint-2 .*class_counts.happy 4.0 then, 5.0 now.*--allow-different-data"):
        train(recipe, run, resume=True)
    train(recipe, run, resume=True, allow_different_data=True)
    assert "checkpoint-3 is incomplete" in capsys.readouterr().err
    found = json.loads(run.report.read_text())["train"]
    assert found["num_steps"] == 3
    assert len(found["different_data"]) == 1
    assert found["different_data"][0].startswith("step 2: class_counts.happy 4.0 then, 5.0 now; class_counts.sad")
    assert sum(json.loads(run.ledger.read_text())["drawn"]) == 4, "of the one step since"
    assert [path.name for path in run.checkpoints()] == ["checkpoint-3"]


def test_what_cannot_go_on_exactly_is_refused(tmp_path):
    from emovlm import recipe as recipes

    path = tmp_path / "r.yaml"
    path.write_text("data: {source: demo}\nmodel: {name: demo}\n")
    for key in ("save_only_model", "ignore_data_skip"):
        with pytest.raises(UserError, match=rf"trainer\.{key}: is set by emovlm"):
            recipes.load(path, [f"trainer.{key}=true"])


def test_the_way_round_goes_with_resume(tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text("data: {source: demo}\nmodel: {name: demo}\n")
    found = CliRunner().invoke(cli.app, ["train", str(recipe), "--allow-different-data"])
    assert isinstance(found.exception, UserError)
    assert "--allow-different-data: goes with --resume" in str(found.exception)
