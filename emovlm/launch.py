"""How the processes of a command come to be, and what they may say."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shlex
import shutil
import socket
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from emovlm import UserError
from emovlm.train.preflight import accumulation_steps

if TYPE_CHECKING:
    from emovlm.recipe import Recipe

PYTHONS_OWN = warnings.formatwarning
# What the communication says on the processes that are left when one has ended.
LEFT_ALONE = ("Connection closed by peer", "Connection reset by peer", "remote process exited", "Broken pipe")


def relaunch(launch: str, *recipes: Recipe) -> None:
    """Print the plain `accelerate launch` line of this command, and become it. Where it has happened, do nothing.

    launch: an accelerate config, and behind it further options of `accelerate launch`: `zero2.yaml --num_processes 8`.
    recipes: what will be trained. Raises UserError where a global batch does not divide by so many processes.
    """
    if "LOCAL_RANK" in os.environ:  # accelerate or torchrun has started us
        return
    try:
        config, *options = shlex.split(launch)
    except ValueError as error:
        raise UserError(f"--launch {launch!r}: expected a config, such as accelerate_configs/ddp.yaml") from error
    if not Path(config).is_file():
        raise UserError(f"--launch: {config}: no such file; accelerate_configs/ has some")
    asked = _processes(Path(config), options)
    os.environ["EMOVLM_PROCESSES"] = asked
    if asked and (not asked.isdigit() or int(asked) < 1):
        raise UserError(f"--launch: {asked} processes: expected a number above 0")
    if asked:
        for recipe in recipes:
            accumulation_steps(recipe, int(asked))
    found = Path(sys.executable).with_name("accelerate")
    program = str(found) if found.exists() else shutil.which("accelerate")
    assert program, "accelerate is not installed"
    line = ["accelerate", "launch", "--config_file", config, *options, "-m", "emovlm", *_without_launch(sys.argv[1:])]
    print(shlex.join(line), file=sys.stderr, flush=True)
    os.execv(program, [program, *line[1:]])


def _processes(config: Path, options: list[str]) -> str:
    """How many processes are asked for, on all machines together; empty where accelerate decides."""
    from emovlm import yaml_file

    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--num_processes", "--num-processes")
    given = parser.parse_known_args(options)[0].num_processes
    return given or str(yaml_file.read(config).values.get("num_processes") or "")


def _without_launch(arguments: list[str]) -> list[str]:
    kept = []
    words = iter(arguments)
    for word in words:
        if word == "--launch":
            next(words)
        elif not word.startswith("--launch="):
            kept.append(word)
    return kept


def tell_failure(error: Exception) -> None:
    """Say on stderr why this process ends. Of several: which it is, the error before its traceback, and only once."""
    rank = os.environ.get("RANK")
    mistake = isinstance(error, UserError)
    said = f"error: {' '.join(str(error).split())}" if mistake else f"{type(error).__name__}: {error}"
    left_alone = rank is not None and any(sign in said for sign in LEFT_ALONE)
    if left_alone:
        said = "another process has ended, so this one cannot go on; the error is there"
    if rank is not None:
        said = f"process {rank} on {socket.gethostname()}: {said}"
    if mistake or rank is not None:
        print(said, file=sys.stderr)
    if not mistake and not left_alone:
        traceback.print_exc()
    path = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if path and not left_alone:
        # torchrun ends with the earliest error of its processes.
        Path(path).write_text(json.dumps({"message": said, "timestamp": int(time.time())}), encoding="utf-8")


def leave_processes() -> None:
    """End the group of processes where there is one: its threads abort an interpreter that ends before them."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def told(message: Warning | str, category: type[Warning], *place: object) -> str:
    """A warning of ours in one line, without the place in our code; others as Python writes them."""
    if category.__module__.startswith("emovlm."):
        return f"warning: {message}\n"
    return PYTHONS_OWN(message, category, *place)  # type: ignore[arg-type]


def quiet_libraries() -> None:
    """One process speaks, and no warning about what the user cannot change."""
    if os.environ.get("RANK", "0") != "0":
        # Tables and pages are said once, by the first process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        warnings.simplefilter("ignore", UserWarning)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|peft|torch)\.")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    # DeepSpeed sets its own level when it is imported.
    logging.getLogger("DeepSpeed").addFilter(lambda record: record.levelno >= logging.ERROR)
    # Said whenever DeepSpeed accumulates, as it should.
    accelerator = logging.getLogger("accelerate.accelerator")
    accelerator.addFilter(lambda record: "Gradient accumulation steps mismatch" not in str(record.msg))
    # Slurm's output is a file, also where srun gives it a terminal.
    if not sys.stderr.isatty() or "SLURM_JOB_ID" in os.environ:
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("TQDM_DISABLE", "1")
