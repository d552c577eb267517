"""Which of how many processes this is. One place, since without a GPU accelerate counts one process unless told."""

from __future__ import annotations

import os

import torch
from accelerate import PartialState

from emovlm import UserError

# Set by `--launch`: how many processes the accelerate config names.
ASKED = "EMOVLM_PROCESSES"


def state() -> PartialState:
    """accelerate's state. Raises UserError where fewer processes work together than were asked for.

    Some set-ups silently start one process, or leave each alone with all of the work.
    """
    found = PartialState(cpu=on_cpu())
    for name in ("WORLD_SIZE", ASKED):
        asked = int(os.environ.get(name) or found.num_processes)
        if asked != found.num_processes:
            raise UserError(
                f"{asked} processes were asked for ({name}), but {found.num_processes} work together: nothing would "
                "be shared; look at distributed_type in the accelerate config"
            )
    return found


def on_cpu() -> bool:
    return not torch.accelerator.is_available() or os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true")
