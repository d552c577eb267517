"""Measures a tiny model on the validation clips: captions, zero-shot naming, and LoRA under four samplings.

`python -m tools.demo.measure MODEL --corpus CORPUS [--lora] [--seeds 0 1]`. Everything about the model is chosen by
these figures; the test clips are left alone. Legend: N clips, T frames, A action units, C emotions.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from transformers import AutoModelForImageTextToText, AutoProcessor

from tools.demo import wording
from tools.demo.action_units import ACTION_UNITS, EMOTIONS, RELAXED, VISIBLE, parse_caption
from tools.demo.batches import Batcher, Image, Sample, Video
from tools.demo.clips import DEMO, MACRO
from tools.demo.coding import decode
from tools.demo.fast_vision import speed_up

TIMES = 8  # frames a clip
SAMPLERS = ("natural", "square_root", "class_balanced", "tail_oversampling")
LORA_TARGETS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"


def unit_f1(predicted_NA: np.ndarray, true_NA: np.ndarray) -> np.ndarray:
    """F1 of each action unit."""
    hits_A = (predicted_NA & true_NA).sum(0)
    return 2 * hits_A / np.maximum(predicted_NA.sum(0) + true_NA.sum(0), 1)


def load_clips(split: str) -> tuple[np.ndarray, np.ndarray]:
    """(frames_NTHWC, label_N): TIMES uniform frames of every clip, decoded from its file."""
    folder = DEMO / MACRO.folder / split
    with open(folder / "metadata.csv") as file:
        rows = list(csv.DictReader(file))
    middles = np.round((np.arange(TIMES) + 0.5) * 2.0 / TIMES * MACRO.fps).astype(int)
    frames = [decode(str(folder / row["file_name"]))[middles] for row in rows]
    return np.stack(frames), np.array([EMOTIONS.index(row["label"]) for row in rows])


@torch.no_grad()
def name_scores(model, batcher: Batcher, items_N: list[list], batch_size: int = 20) -> np.ndarray:
    """scores_NC: log likelihood of each class name and its end of turn, summed over the tokens.

    The prompt goes through the model once; its cache is repeated for the names (M tokens, padded).
    """
    model.eval()
    qwen = model.get_base_model() if hasattr(model, "get_base_model") else model
    answers = [[*batcher.ids(name), batcher.stop_id] for name in EMOTIONS]
    longest = max(map(len, answers))
    answers_CM = torch.tensor([answer + [batcher.pad_id] * (longest - len(answer)) for answer in answers])
    is_real_CM = torch.tensor([[1] * len(answer) + [0] * (longest - len(answer)) for answer in answers])
    scores = []
    for i in range(0, len(items_N), batch_size):
        batch = batcher([Sample(items) for items in items_N[i : i + batch_size]], pad_left=True)
        size, num_names = len(batch["input_ids"]), len(EMOTIONS)
        start = model(**batch, logits_to_keep=1, use_cache=True)
        cache = start.past_key_values
        cache.batch_repeat_interleave(num_names)
        mask_BL = batch["attention_mask"]
        # Left to itself the model would count the padding, too.
        next_B1 = mask_BL.sum(1, keepdim=True) + qwen.model.rope_deltas
        position_BM = (next_B1 + torch.arange(longest - 1)).repeat_interleave(num_names, 0)
        tokens_BM, is_real_BM = answers_CM.repeat(size, 1), is_real_CM.repeat(size, 1)
        rest = model(
            input_ids=tokens_BM[:, :-1],
            attention_mask=torch.cat([mask_BL.repeat_interleave(num_names, 0), is_real_BM[:, :-1]], 1),
            position_ids=position_BM.expand(3, -1, -1),
            cache=cache,
        )
        logits_BMV = torch.cat([start.logits.repeat_interleave(num_names, 0), rest.logits], 1)
        log_p_BM = F.log_softmax(logits_BMV, -1).gather(2, tokens_BM[..., None])[..., 0]
        scores.append((log_p_BM * is_real_BM).sum(1).reshape(size, num_names))
    return torch.cat(scores).numpy()


@torch.no_grad()
def captions(model, batcher: Batcher, frames_NHWC: np.ndarray, batch_size: int = 50) -> list[str]:
    """Greedy captions of pictures."""
    model.eval()
    texts = []
    for i in range(0, len(frames_NHWC), batch_size):
        samples = [Sample([Image(frame), wording.QUESTION_CAPTION]) for frame in frames_NHWC[i : i + batch_size]]
        batch = batcher(samples, pad_left=True)
        out = model.generate(**batch, max_new_tokens=40, do_sample=False)
        texts += batcher.tokenizer.batch_decode(out[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return texts


def recognition(scores_NC: np.ndarray, label_N: np.ndarray) -> dict:
    """UAR and recall of each class."""
    hit_N = scores_NC.argmax(1) == label_N
    recall_C = [float(hit_N[label_N == c].mean()) for c in range(len(EMOTIONS))]
    recalls = {name: round(recall, 3) for name, recall in zip(EMOTIONS, recall_C, strict=True)}
    return {"uar": round(float(np.mean(recall_C)), 3), "recall": recalls}


def sampling_shares(counts_C: np.ndarray, sampler: str) -> np.ndarray:
    """How often each class is drawn."""
    shares_C = {
        "natural": counts_C,
        "square_root": counts_C**0.5,
        "class_balanced": counts_C**0.0,
        "tail_oversampling": np.maximum(counts_C, counts_C.max() / 2),
    }[sampler]
    return shares_C / shares_C.sum()


def train_lora(folder: Path, batcher: Batcher, clips, sampler: str, seed: int, steps: int, learning_rate: float):
    """A LoRA of rank 8 on the language part: the loss is the sum over a name's tokens, averaged over samples."""
    from peft import LoraConfig, get_peft_model

    frames_NTHWC, label_N = clips
    torch.manual_seed(seed)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    speed_up(model)
    model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules=LORA_TARGETS, task_type="CAUSAL_LM"))
    model.train()
    rng = np.random.default_rng(1000 + seed)
    counts_C = np.bincount(label_N, minlength=len(EMOTIONS)).astype(float)
    share_N = (sampling_shares(counts_C, sampler) / counts_C)[label_N]
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, learning_rate, weight_decay=0.0)
    for step in range(steps):
        factor = min(1.0, (step + 1) / (0.06 * steps)) * (0.5 + 0.5 * np.cos(np.pi * step / steps))
        optimizer.param_groups[0]["lr"] = learning_rate * factor
        chosen = rng.choice(len(label_N), 16, p=share_N / share_N.sum())
        samples = [
            Sample([Video(frames_NTHWC[i], 2.0 / TIMES), wording.QUESTION_VIDEO], EMOTIONS[label_N[i]]) for i in chosen
        ]
        batch = batcher(samples)
        labels_BL = batch.pop("labels")[:, 1:]
        logits = model(**batch).logits[:, :-1].float()
        loss = F.cross_entropy(logits.flatten(0, 1), labels_BL.flatten(), reduction="sum") / len(samples)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    return model


def measure_captions(model, batcher: Batcher, corpus: Path) -> dict:
    """Action-unit F1 of greedy captions on held-out subjects."""
    from tools.demo.corpus import load

    _, held_out, _ = load(corpus)
    start = time.perf_counter()
    texts = captions(model, batcher, held_out.frames_NHWC)
    seconds = time.perf_counter() - start
    f1_A = unit_f1(np.stack([parse_caption(text) for text in texts]), held_out.strengths_NA > VISIBLE)
    readable = [bool(parse_caption(text).any()) or text == RELAXED for text in texts]
    return {
        "caption_unit_f1": round(float(f1_A.mean()), 3),
        "by_unit": {f"AU{unit}": round(float(f1), 2) for unit, f1 in zip(ACTION_UNITS, f1_A, strict=True)},
        "readable": round(float(np.mean(readable)), 3),
        "ms_per_caption": round(1000 * seconds / len(texts), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--corpus", type=Path, help="also measure captions, on its held-out subjects")
    parser.add_argument("--lora", action="store_true")
    parser.add_argument("--samplers", nargs="+", default=SAMPLERS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = AutoModelForImageTextToText.from_pretrained(arguments.model, dtype=torch.float32)
    speed_up(model)
    batcher = Batcher(AutoProcessor.from_pretrained(arguments.model).tokenizer)
    frames_NTHWC, label_N = load_clips("validation")
    items_N = [[Video(frames, 2.0 / TIMES), wording.QUESTION_VIDEO] for frames in frames_NTHWC]
    if arguments.corpus:
        print(json.dumps(measure_captions(model, batcher, arguments.corpus)), flush=True)
    print("zero-shot", json.dumps(recognition(name_scores(model, batcher, items_N), label_N)), flush=True)
    listed_N = [[items[0], items[1] + wording.choices(EMOTIONS)] for items in items_N]
    print("zero-shot, list", json.dumps(recognition(name_scores(model, batcher, listed_N), label_N)), flush=True)
    if not arguments.lora:
        return
    train_clips = load_clips("train")
    for seed in arguments.seeds:
        for sampler in arguments.samplers:
            start = time.perf_counter()
            tuned = train_lora(
                arguments.model, batcher, train_clips, sampler, seed, arguments.steps, arguments.learning_rate
            )
            trained_s = time.perf_counter() - start
            result = recognition(name_scores(tuned, batcher, items_N), label_N)
            print(f"lora {sampler} seed {seed} ({trained_s:.0f} s)", json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
