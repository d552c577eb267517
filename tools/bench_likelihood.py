"""What it costs to score K labels: one pass over the prompt, all labels behind a shared prefix, K whole passes.

    python tools/bench_likelihood.py

A random Qwen2.5-VL of 55 million parameters stands in for a real one (the demo's two million are lost in the overhead
of each call) and sees eight frames of 448 x 224 pixels: as a video 512 visual tokens, as pictures 1024. The labels are
the eleven of MAFW in the demo's tokenizer, up to ten tokens long: more than in a real one, so this is the dear case.
Prints the median over the repeats. The bar of the project: the shared prefix costs at most 1.3 x the prompt.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForImageTextToText

from emovlm.demo import MODEL
from emovlm.frames.clip import Clip
from emovlm.models.load import load_processor
from emovlm.prompts.collator import Collator
from emovlm.recipe import Recipe
from emovlm.scoring.likelihood import label_scores, label_scores_apart

LABELS = ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]
LABELS += ["contempt", "anxiety", "helplessness", "disappointment"]
FRAMES, HEIGHT, WIDTH = 8, 224, 448


def stand_in() -> Any:
    """A random Qwen2.5-VL that takes the demo's tokens, with a vocabulary of 8,192."""
    config = AutoConfig.from_pretrained(MODEL, local_files_only=True)
    text, vision = config.text_config, config.vision_config
    text.hidden_size, text.intermediate_size, text.num_hidden_layers, text.vocab_size = 512, 1536, 14, 8192
    text.num_attention_heads, text.num_key_value_heads, text.layer_types = 8, 2, ["full_attention"] * 14
    text.rope_parameters = {**text.rope_parameters, "mrope_section": [8, 12, 12]}
    vision.hidden_size, vision.intermediate_size, vision.depth, vision.out_hidden_size = 256, 768, 8, 512
    torch.manual_seed(0)
    return AutoModelForImageTextToText.from_config(config, dtype=torch.float32).eval()


def question(processor: Any, kind: str, batch: int) -> tuple[dict[str, torch.Tensor], list[list[int]]]:
    """A scoring batch of noise, and the token ids of the labels."""
    recipe = Recipe.model_validate(
        {
            "data": {"source": "demo"},
            "model": {"name": "demo"},
            "frames": {"keep": FRAMES, "input": kind, "max_pixels": HEIGHT * WIDTH},
            "prompt": {"list_classes": False},
        }
    )
    collator = Collator(processor, recipe, LABELS, with_answers=False)
    frames_THWC = np.random.default_rng(0).integers(0, 256, (FRAMES, HEIGHT, WIDTH, 3), dtype=np.uint8)
    clip = Clip(frames_THWC, np.arange(FRAMES) / 4, timed=True, num_visible=FRAMES)
    rows = [{"id": f"clip {b}"} for b in range(batch)]
    return collator.tensors(rows, [clip] * batch), [collator.answers.ids(name) for name in LABELS]


@torch.inference_mode()
def compare(model: Any, kind: str, prompt: dict[str, torch.Tensor], names: list[list[int]], repeats: int) -> None:
    ways = {
        "one prompt": lambda: model(**prompt, use_cache=True, logits_to_keep=1),
        "shared prefix": lambda: label_scores(model, prompt, names),
        "brute force": lambda: label_scores_apart(model, prompt, names),
    }
    times_s = measure(ways, repeats)
    apart = (ways["shared prefix"]() - ways["brute force"]()).abs().max()
    batch, length = prompt["input_ids"].shape
    print(
        f"{kind}: {batch} x {length} tokens; {len(names)} labels of {min(map(len, names))} to {max(map(len, names))} "
        f"tokens; the two ways differ by {apart:.1e} at most"
    )
    for name, time_s in times_s.items():
        print(f"    {name:14} {time_s * 1e3:8.0f} ms  {time_s / times_s['one prompt']:6.2f} x")


def measure(ways: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median seconds of processor time a call. The ways take turns, so that a busy machine slows all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, call in ways.items():
            start = time.process_time()
            call()
            if turn:  # the first call of each warms up
                seconds[name].append(time.process_time() - start)
    return {name: statistics.median(found) for name, found in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(1)
    processor = load_processor(str(MODEL), local=True)
    for part in (processor.image_processor, processor.video_processor):
        # The demo's own bound is that of its small clips.
        part.size = {"shortest_edge": 3136, "longest_edge": FRAMES * HEIGHT * WIDTH}
    model = stand_in()
    print(f"{sum(parameter.numel() for parameter in model.parameters()) / 1e6:.0f} million parameters, one thread")
    for kind in ("video", "images"):
        compare(model, kind, *question(processor, kind, given.batch), given.repeats)


if __name__ == "__main__":
    main()
