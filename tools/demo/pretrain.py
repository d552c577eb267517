"""Pretrains the tiny model: `python -m tools.demo.pretrain CORPUS OUTPUT` (see README.md for the minutes).

Two stages: action units on the vision tower alone, then the mixture of mixture.py with the action units as an
auxiliary loss. A fixed number of steps and fixed seeds: the same machine gives the same weights.
Legend: A action units, V pictures of a batch.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
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
VISION_STEPS = 1000
MIXED_STEPS = 2600
VISION_BATCH = 64
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
        if (step + 1) % 100 == 0:
            f1, seconds = held_out_f1(model, probe, held_out), time.perf_counter() - start
            print(f"vision {step + 1}: loss {loss.item():.3f}, held-out F1 {f1:.3f}, {seconds:.0f} s", flush=True)


def train_mixed(model, probe: nn.Linear, mixture: Mixture, batcher: Batcher, held_out: Frames, steps: int) -> None:
    """Stage 2: the whole model on the mixture."""
    optimizers = Optimizers([*model.named_parameters(), *probe.named_parameters(prefix="probe")])
    seen: dict[str, torch.Tensor] = {}
    model.model.visual.register_forward_hook(lambda module, given, out: seen.update(tokens=out.pooler_output))
    kinds, shares = list(KINDS), np.array([share for share, _ in KINDS.values()])
    losses: dict[str, list[float]] = {kind: [] for kind in kinds}
    start = time.perf_counter()
    for step in range(steps):
        kind = kinds[int(mixture.rng.choice(len(kinds), p=shares / shares.sum()))]
        draw = mixture.draw(kind)
        loss = model(**batcher(draw.samples)).loss
        losses[kind].append(loss.item())
        if draw.strengths_VA is not None:
            logits_VA = probe(seen["tokens"].reshape(len(draw.strengths_VA), -1))
            targets_VA = soft_units(draw.strengths_VA)
            loss = loss + AUXILIARY_WEIGHT * F.binary_cross_entropy_with_logits(logits_VA, targets_VA)
        optimizers.step(loss, step / steps)
        if (step + 1) % 200 == 0:
            f1, seconds = held_out_f1(model, probe, held_out), time.perf_counter() - start
            recent = " ".join(f"{k} {np.mean(v[-30:]):.3f}" for k, v in losses.items() if v)
            print(f"mixed {step + 1}: held-out F1 {f1:.3f}, {seconds:.0f} s, loss {recent}", flush=True)


def pretrain(corpus: Path, output: Path, vision_steps: int, mixed_steps: int) -> None:
    """Both stages; saves model (float16) and processor."""
    frames, held_out, clips = load(corpus)
    torch.manual_seed(SEED)
    processor = build_processor()
    model = build_model(processor.tokenizer)
    probe = nn.Linear(NUM_VISUAL_TOKENS * LANGUAGE_WIDTH, len(ACTION_UNITS))
    speed_up(model)
    mixture = Mixture(frames, clips, np.random.default_rng(SEED))
    model.train()
    train_vision(model, probe, mixture, held_out, vision_steps)
    train_mixed(model, probe, mixture, Batcher(processor.tokenizer), held_out, mixed_steps)
    model.half().save_pretrained(output)
    processor.save_pretrained(output)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="a folder written by tools.demo.corpus")
    parser.add_argument("output", type=Path)
    parser.add_argument("--vision-steps", type=int, default=VISION_STEPS)
    parser.add_argument("--mixed-steps", type=int, default=MIXED_STEPS)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    start = time.perf_counter()
    pretrain(arguments.corpus, arguments.output, arguments.vision_steps, arguments.mixed_steps)
    print(f"pretrained in {(time.perf_counter() - start) / 60:.1f} min")


if __name__ == "__main__":
    main()
