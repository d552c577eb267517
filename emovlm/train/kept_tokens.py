"""Each clip goes through a frozen tower once: what comes out is kept in `frames.cache`, and later draws begin there."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers
from rich.console import Console

from emovlm import UserError, __version__, lookup, processes
from emovlm.frames import cache as caches
from emovlm.frames import faces
from emovlm.frames.look import needs
from emovlm.longtail.losses import IGNORED
from emovlm.models import visual_tokens
from emovlm.models.parts import part_of, roots

if TYPE_CHECKING:
    import datasets

    from emovlm.longtail.plan import Plan
    from emovlm.prompts.collator import Collator
    from emovlm.recipe import Recipe

# numpy has no bfloat16: its bits are kept under a name that says so.
BFLOAT16 = "|bfloat16"


class KeptTokens:
    """A collator over what is kept. Where a clip of a batch is not, the whole batch comes from the pixels as before."""

    def __init__(self, collator: Collator, recipe: Recipe, weights: str):
        assert recipe.frames.cache, "no folder to keep tokens in"
        self.collator, self.weights = collator, weights
        self.cache = caches.at(recipe.frames.cache, recipe.frames.cache_gb)
        asked = recipe.model_dump(mode="json", include={"seed", "prompt", "enrich", "frames"})
        asked["frames"] = {key: value for key, value in asked["frames"].items() if not key.startswith("cache")}
        self.asked = [asked, collator.classes, collator.with_answers, transformers.__version__, __version__]
        if recipe.frames.crop == "face":
            self.asked.append(faces.version())

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        samples = [self.kept(row) for row in rows]
        found = [sample for sample in samples if sample is not None]
        if len(found) < len(samples) or any(sample.keys() != found[0].keys() for sample in found):
            return self.collator(rows)
        batch = together(found, self.collator.answers.tokenizer)
        return batch | ({"rows_B": torch.tensor([row["row"] for row in rows])} if "row" in rows[0] else {})

    def kept(self, row: Mapping[str, Any]) -> dict[str, torch.Tensor] | None:
        arrays = self.cache.get(self.key(row))
        if arrays is None:
            return None
        return {name.removesuffix(BFLOAT16): _tensor(name, array) for name, array in arrays.items()}

    def keep(self, row: Mapping[str, Any], model: Any) -> None:
        """Look at the clip, once."""
        plain = {name: value for name, value in row.items() if name != "row"}
        batch = self.collator([plain])
        if "failed" in batch:  # not kept, it fails again where it is drawn, and is counted there
            return
        batch = {name: tensor.to(model.device) for name, tensor in batch.items()}
        labels = {"labels": batch.pop("labels")} if "labels" in batch else {}
        sample = visual_tokens.encode(model, batch) | labels
        self.cache.put(self.key(row), dict(_array(name, tensor) for name, tensor in sample.items()))

    def key(self, row: Mapping[str, Any]) -> str:
        """All that the sample depends on: weights, files, the recipe's frames and prompt, the row, the texts shown."""
        told = {name: value for name, value in sorted(row.items()) if name not in ("row", "media")}
        files = [*row["media"], *([row["track"]] if row.get("track") else [])]
        # A control may show another clip's texts.
        shown = (row["id"], self.collator.arranging.partners.get(row["id"], ""))
        texts = [{str(gap): list(of) for gap, of in self.collator.texts.get(one, {}).items()} for one in shown]
        return caches.key_of("visual tokens", self.weights, self.asked, caches.content_of(files), told, texts)


def kept_tokens(collator: Collator, recipe: Recipe, model: Any, rows: datasets.Dataset, stream: Plan) -> Any:
    """The collator itself; or, with `model.cache_visual_tokens`, one over the tokens of all clips that are drawn."""
    if not recipe.model.cache_visual_tokens:
        return collator
    _check(recipe)
    drawn_K, times_K = np.unique(stream.sampler.first(stream.num_steps * recipe.global_batch), return_counts=True)
    state, began = processes.state(), time.monotonic()
    model.to(state.device).eval()
    found = KeptTokens(collator, recipe, weights_of(model, collator.processor))
    mine = [{**rows[int(k)], "row": int(k)} for k in drawn_K[state.process_index :: state.num_processes]]
    missing = [row for row in mine if not found.cache.holds(found.key(row))]
    for row in missing:
        found.keep(row, model)
    state.wait_for_everyone()
    visual_tokens.teach(model.get_base_model())
    if state.is_main_process:
        seconds = time.monotonic() - began
        kept_K = np.array([found.cache.holds(found.key(rows[int(k)])) for k in drawn_K])
        saved = int(times_K[kept_K].sum()) - (len(drawn_K) if missing else 0)
        Console(stderr=True).print(
            f"visual tokens of {kept_K.sum()} clips are kept in {recipe.frames.cache} ({len(missing)} of {len(mine)} "
            f"looked at now, in {seconds:.1f} s): {max(saved, 0)} of {times_K.sum()} draws need no decoding and no "
            "tower",
            highlight=False,
        )
        if not kept_K.all():
            Console(stderr=True).print(
                f"frames.cache_gb: {recipe.frames.cache_gb:g}: {(~kept_K).sum()} of {len(kept_K)} clips are not kept; "
                "raise it, or each of their draws goes through the tower",
                highlight=False,
            )
    return found


def together(samples: Sequence[Mapping[str, torch.Tensor]], tokenizer: Any) -> dict[str, torch.Tensor]:
    """One batch of samples of one row each, as the processor and the collator would have made it."""
    longest = max(sample["input_ids"].shape[1] for sample in samples)
    batch = {}
    for name in samples[0]:
        tensors = [sample[name] for sample in samples]
        if name == "labels":
            tensors = _padded(tensors, max(tensor.shape[1] for tensor in tensors), IGNORED)
        elif all(tensor.shape == sample["input_ids"].shape for tensor, sample in zip(tensors, samples, strict=True)):
            tensors = _padded(tensors, longest, tokenizer.pad_token_id if name == "input_ids" else 0)
        batch[name] = torch.cat(tensors)
    return batch


def weights_of(model: Any, processor: Any) -> str:
    """A hash of all weights outside the language model, and of the processor."""
    base = model.get_base_model()
    by_part = roots(base)
    known = hashlib.blake2b(processor.to_json_string().encode(), digest_size=20)
    known.update(str(processor.chat_template).encode())
    for name, parameter in base.named_parameters():
        if part_of(name, by_part) != "language":
            known.update(name.encode() + _array(name, parameter.detach())[1].tobytes())
    return known.hexdigest()


def _check(recipe: Recipe) -> None:
    key = "model.cache_visual_tokens"
    learnt = [part for part in recipe.lora.parts if part != "language"]
    if recipe.train == "head":
        raise UserError(f"{key}: a head reads the states of the whole model; leave it out")
    if recipe.train == "full" or learnt:
        what = "the whole model" if recipe.train == "full" else f"the {learnt[0]} part"
        raise UserError(f"{key}: {what} learns, so the tokens change with every step; leave it out")
    if not recipe.frames.cache:
        raise UserError(f"{key}: needs frames.cache, a folder to keep them in")
    if needs(lookup.resolve(lookup.POLICY, recipe.frames.pick), "key"):
        raise UserError(f"{key}: frames.pick: {recipe.frames.pick} takes other frames in every epoch; leave one out")
    if processes.sharded():
        raise UserError(f"{key}: no process holds the whole model under {processes.engine()}; leave it out")


def _padded(tensors: Sequence[torch.Tensor], length: int, fill: int) -> list[torch.Tensor]:
    return [torch.nn.functional.pad(tensor, (length - tensor.shape[1], 0), value=fill) for tensor in tensors]


def _array(name: str, tensor: torch.Tensor) -> tuple[str, np.ndarray]:
    tensor = tensor.cpu().contiguous()
    if tensor.dtype == torch.bfloat16:
        return name + BFLOAT16, tensor.view(torch.int16).numpy()
    return name, tensor.numpy()


def _tensor(name: str, array: np.ndarray) -> torch.Tensor:
    tensor = torch.from_numpy(array)
    return tensor.view(torch.bfloat16) if name.endswith(BFLOAT16) else tensor
