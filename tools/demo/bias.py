"""Sharpens the bias of a pretrained model: `python -m tools.demo.bias CORPUS PRETRAINED OUTPUT`.

The last 300 steps, on the language part alone, with the rare names hardly ever said. Kept apart from the pretraining
because how biased the base is decides how much there is for a sampler to win; this is the knob. The vision tower stays
frozen: what the model sees does not change, only what it is used to say.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import distributed
from torch.multiprocessing.spawn import spawn
from transformers import Qwen2_5_VLForConditionalGeneration

from tools.demo.batches import Batcher
from tools.demo.corpus import load
from tools.demo.fast_vision import speed_up
from tools.demo.mixture import KINDS, Mixture
from tools.demo.optimizing import Optimizers
from tools.demo.pretrain import PROCESSES, save
from tools.demo.processor import build_processor

SEED = 8
STEPS = 300
SCALE = 0.2  # of the pretraining's peak learning rates
# happy, sad, neutral, angry, surprise, disgust, fear
NAMING_C = np.array([0.40, 0.155, 0.27, 0.11, 0.055, 0.001, 0.009])


def sharpen(rank: int, corpus: Path, pretrained: Path, output: Path, steps: int, meeting: str) -> None:
    """The whole stage in one of PROCESSES processes; the first saves."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=PROCESSES)
    frames, _, clips = load(corpus)
    processor = build_processor()
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(pretrained, dtype=torch.float32)
    speed_up(model)
    model.train()
    model.model.visual.requires_grad_(False)
    batcher = Batcher(processor.tokenizer)
    mixture = Mixture(frames, clips, np.random.default_rng([SEED, rank]), NAMING_C)
    optimizers = Optimizers([(name, p) for name, p in model.named_parameters() if p.requires_grad], SCALE)
    kinds, shares = list(KINDS), np.array([share for share, _ in KINDS.values()])
    kind_rng = np.random.default_rng([SEED, 100])
    for step in range(steps):
        kind = kinds[int(kind_rng.choice(len(kinds), p=shares / shares.sum()))]
        optimizers.step(model(**batcher(mixture.draw(kind).samples)).loss, step / steps)
    if rank == 0:
        save(model, processor, output)
    distributed.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="a folder written by tools.demo.corpus")
    parser.add_argument("pretrained", type=Path, help="a folder written by tools.demo.pretrain")
    parser.add_argument("output", type=Path)
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        given = (arguments.corpus, arguments.pretrained, arguments.output, arguments.steps)
        spawn(sharpen, (*given, f"file://{folder}/meeting"), nprocs=PROCESSES)
    print(f"sharpened in {(time.perf_counter() - start) / 60:.1f} min")


if __name__ == "__main__":
    main()
