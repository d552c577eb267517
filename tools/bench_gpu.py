"""What a training step costs on this GPU: time, tokens a second, MFU, peak memory, and where the step goes.

    python tools/bench_gpu.py

A Qwen2.5-VL of the 3B's shapes with random weights (built here, no hub), in bfloat16, LoRA on the language model, eight
frames of 224 x 448 pixels (100,352: the default of a recipe) as pictures or as one video; the prompt, the collator and
the loss are those of `emovlm train`. Every kind of attention, with and without gradient checkpointing, with all logits
in place of the answer's (`logits_to_keep`), with kept visual tokens in place of pixels (`model.cache_visual_tokens`).

Operations are counted by torch on a real step without checkpointing (forward, and what of backward LoRA needs), so that
what checkpointing computes again does not count as useful: MFU, not HFU. `estimate` is what `--dry-run` says of memory.
`--tiny` is the demo's model in float32, to try the script out without a GPU.

B rows, A answer tokens, V vocabulary.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModelForImageTextToText

from emovlm.demo import MODEL
from emovlm.frames.clip import Clip
from emovlm.longtail.losses import answer_nll
from emovlm.models import lora, visual_tokens
from emovlm.models.load import load_processor
from emovlm.models.memory import Layout, estimate
from emovlm.models.parts import roots
from emovlm.prompts.collator import Collator
from emovlm.recipe import Lora, Recipe
from emovlm.scoring.likelihood import pretrained

LABELS = ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]
LABELS += ["contempt", "anxiety", "helplessness", "disappointment"]
# Dense bfloat16, 10^12 operations a second, from the makers' data sheets. The first name that fits the card's counts.
PEAK_TFLOPS = {"B200": 2250, "H200": 989, "H100 PCIe": 756, "H100": 989, "A100": 312, "L40S": 362, "L4": 121}
PEAK_TFLOPS |= {"RTX 6000 Ada": 364, "RTX A6000": 155, "RTX 4090": 165, "RTX 3090": 71, "A10": 125}
TEXT_3B = {
    "hidden_size": 2048,
    "intermediate_size": 11008,
    "num_hidden_layers": 36,
    "num_attention_heads": 16,
    "num_key_value_heads": 2,
    "vocab_size": 151_936,
    "layer_types": ["full_attention"] * 36,
}
VISION_3B = {
    "hidden_size": 1280,
    "intermediate_size": 3420,
    "depth": 32,
    "num_heads": 16,
    "out_hidden_size": 2048,
    "fullatt_block_indexes": [7, 15, 23, 31],
}


@dataclass(frozen=True)
class Setting:
    attention: str
    checkpointing: bool
    answer_only: bool = True
    kept_tokens: bool = False

    def __str__(self) -> str:
        words = [self.attention]
        words += ["checkpointing"] if self.checkpointing else []
        words += [] if self.answer_only else ["logits of all positions"]
        words += ["visual tokens kept"] if self.kept_tokens else []
        return ", ".join(words)


def stand_in(tiny: bool, device: torch.device) -> Any:
    """A random Qwen2.5-VL with LoRA on its language model, which takes the demo's tokens."""
    config = AutoConfig.from_pretrained(MODEL, local_files_only=True)
    if not tiny:
        config.text_config.update(TEXT_3B)
        config.text_config.rope_parameters = {**config.text_config.rope_parameters, "mrope_section": [16, 24, 24]}
        config.vision_config.update(VISION_3B)
    torch.manual_seed(0)
    with device:
        model = AutoModelForImageTextToText.from_config(config, dtype=torch.float32 if tiny else torch.bfloat16)
        return lora.add(model, Lora())


def batches(kind: str, tiny: bool) -> Callable[[int], dict[str, torch.Tensor]]:
    """-> `(rows) -> a training batch` of noise, as `emovlm train` would make it. kind: `images` or `video`."""
    frames, height, width = (2, 56, 56) if tiny else (8, 224, 448)
    processor = load_processor(str(MODEL), local=True)
    for part in (processor.image_processor, processor.video_processor):
        # The demo's own bound is that of its small clips.
        part.size = {"shortest_edge": 3136, "longest_edge": frames * height * width}
    recipe = Recipe.model_validate(
        {
            "data": {"source": "demo"},
            "model": {"name": "demo"},
            "frames": {"keep": frames, "input": kind, "max_pixels": height * width},
        }
    )
    collator = Collator(processor, recipe, LABELS, with_answers=True)
    frames_THWC = np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)
    clip = Clip(frames_THWC, np.arange(frames) / 4, timed=True, num_visible=frames)
    return lambda rows: collator.tensors([{"id": str(b), "label": b % len(LABELS)} for b in range(rows)], [clip] * rows)


class Step:
    """Forward, loss, backward, AdamW: as the trainer takes it. parts: seconds by part, where they are asked for."""

    def __init__(self, model: Any, device: torch.device):
        self.model, self.device = model, device
        visual_tokens.teach(model.get_base_model())
        learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(learning, lr=1e-5, fused=device.type == "cuda")

    def set(self, setting: Setting) -> None:
        base = pretrained(self.model)
        base.set_attn_implementation(setting.attention)
        base.activation_checkpointing_disable()
        if setting.checkpointing:
            base.activation_checkpointing_enable({"use_reentrant": False})
        self.answer_only = setting.answer_only

    def loss(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        answers_BA = batch["labels"]
        inputs = {key: value for key, value in batch.items() if key != "labels"}
        keep = answers_BA.shape[1] + 1
        logits_BXV = self.model(**inputs, logits_to_keep=keep if self.answer_only else 0).logits
        return answer_nll(logits_BXV[:, -keep:-1], answers_BA).mean()

    def __call__(self, batch: dict[str, torch.Tensor]) -> None:
        self.model.train()
        self.loss(batch).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def wait(self) -> float:
        """-> the time when the device has done all that it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def flops(self, batch: dict[str, torch.Tensor]) -> int:
        with FlopCounterMode(display=False) as counted:
            self(batch)
        return counted.get_total_flops()

    def profile(self, batch: dict[str, torch.Tensor]) -> dict[str, float]:
        """Seconds of one step by part. The device is waited for at every border, which costs a little by itself."""
        spent: dict[str, float] = defaultdict(float)
        base = pretrained(self.model)
        watched = {"vision tower": roots(base)["vision"][0], "language model": roots(base)["language"][0]}
        hooks = []
        for name, path in watched.items():
            hooks += self._watch(base.get_submodule(path), name, spent)
        for path, module in base.get_submodule(watched["language model"]).named_modules():
            kind = {"self_attn": "its attention", "mlp": "its MLPs"}.get(path.rpartition(".")[2])
            hooks += self._watch(module, kind, spent) if kind else []
        start = self.wait()
        self.model.train()
        loss = self.loss(batch)
        forward = self.wait()
        for hook in hooks:
            hook.remove()
        loss.backward()
        backward = self.wait()
        self.optimizer.step()
        self.optimizer.zero_grad()
        end = self.wait()
        rest = forward - start - spent["vision tower"] - spent["language model"]
        return {**spent, "head and loss": rest, "backward": backward - forward, "AdamW": end - backward}

    def _watch(self, module: torch.nn.Module, name: str, spent: dict[str, float]) -> list[Any]:
        def enter(*_: Any) -> None:
            spent[name] -= self.wait()

        def leave(*_: Any) -> None:
            spent[name] += self.wait()

        return [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]


def measure(step: Step, batch: dict[str, torch.Tensor], repeats: int) -> tuple[float, int] | None:
    """-> (median seconds, peak bytes of the GPU) of a step, or None where memory does not suffice."""
    cuda = step.device.type == "cuda"
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    times = []
    try:
        for turn in range(repeats + 2):
            start = step.wait()
            step(batch)
            if turn >= 2:  # the first ones find kernels and fill the allocator
                times.append(step.wait() - start)
    except torch.OutOfMemoryError:
        step.optimizer.zero_grad()
        return None
    return statistics.median(times), torch.cuda.max_memory_allocated() if cuda else 0


def attentions(device: torch.device) -> list[str]:
    """Flash attention where it is installed; eager, which transformers always has, for comparison."""
    flash = device.type == "cuda" and importlib.util.find_spec("flash_attn") is not None
    return ["sdpa", *(["flash_attention_2"] if flash else []), "eager"]


def settings(device: torch.device) -> list[Setting]:
    found = [Setting(kind, again) for kind, again in itertools.product(attentions(device), (False, True))]
    all_positions = [replace(found[0], answer_only=False), replace(found[1], answer_only=False)]
    return [*found, *all_positions, replace(found[0], kept_tokens=True)]


def seen(step: Step, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The batch with what the tower makes of its pixels in place of them."""
    inputs = {key: value for key, value in batch.items() if key != "labels"}
    return visual_tokens.encode(step.model, inputs) | {"labels": batch["labels"]}


def bench(kind: str, given: argparse.Namespace, step: Step, peak: float | None) -> None:
    make = batches(kind, given.tiny)
    began = time.perf_counter()
    batch = {key: value.to(step.device) for key, value in make(given.batch).items()}
    made = (time.perf_counter() - began) / given.batch
    one, answer_tokens = make(1), batch["labels"].shape[1]
    step.set(Setting("sdpa", False))
    alone = {key: value.to(step.device) for key, value in one.items()}
    flops, flops_behind = (step.flops(inputs) * given.batch for inputs in (alone, seen(step, alone)))
    rows, length = batch["input_ids"].shape
    print(
        f"\n{kind}: {rows} clips of {length} tokens a step, {flops / 1e12:.3g} TFLOP; the CPU needs {made * 1e3:.0f} ms"
    )
    print("to make a clip of decoded frames into tensors\n")
    print("| setting | step | clips/s | tokens/s | MFU | peak | estimate |\n|---|---|---|---|---|---|---|")
    for setting in settings(step.device):
        step.set(setting)
        kept = setting.kept_tokens
        found = measure(step, seen(step, batch) if kept else batch, given.repeats)
        layout = Layout(rows, 4 if given.tiny else 2, checkpointing=setting.checkpointing)
        expected = estimate(step.model, one, answer_tokens if setting.answer_only else length, layout)
        shown = ["out of memory", "", "", "", ""]
        if found:
            time_s, memory = found
            shown = [f"{time_s * 1e3:.0f} ms", f"{rows / time_s:.2f}", f"{rows * length / time_s:,.0f}"]
            useful = flops_behind if kept else flops
            shown += [f"{useful / time_s / peak:.1%}" if peak else "-", f"{memory / 1e9:.1f} GB" if memory else "-"]
        print(f"| {setting} | {' | '.join(shown)} | {sum(vars(expected).values()) / 1e9:.1f} GB |", flush=True)
    show_profile(step, batch)


def show_profile(step: Step, batch: dict[str, torch.Tensor]) -> None:
    setting = Setting("sdpa", False)
    step.set(setting)
    try:
        spent = step.profile(batch)
    except torch.OutOfMemoryError:
        setting = replace(setting, checkpointing=True)
        step.set(setting)
        spent = step.profile(batch)
    total = sum(seconds for name, seconds in spent.items() if not name.startswith("its "))
    print(f"\n| where a step goes ({setting}) | ms | share |\n|---|---|---|")
    for name, seconds in spent.items():
        print(f"| {name} | {seconds * 1e3:.1f} | {seconds / total:.0%} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=4, help="clips of a step")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--tiny", action="store_true", help="the demo's model, without a GPU")
    given = parser.parse_args()
    if not given.tiny and not torch.cuda.is_available():
        parser.error("no GPU was found; --tiny tries the script out on the CPU")
    device = torch.device("cpu" if given.tiny else "cuda")
    name = "CPU" if given.tiny else torch.cuda.get_device_name()
    tflops = next((value for card, value in PEAK_TFLOPS.items() if card in name), None)
    model = stand_in(given.tiny, device)
    whole, learning = (
        sum(p.numel() for p in model.parameters() if p.requires_grad or every) for every in (True, False)
    )
    print(
        f"{name}, torch {torch.__version__}: {whole / 1e9:.3g} billion parameters, {learning / 1e6:.3g} million learn"
    )
    step = Step(model, device)
    for kind in ("images", "video"):
        bench(kind, given, step, tflops * 1e12 if tflops else None)


if __name__ == "__main__":
    main()
