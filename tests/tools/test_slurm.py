"""The job scripts, run by bash with stand-ins for Slurm and emovlm: what they would call can be called."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest
import typer.main

from emovlm import cli

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "tools" / "slurm").iterdir())
# srun starts the command once a machine, in turn.
STANDINS = {
    "srun": """
while [[ $1 == --* ]]; do shift; done
for node in $(seq 0 $((SLURM_NNODES - 1))); do SLURM_NODEID=$node "$@"; done
""",
    "scontrol": r'echo "$*" >> "$CALLS.scontrol"; printf "first\nsecond\n"',
    "emovlm": r'printf "%s\0" "$@" >> "$CALLS"; printf "\n" >> "$CALLS"',
}


@pytest.fixture
def submit(tmp_path):
    """`submit(script, *arguments, **slurm)` -> the arguments of each call of emovlm."""
    for name, body in STANDINS.items():
        (tmp_path / name).write_text(f"#!/usr/bin/env bash\n{body}\n")
        (tmp_path / name).chmod(0o755)

    def submit(script, *arguments, **slurm):
        environment = {
            **os.environ,
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "CALLS": str(tmp_path / "calls"),
            **slurm,
        }
        command = ["bash", str(ROOT / "tools" / "slurm" / script), *arguments]
        subprocess.run(command, check=True, cwd=tmp_path, env=environment, timeout=60)
        return [line.split("\0")[:-1] for line in (tmp_path / "calls").read_text().splitlines()]

    return submit


def parsed(call):
    verb, *rest = call
    return typer.main.get_command(cli.app).commands[verb].make_context(verb, rest).params


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_bash_and_slurm_can_read_it(script):
    subprocess.run(["bash", "-n", str(script)], check=True)
    lines = script.read_text().splitlines()
    options = [line for line in lines if line.startswith("#SBATCH ")]
    assert "#SBATCH --requeue" in options
    # sbatch reads no option behind the first command.
    first = next(number for number, line in enumerate(lines) if line and not line.startswith("#"))
    assert all(number < first for number, line in enumerate(lines) if line.startswith("#SBATCH"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_what_it_says_to_type_names_itself(script):
    [line] = [line for line in script.read_text().splitlines() if line.startswith("#   sbatch ")]
    words = shlex.split(line.removeprefix("#   "))
    assert str(script.relative_to(ROOT)) in words
    assert all((ROOT / word).exists() for word in words if word.startswith("accelerate_configs/"))


def test_training_on_two_machines(submit, tmp_path):
    slurm = {"SLURM_JOB_ID": "41234", "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_NNODES": "2", "SLURM_GPUS_ON_NODE": "8"}
    config = str(ROOT / "accelerate_configs" / "multi_node_zero3.yaml")
    calls = submit("train.sbatch", config, "r.yaml", "enrich.source=a b", **slurm)
    assert (tmp_path / "calls.scontrol").read_text() == "show hostnames n[1-2]\n"
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    for rank, call in enumerate(calls):
        found = parsed(call)
        assert (str(found["recipe"]), found["overrides"], found["resume"]) == ("r.yaml", ["enrich.source=a b"], True)
        options = ["--config_file", *shlex.split(found["launch"]), "-m", "emovlm"]
        args, _, _ = _validate_launch_command(launch_command_parser().parse_args(options))
        assert (args.num_machines, args.num_processes, args.machine_rank) == (2, 16, rank)
        assert (args.main_process_ip, args.main_process_port, args.tee) == ("first", 21234, "3")
        assert args.log_dir == f"slurm/41234/0/machine-{rank}"
    assert len(calls) == 2
    assert (tmp_path / "slurm" / "41234" / "0").is_dir()
    submit("train.sbatch", config, "r.yaml", **slurm, SLURM_RESTART_COUNT="1")
    assert (tmp_path / "slurm" / "41234" / "1").is_dir(), "the logs of the first start stay"


def test_a_study_as_an_array(submit):
    slurm = {"SLURM_NNODES": "1", "SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_MAX": "15"}
    [call] = submit("study.sbatch", "s.yaml", "seeds=[0, 1]", **slurm)
    found = parsed(call)
    assert (str(found["path"]), found["overrides"], found["only"]) == ("s.yaml", ["seeds=[0, 1]"], "3/15")
