"""How the processes of a command come to be, and what they may say."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import warnings
from pathlib import Path

from emovlm import UserError


def relaunch(config: Path) -> None:
    """Replace this process by `accelerate launch` of the same command without --launch."""
    if not config.is_file():
        raise UserError(f"--launch: {config}: no such file; accelerate_configs/ has some")
    from emovlm import yaml_file

    os.environ["EMOVLM_PROCESSES"] = str(yaml_file.read(config).values.get("num_processes", ""))
    accelerate = Path(sys.executable).with_name("accelerate")
    program = str(accelerate) if accelerate.exists() else shutil.which("accelerate")
    assert program, "accelerate is not installed"
    arguments = sys.argv[1:]
    for index, argument in enumerate(arguments):
        if argument == "--launch":
            del arguments[index : index + 2]
            break
        if argument.startswith("--launch="):
            del arguments[index]
            break
    os.execv(program, [program, "launch", "--config_file", str(config), "-m", "emovlm", *arguments])


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
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("TQDM_DISABLE", "1")
