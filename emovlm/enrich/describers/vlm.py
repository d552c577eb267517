"""Any chat VLM that transformers loads: the model to be trained, another one, either with a LoRA adapter. Greedy.

B strips of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emovlm import UserError
from emovlm.enrich import identities
from emovlm.enrich.asking import content_of, question_of
from emovlm.enrich.strip import Failure, Strip

# Words are cut afterwards; an unlimited reply still ends.
TOKENS_PER_WORD, MOST_TOKENS = 5, 256


def load(
    *,
    stage: str,
    max_words: int | None,
    model: str = "",
    adapter: str | None = None,
    question: str | None = None,
    batch_size: int = 8,
    dtype: str = "auto",
) -> Captioner:
    """model: as in `model.name`, which is the default. adapter: a LoRA folder, such as `runs/x/adapter`.

    question: one of prompts/messages.py by name, or your own, with {max_words} where it says the limit; by default the
    stage's own. batch_size: strips at once.
    """
    from emovlm.models import load as models

    assert model, "stages.py fills in the model to be trained"
    if dtype not in ("auto", *models.DTYPES):
        raise UserError(f"enrich.dtype: got '{dtype}'; allowed: auto, {', '.join(models.DTYPES)}")
    # A captioner in fewer bits writes other texts: what `auto` is on this machine, not the word.
    dtype = str(models.choose_dtype(dtype)).removeprefix("torch.")
    text = question_of(stage, question, max_words)
    identity = {"model": identities.vlm(model), "question": text, "dtype": dtype, "max_tokens": _limit(max_words)}
    if adapter:
        identity["adapter"] = identities.folder(Path(adapter))
    return Captioner(identity, model, adapter, dtype, batch_size)


class Captioner:
    version = 1

    def __init__(self, identity: dict[str, Any], model: str, adapter: str | None, dtype: str, batch_size: int):
        if batch_size < 1:
            raise UserError(f"enrich.batch_size: got {batch_size}; must be at least 1")
        self.identity, self.at_once = identity, batch_size
        self.name, self.adapter, self.dtype = model, adapter, dtype
        self._loaded: tuple[Any, Any, Any] | None = None

    def describe(self, strips: Sequence[Strip]) -> list[str | Failure]:
        found: list[str | Failure] = []
        # Strips of one length side by side: padding is what a batch wastes.
        contents = [content_of(strip, self.identity["question"]) for strip in strips]
        order = sorted(range(len(strips)), key=lambda b: len(contents[b]))
        for start in range(0, len(order), self.at_once):
            found += self._write([contents[b] for b in order[start : start + self.at_once]])
        replies = dict(zip(order, found, strict=True))
        return [replies[b] for b in range(len(strips))]

    def _write(self, contents: Sequence[list[str | np.ndarray]]) -> list[str]:
        import torch

        from emovlm.scoring.generate import generate

        model, processor, answers = self._opened()
        turns = [[{"role": "user", "content": [_item(item) for item in content]}] for content in contents]
        prompts = [
            processor.apply_chat_template(turn, tokenize=False, add_generation_prompt=True) + answers.opening
            for turn in turns
        ]
        images = [
            [torch.from_numpy(item).permute(2, 0, 1) for item in content if not isinstance(item, str)]
            for content in contents
        ]
        batch = processor(text=prompts, images=images, padding=True, padding_side="left", return_tensors="pt")
        batch = batch.to(model.device, dtype=model.dtype)
        return [reply.text for reply in generate(model, answers, batch, max_new_tokens=self.identity["max_tokens"])]

    def _opened(self) -> tuple[Any, Any, Any]:
        """The model, its processor, and how its answers end; loaded with the first strips."""
        if self._loaded is None:
            import torch

            from emovlm import processes
            from emovlm.models import load as models
            from emovlm.models import lora
            from emovlm.prompts.answers import Answers
            from emovlm.recipe import Model

            vlm = models.load(Model.model_validate({"name": self.name, "dtype": self.dtype}))
            model = lora.load(vlm.model, Path(self.adapter)) if self.adapter else vlm.model
            device = torch.device("cpu") if processes.on_cpu() else torch.accelerator.current_accelerator()
            self._loaded = (model.to(device).eval(), vlm.processor, Answers(vlm.processor))
        return self._loaded


def _item(item: str | np.ndarray) -> dict[str, Any]:
    return {"type": "text", "text": item} if isinstance(item, str) else {"type": "image"}


def _limit(max_words: int | None) -> int:
    return min(MOST_TOKENS, TOKENS_PER_WORD * max_words) if max_words else MOST_TOKENS
