"""Greedy replies to a scoring batch: what the model writes when it may write anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from transformers import GenerationConfig

from emovlm.prompts.answers import Answers
from emovlm.scoring.likelihood import pretrained


class Reply(NamedTuple):
    """text: without the end-of-turn. cut_off: the token limit came before the end-of-turn."""

    text: str
    cut_off: bool


@torch.no_grad()
def generate(model: Any, answers: Answers, prompt: Mapping[str, torch.Tensor], *, max_new_tokens: int) -> list[Reply]:
    """One reply a row of `prompt` (a scoring batch: left-padded, no answer). Always the likeliest token.

    Nothing that the checkpoint's own generation config asks for is done: Qwen's samples and punishes repeated words,
    and merged with ours it would do half of that and warn about the rest.
    """
    model = pretrained(model)
    own = model.generation_config
    own_ends = own.eos_token_id if isinstance(own.eos_token_id, list) else [own.eos_token_id]
    ends = [tuple(answers.end_ids), *((token,) for token in own_ends if token is not None)]
    stops = sorted({end[0] for end in ends if len(end) == 1})
    padding = answers.tokenizer.pad_token_id
    greedy = {
        "do_sample": False,
        "max_new_tokens": max_new_tokens,
        "eos_token_id": stops or None,
        "pad_token_id": answers.end_ids[-1] if padding is None else padding,
    }
    model.generation_config = GenerationConfig()
    try:
        ids_BX = model.generate(**prompt, generation_config=GenerationConfig(**greedy))
    finally:
        model.generation_config = own
    replies_BA = ids_BX[:, prompt["input_ids"].shape[1] :].tolist()
    return [_reply(ids, ends, answers) for ids in replies_BA]


def _reply(ids: list[int], ends: Sequence[tuple[int, ...]], answers: Answers) -> Reply:
    found = [place for place in range(len(ids)) if any(tuple(ids[place : place + len(end)]) == end for end in ends)]
    whole = ids[: found[0]] if found else ids
    return Reply(answers.tokenizer.decode(whole, skip_special_tokens=True).strip(), not found)
