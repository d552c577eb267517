"""One training in this process, for test_resume.py: records what reaches `forward`, and kills itself where it is told.

    python -m torch.distributed.run --nproc_per_node 2 resume_run.py '{"recipe": ..., "folder": ..., "record": ...}'

kill: {"where": "forward", "step": 5, "call": 1}: in the second forward pass after step 5. {"where": "optimizer"}: with
half of a checkpoint's optimizer.pt written. {"where": "marker"}: before its marker. {"where": "log"}: with half a line
in log.jsonl. {"where": "adapter"}: with half of the adapter's folder written. Each with the `step`, if not the last.
"""

import json
import os
import signal
import sys
from pathlib import Path

from emovlm import recipe as recipes
from emovlm import run as runs
from emovlm.launch import leave_processes
from emovlm.train import callbacks, checkpoints, sft

ASKED = json.loads(sys.argv[1])
KILL = {"where": None, "step": None, "call": 0, "rank": 0, **(ASKED.get("kill") or {})}
RANK = int(os.environ.get("RANK", 0))


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def here(where, step):
    return KILL["where"] == where and KILL["step"] == step and KILL["rank"] == RANK


def record_forward():
    forward, calls = sft.LongTailTrainer.compute_loss, {}
    record = Path(ASKED["record"])
    record.mkdir(parents=True, exist_ok=True)

    def compute_loss(self, model, inputs, *args, **kwargs):
        step = self.state.global_step
        calls[step] = calls.get(step, 0) + 1
        if here("forward", step) and calls[step] == KILL["call"] + 1:
            die()
        with (record / f"{RANK}.jsonl").open("a") as file:
            file.write(json.dumps([step, RANK, inputs["rows_B"].tolist()]) + "\n")
        return forward(self, model, inputs, *args, **kwargs)

    sft.LongTailTrainer.compute_loss = compute_loss


def kill_while_writing():
    save_optimizer, write = sft.LongTailTrainer._save_optimizer_and_scheduler, checkpoints.write
    on_log, save_adapter = callbacks.RunLog.on_log, sft.lora.save

    def half_optimizer(self, folder):
        save_optimizer(self, folder)
        if here("optimizer", self.state.global_step):
            path = Path(folder) / "optimizer.pt"
            os.truncate(path, path.stat().st_size // 2)
            die()

    def no_marker(folder, *args):
        if here("marker", int(folder.name.rpartition("-")[2])):
            die()
        write(folder, *args)

    def half_line(self, args, state, control, **kwargs):
        if here("log", state.global_step):
            with self.path.open("a") as file:
                file.write(json.dumps({"step": state.global_step, "epoch": 0})[:-7])
            die()
        on_log(self, args, state, control, **kwargs)

    def half_adapter(model, processor, folder):
        if here("adapter", None):
            model.save_pretrained(folder.with_name(f".{folder.name}.{os.getpid()}"))
            die()
        save_adapter(model, processor, folder)

    sft.LongTailTrainer._save_optimizer_and_scheduler, checkpoints.write = half_optimizer, no_marker
    callbacks.RunLog.on_log, sft.lora.save = half_line, half_adapter


record_forward()
kill_while_writing()
sft.train(recipes.load(Path(ASKED["recipe"])), runs.RunFolder(Path(ASKED["folder"])), resume=bool(ASKED.get("resume")))
leave_processes()
