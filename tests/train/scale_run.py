"""`emovlm`, watched, for test_scale.py and test_nodes.py; and broken where it is told.

    accelerate launch ... scale_run.py '{"record": "folder", "commands": [["train", "r.yaml"], ...]}'

record: facts-<rank>.json (the engine at work, what it holds) and rows-<rank>.jsonl ([world, step, rows] of each forward
pass). fault: {"rank": 1, "step": 2, "how": "raise"}: an error before that step's loss, or `kill` (SIGKILL) of the
process, or `node` of its launcher too. forced: make accelerate distribute on a CPU what it would leave alone (FSDP).
cut_back: [run, other]: before the last command the run up to checkpoint-2 is copied, as if it had been stopped there.
"""

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import accelerate.state
import accelerate.utils
import torch.distributed
from accelerate import DistributedType

from emovlm import cli, processes
from emovlm.evaluate import asking
from emovlm.train import callbacks, sft

ASKED = json.loads(sys.argv[1])
RECORD, FAULT, RANK = Path(ASKED["record"]), ASKED.get("fault") or {}, int(os.environ.get("RANK", 0))


def facts(trainer):
    """The engine, and how many elements of the frozen parameters this process holds of all there are."""
    held = whole = 0
    for parameter in trainer.model.parameters():
        if not parameter.requires_grad:
            whole += getattr(parameter, "ds_numel", parameter.numel())
            if hasattr(parameter, "ds_tensor"):
                held += parameter.numel() * (parameter.ds_status.name == "AVAILABLE") + parameter.ds_tensor.numel()
            else:
                held += parameter.to_local().numel() if hasattr(parameter, "to_local") else parameter.numel()
    wrapped = trainer.model_wrapped
    kinds = {kind.__name__ for kind in type(wrapped).mro()}
    stage = wrapped.zero_optimization_stage() if "DeepSpeedEngine" in kinds else None
    return {"kinds": sorted(kinds), "stage": stage, "held": held, "whole": whole, "world": trainer.args.world_size}


def write_facts(**found):
    path = RECORD / f"facts-{RANK}.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, **found}))


def watch_start():
    begin = callbacks.CheckpointMarker.on_train_begin

    def on_train_begin(self, *args, **kwargs):
        write_facts(**facts(self.trainer))
        begin(self, *args, **kwargs)

    callbacks.CheckpointMarker.on_train_begin = on_train_begin


def watch_forward():
    forward = sft.LongTailTrainer.compute_loss

    def compute_loss(self, model, inputs, *args, **kwargs):
        step, world = self.state.global_step, int(os.environ.get("WORLD_SIZE", 1))
        if FAULT and (RANK, step) == (FAULT["rank"], FAULT["step"]) and not (RECORD / "fault").exists():
            (RECORD / "fault").write_text(str(time.time()))
            if FAULT["how"] == "raise":
                raise RuntimeError("a fault as planned")
            if FAULT["how"] == "node":
                os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        with (RECORD / f"rows-{RANK}.jsonl").open("a") as file:
            file.write(json.dumps([world, step, inputs["rows_B"].tolist()]) + "\n")
        return forward(self, model, inputs, *args, **kwargs)

    sft.LongTailTrainer.compute_loss = compute_loss


def watch_scoring():
    """How often a layer is run, and so gathered, for one batch of scores."""
    token_scores, counts = asking.likelihood.token_scores, set()

    def counted(model, *args):
        passes = []
        layer = next(module for module in model.modules() if type(module).__name__.endswith("DecoderLayer"))
        hook = layer.register_forward_hook(lambda *_: passes.append(1))
        found = token_scores(model, *args)
        hook.remove()
        counts.add(len(passes))
        write_facts(passes=sorted(counts))
        return found

    asking.likelihood.token_scores = counted


def shard_small_weights():
    """DeepSpeed would keep weights as small as the demo's whole on every process."""
    fill = accelerate.utils.DeepSpeedPlugin.__post_init__

    def filled(self):
        fill(self)
        self.deepspeed_config["zero_optimization"]["stage3_param_persistence_threshold"] = 0

    accelerate.utils.DeepSpeedPlugin.__post_init__ = filled


def cut_back(run, other):
    if RANK == 0:
        ignored = shutil.ignore_patterns("adapter", "checkpoint-4", "ledger.json", "report.json", "eval")
        shutil.copytree(run, other, ignore=ignored)
    torch.distributed.barrier()


if ASKED.get("forced"):
    accelerate.state.PartialState._prepare_backend = lambda *_: ("gloo", DistributedType.MULTI_GPU)
    processes.on_cpu = lambda: False
RECORD.mkdir(parents=True, exist_ok=True)
shard_small_weights()
watch_start()
watch_forward()
watch_scoring()
# One start for several commands: the first must not take the processes away from the next.
leave_processes, cli.leave_processes = cli.leave_processes, lambda: None
for number, command in enumerate(ASKED["commands"], 1):
    if "cut_back" in ASKED and number == len(ASKED["commands"]):
        cut_back(*ASKED["cut_back"])
    sys.argv = ["emovlm", *command]
    try:
        cli.main()
    except SystemExit as end:
        if end.code:
            raise
leave_processes()
