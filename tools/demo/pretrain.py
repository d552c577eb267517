"""Pretrains the tiny model: `python -m tools.demo.pretrain CORPUS OUTPUT` (see README.md for the minutes).

Two stages: action units on the vision tower alone, then the mixture of mixture.py with the action units as an
auxiliary loss. A fixed number of steps and fixed seeds: the same machine gives the same weights.
Two processes of one thread each share every batch: with matrices this small, two threads of one process mostly wait
for each other.
Legend: A action units, V pictures of a batch.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import distributed, nn
from torch.multiprocessing.spawn import spawn
from torch.nn import functional as F

from tools.demo.action_units import ACTION_UNITS, VISIBLE
from tools.demo.architecture import LANGUAGE_WIDTH, NUM_VISUAL_TOKENS, build_model
from tools.demo.batches import Batcher, patchify
from tools.demo.corpus import Frames, load
from tools.demo.fast_vision import features, speed_up
from tools.demo.measure import unit_f1
from tools.demo.mixture import KINDS, Mixture
from tools.demo.optimizing import Optimizers
from tools.demo.processor import build_processor

SEED = 7
PROCESSES = 2
VISION_STEPS = 700
MIXED_STEPS = 1900
REPORT_EVERY = 100
SNAPSHOT_EVERY = 300
VISION_BATCH = 32  # a process
AUXILIARY_WEIGHT = 2.0


def soft_units(strengths: np.ndarray) -> torch.Tensor:
    """Strengths as targets in 0..1: .5 at the visible threshold, so that the border is not learnt as a cliff."""
    return torch.from_numpy(np.clip(0.5 + (strengths - VISIBLE) / 0.2, 0, 1)).float()


def held_out_f1(model, probe: nn.Linear, held_out: Frames) -> float:
    """Macro F1 of the auxiliary head over action units, on subjects never trained on."""
    with torch.no_grad():
        logits = [
            probe(features(model, patchify(np.repeat(held_out.frames_NHWC[i : i + 100], 2, axis=0))))
            for i in range(0, len(held_out.frames_NHWC), 100)
        ]
    return float(unit_f1(torch.cat(logits).numpy() > 0, held_out.strengths_NA > VISIBLE).mean())


def train_vision(model, probe: nn.Linear, mixture: Mixture, held_out: Frames, steps: int) -> None:
    """Stage 1: which action units a single picture shows, from the visual tokens."""
    optimizers = Optimizers([*model.model.visual.named_parameters(), *probe.named_parameters(prefix="probe")], 1.5)
    frames, start = mixture.frames, time.perf_counter()
    for step in range(steps):
        chosen = np.sort(mixture.rng.choice(len(frames.frames_NHWC), VISION_BATCH, replace=False))
        pictures = np.stack([mixture.augment(frames.frames_NHWC[i]) for i in chosen])
        logits_VA = probe(features(model, patchify(np.repeat(pictures, 2, axis=0))))
        loss = F.binary_cross_entropy_with_logits(logits_VA, soft_units(frames.strengths_NA[chosen]))
        # The schedule stops short of zero: the tower goes on learning in stage 2.
        optimizers.step(loss, 0.85 * step / steps)
        if (step + 1) % REPORT_EVERY == 0 and distributed.get_rank() == 0:
            f1, seconds = held_out_f1(model, probe, held_out), time.perf_counter() - start
            print(f"vision {step + 1}: loss {loss.item():.3f}, held-out F1 {f1:.3f}, {seconds:.0f} s", flush=True)


def train_mixed(
    model, probe: nn.Linear, mixture: Mixture, processor, held_out: Frames, steps: int, snapshot: Path
) -> None:
    """Stage 2: the whole model on the mixture. From time to time the model so far goes to the folder `snapshot`."""
    batcher = Batcher(processor.tokenizer)
    optimizers = Optimizers([*model.named_parameters(), *probe.named_parameters(prefix="probe")])
    seen: dict[str, torch.Tensor] = {}
    model.model.visual.register_forward_hook(lambda module, given, out: seen.update(tokens=out.pooler_output))
    kinds, shares = list(KINDS), np.array([share for share, _ in KINDS.values()])
    losses: dict[str, list[float]] = {kind: [] for kind in kinds}
    # All processes draw the same kinds, so that none waits for a longer batch of another's.
    kind_rng, start = np.random.default_rng([SEED, 100]), time.perf_counter()
    for step in range(steps):
        kind = kinds[int(kind_rng.choice(len(kinds), p=shares / shares.sum()))]
        draw = mixture.draw(kind)
        loss = model(**batcher(draw.samples)).loss
        losses[kind].append(loss.item())
        if draw.strengths_VA is not None:
            logits_VA = probe(seen["tokens"].reshape(len(draw.strengths_VA), -1))
            targets_VA = soft_units(draw.strengths_VA)
            loss = loss + AUXILIARY_WEIGHT * F.binary_cross_entropy_with_logits(logits_VA, targets_VA)
        optimizers.step(loss, step / steps)
        if (step + 1) % REPORT_EVERY == 0 and distributed.get_rank() == 0:
            f1, seconds = held_out_f1(model, probe, held_out), time.perf_counter() - start
            recent = " ".join(f"{k} {np.mean(v[-30:]):.3f}" for k, v in losses.items() if v)
            print(f"mixed {step + 1}: held-out F1 {f1:.3f}, {seconds:.0f} s, loss {recent}", flush=True)
        if (step + 1) % SNAPSHOT_EVERY == 0 and distributed.get_rank() == 0:
            save(model, processor, snapshot)


def save(model, processor, folder: Path) -> None:
    """A `save_pretrained` folder in float16; the model itself stays as it is."""
    copy.deepcopy(model).half().save_pretrained(folder)
    processor.save_pretrained(folder)


def pretrain(rank: int, corpus: Path, output: Path, vision_steps: int, mixed_steps: int, meeting: str) -> None:
    """Both stages in one of PROCESSES processes; the first saves model (float16) and processor."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=PROCESSES)
    frames, held_out, clips = load(corpus)
    torch.manual_seed(SEED)
    processor = build_processor()
    model = build_model(processor.tokenizer)
    probe = nn.Linear(NUM_VISUAL_TOKENS * LANGUAGE_WIDTH, len(ACTION_UNITS))
    speed_up(model)
    mixture = Mixture(frames, clips, np.random.default_rng([SEED, rank]))
    model.train()
    train_vision(model, probe, mixture, held_out, vision_steps)
    train_mixed(model, probe, mixture, processor, held_out, mixed_steps, output)
    if rank == 0:
        save(model, processor, output)
    distributed.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="a folder written by tools.demo.corpus")
    parser.add_argument("output", type=Path)
    parser.add_argument("--vision-steps", type=int, default=VISION_STEPS)
    parser.add_argument("--mixed-steps", type=int, default=MIXED_STEPS)
    arguments = parser.parse_args()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        steps = (arguments.vision_steps, arguments.mixed_steps)
        spawn(pretrain, (arguments.corpus, arguments.output, *steps, f"file://{folder}/meeting"), nprocs=PROCESSES)
    print(f"pretrained in {(time.perf_counter() - start) / 60:.1f} min")


if __name__ == "__main__":
    main()
