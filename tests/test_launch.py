"""The launcher's line, the configs that come with it, and what a process says when it ends."""

import json
import os
import sys
from pathlib import Path

import pytest

from emovlm import UserError, launch, processes

CONFIGS = Path(__file__).parents[1] / "accelerate_configs"
# config: (engine, processes, machines)
EXPECTED = {
    "cpu": ("plain", 2, 1),
    "one_gpu": ("plain", 1, 1),
    "ddp": ("plain", 2, 1),
    "zero2": ("zero2", 2, 1),
    "zero3": ("zero3", 2, 1),
    "zero3_offload": ("zero3", 2, 1),
    "fsdp2": ("fsdp", 2, 1),
    "multi_node_ddp": ("plain", 16, 2),
    "multi_node_zero3": ("zero3", 16, 2),
}


@pytest.fixture
def started(monkeypatch):
    """What `relaunch` turns the process into: (program, arguments)."""
    found = []
    monkeypatch.setattr(os, "execv", lambda program, arguments: found.append((program, arguments)))
    monkeypatch.setenv(processes.ASKED, "")
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    return found


def relaunch(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["emovlm", *arguments])
    at = arguments.index("--launch") if "--launch" in arguments else None
    launch.relaunch(arguments[at + 1] if at is not None else arguments[-1].removeprefix("--launch="))


def test_the_plain_line_is_printed_and_run(started, monkeypatch, capsys):
    config = str(CONFIGS / "zero2.yaml")
    relaunch(monkeypatch, "train", "my recipe.yaml", "--launch", config, "sampler.q=0.5")
    line = f"accelerate launch --config_file {config} -m emovlm train 'my recipe.yaml' sampler.q=0.5\n"
    assert capsys.readouterr().err == line
    [(program, arguments)] = started
    assert Path(program).name == "accelerate"
    assert arguments[1:] == [
        "launch",
        "--config_file",
        config,
        "-m",
        "emovlm",
        "train",
        "my recipe.yaml",
        "sampler.q=0.5",
    ]
    assert os.environ[processes.ASKED] == "2"


def test_options_of_accelerate_stand_behind_the_config(started, monkeypatch):
    config = str(CONFIGS / "zero3.yaml")
    relaunch(monkeypatch, "study", "s.yaml", f"--launch={config} --num_processes 8 --machine_rank=1")
    assert started[0][1][2:8] == ["--config_file", config, "--num_processes", "8", "--machine_rank=1", "-m"]
    assert started[0][1][8:] == ["emovlm", "study", "s.yaml"]
    assert os.environ[processes.ASKED] == "8"


def test_who_is_launched_already_just_trains(started, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "0")
    relaunch(monkeypatch, "train", "r.yaml", "--launch", str(CONFIGS / "zero2.yaml"))
    assert not started


def test_a_config_that_is_not_there(started, monkeypatch):
    with pytest.raises(UserError, match=r"--launch: zero9\.yaml: no such file"):
        relaunch(monkeypatch, "train", "r.yaml", "--launch", "zero9.yaml")
    assert not started


def test_a_global_batch_that_does_not_divide_is_refused_before_anything_starts(started, small, monkeypatch, capsys):
    config = str(CONFIGS / "zero2.yaml")
    monkeypatch.setattr(sys, "argv", ["emovlm", "train", "r.yaml"])
    recipe = small(global_batch=4, trainer={"per_device_train_batch_size": 2})
    launch.relaunch(config, recipe)
    assert len(started) == 1
    capsys.readouterr()
    with pytest.raises(UserError, match=r"global_batch: 4 is not a multiple of 2 \(per device\) x 3 \(processes\)"):
        launch.relaunch(f"{config} --num-processes 3", recipe)
    assert len(started) == 1
    assert not capsys.readouterr().err


def test_every_config_is_expected():
    assert {path.stem for path in CONFIGS.iterdir()} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_accelerate_reads_a_config_as_it_is_meant(monkeypatch, name):
    """Through accelerate's own parser, up to the environment that the processes will see."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env

    path = CONFIGS / f"{name}.yaml"
    asked = launch_command_parser().parse_args(["--config_file", str(path), "--main_process_port", "0", "script.py"])
    args, _, _ = _validate_launch_command(asked)
    engine, num_processes, num_machines = EXPECTED[name]
    assert (args.num_processes, args.num_machines) == (num_processes, num_machines)
    if args.use_deepspeed:
        args.deepspeed_fields_from_accelerate_config = ""
        command, environment = prepare_deepspeed_cmd_env(args)
        assert command is None, "torchrun starts it, not DeepSpeed's own launcher, which needs ssh"
    else:
        environment = prepare_multi_gpu_env(args)
    for key, value in environment.items():
        if key.startswith("ACCELERATE_"):
            monkeypatch.setenv(key, value)
    assert processes.engine() == engine
    assert args.multi_gpu == (engine == "plain" and num_processes > 1), "else accelerate would start one process"
    assert (name == "cpu") == bool(args.use_cpu)
    assert environment["ACCELERATE_MIXED_PRECISION"] == "no", "the recipe's model.dtype says it"
    if engine == "zero3":
        assert environment["ACCELERATE_DEEPSPEED_ZERO3_SAVE_16BIT_MODEL"] == "true", "or checkpoints lack the adapter"
    offload = environment.get("ACCELERATE_DEEPSPEED_OFFLOAD_PARAM_DEVICE", "none")
    assert offload == ("cpu" if name == "zero3_offload" else "none")
    if engine == "fsdp":
        assert environment["FSDP_VERSION"] == "2"
        # Else all processes but the first would score with weights that were never loaded.
        assert environment["FSDP_CPU_RAM_EFFICIENT_LOADING"] == "false"


def told(error, capsys):
    try:
        raise error
    except type(error) as raised:
        launch.tell_failure(raised)
    return capsys.readouterr().err


def test_alone_a_mistake_is_one_line_and_a_fault_its_traceback(monkeypatch, capsys):
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("TORCHELASTIC_ERROR_FILE", raising=False)
    assert told(UserError("seed: got\n'a'"), capsys) == "error: seed: got 'a'\n"
    assert told(RuntimeError("broken"), capsys).startswith("Traceback")


def test_of_several_the_one_that_failed_says_so_first(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(tmp_path / "error.json"))
    monkeypatch.setattr(launch.socket, "gethostname", lambda: "node7")
    said = told(RuntimeError("broken"), capsys)
    assert said.startswith("process 3 on node7: RuntimeError: broken\nTraceback")
    # What torchrun reads from it and ends with.
    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

    failure = ProcessFailure(local_rank=3, pid=1, exitcode=1, error_file=str(tmp_path / "error.json"))
    assert failure.message == "process 3 on node7: RuntimeError: broken"
    assert failure.timestamp > 0
    assert told(UserError("seed: wrong"), capsys) == "process 3 on node7: error: seed: wrong\n"


def test_who_is_left_alone_points_to_the_one_that_failed(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(tmp_path / "error.json"))
    said = told(RuntimeError("[pair.cc:534] Connection closed by peer [127.0.0.1]:5"), capsys)
    assert said.endswith(": another process has ended, so this one cannot go on; the error is there\n")
    assert said.count("\n") == 1
    assert not (tmp_path / "error.json").exists(), "it would hide the first error"


def test_a_run_that_was_stopped_while_it_was_scored_goes_on_there(small, tmp_path, monkeypatch):
    """What a job that is queued again does: `--resume` of a run that has its adapter already."""
    import yaml
    from typer.testing import CliRunner

    from emovlm import cli
    from emovlm import recipe as recipes
    from emovlm import run as runs

    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipes.resolved(small(output=str(tmp_path / "run")))))
    recipe, run = recipes.load(tmp_path / "r.yaml"), runs.RunFolder(tmp_path / "run")
    runs.begin(recipe, run)
    run.adapter.mkdir()
    did = []
    monkeypatch.setattr(cli.training, "quiet_libraries", lambda: None)
    monkeypatch.setattr("emovlm.train.sft.train", lambda *args, **kwargs: did.append("train"))
    monkeypatch.setattr("emovlm.evaluate.evaluator.evaluate", lambda *args, **kwargs: did.append("evaluate"))
    monkeypatch.setattr("emovlm.report.folders.load", lambda folder: None)
    monkeypatch.setattr("emovlm.report.tables.print_table", lambda results: None)
    result = CliRunner().invoke(cli.app, ["train", str(tmp_path / "r.yaml"), "--resume"])
    assert (did, result.exception) == (["evaluate"], None)
    for arguments in ([], ["--resume", "seed=1"]):
        refused = CliRunner().invoke(cli.app, ["train", str(tmp_path / "r.yaml"), *arguments])
        assert isinstance(refused.exception, UserError)
    assert did == ["evaluate"]
    assert json.loads(run.env.read_text())["recipe_hash"] == runs.recipe_hash(recipe)


def test_an_error_that_ends_with_a_command_names_the_recipe():
    from emovlm.cli.arguments import named

    with pytest.raises(UserError) as caught, named(Path("my recipe.yaml"), ["seed=1"]):
        raise UserError("no texts; make them with `emovlm enrich RECIPE`")
    assert str(caught.value) == "no texts; make them with `emovlm enrich 'my recipe.yaml' seed=1`"


def test_a_warning_of_ours_is_one_line_without_its_place():
    import warnings

    from emovlm.data.leaks import LeakWarning

    assert launch.told("3 sources are in two splits", LeakWarning, "splits.py", 30) == (
        "warning: 3 sources are in two splits\n"
    )
    plain = ("old", UserWarning, "splits.py", 30)
    assert launch.told(*plain) == warnings.formatwarning(*plain)


@pytest.mark.parametrize("odd", ["", " ", "'unclosed", "cpu.yaml --num_processes 0", "cpu.yaml --num_processes two"])
def test_odd_words_after_launch(started, small, monkeypatch, odd):
    monkeypatch.chdir(CONFIGS)
    with pytest.raises(UserError, match="--launch"):
        launch.relaunch(odd, small())
    assert not started
