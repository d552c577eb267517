"""Log-likelihood of each class name after the prompt: summed over its tokens and its end-of-turn.

The prefix (all the visual tokens) is computed once; its cache is shared by the C names. Without the end-of-turn,
"happy" would always beat "happy surprise".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from emovlm.longtail.losses import IGNORED, answer_nll


def label_scores(model: Any, prompt: Mapping[str, torch.Tensor], names: Sequence[Sequence[int]]) -> torch.Tensor:
    """-> scores_BC, float32 log-likelihoods in nats.

    prompt: a scoring batch (left-padded, no answer). names: the token ids of each class name, with its end-of-turn.
    """
    first = model(**prompt, use_cache=True, logits_to_keep=1)
    first_BV = first.logits[:, -1].float().log_softmax(-1)
    batch, classes, device = len(first_BV), len(names), first_BV.device
    answers_CA = _padded(names).to(device)
    scores_BC = first_BV[:, answers_CA[:, 0]]
    if answers_CA.shape[1] == 1:
        return scores_BC

    cache = first.past_key_values
    cache.batch_repeat_interleave(classes)
    inputs_CA = answers_CA[:, :-1].clamp(min=0)
    mask_BL = prompt["attention_mask"].repeat_interleave(classes, dim=0)
    mask_BA = torch.ones(batch * classes, inputs_CA.shape[1], dtype=mask_BL.dtype, device=device)
    rest = model(
        input_ids=inputs_CA.repeat(batch, 1),
        attention_mask=torch.cat([mask_BL, mask_BA], dim=1),
        cache=cache,
        use_cache=True,
        **_positions(model, prompt["attention_mask"], classes, inputs_CA.shape[1]),
    )
    targets_XA = answers_CA[:, 1:].repeat(batch, 1)
    return scores_BC - answer_nll(rest.logits, targets_XA).reshape(batch, classes)


def label_scores_apart(model: Any, prompt: Mapping[str, torch.Tensor], names: Sequence[Sequence[int]]) -> torch.Tensor:
    """The same scores_BC with a forward pass for every name: C times the cost, and no cache is needed."""
    batch, length = prompt["input_ids"].shape
    columns = []
    for ids in names:
        behind_BA = torch.tensor(ids, device=prompt["input_ids"].device).expand(batch, -1)
        whole = {}
        for key, value in prompt.items():
            if value.shape[:2] != (batch, length):  # pixels, grids, rates
                whole[key] = value
                continue
            more = behind_BA if key == "input_ids" else torch.full_like(behind_BA, int(key == "attention_mask"))
            whole[key] = torch.cat([value, more.to(value.dtype)], dim=1)
        logits = model(**whole, logits_to_keep=len(ids) + 1).logits[:, :-1]
        columns.append(-answer_nll(logits, behind_BA))
    return torch.stack(columns, dim=1)


def _padded(names: Sequence[Sequence[int]]) -> torch.Tensor:
    longest = max(map(len, names))
    return torch.tensor([[*ids, *([IGNORED] * (longest - len(ids)))] for ids in names])


def _positions(model: Any, mask_BL: torch.Tensor, classes: int, num_tokens: int) -> dict[str, torch.Tensor]:
    """Positions of the tokens behind the shared prefix, for families that count them in three rows (text, y, x).

    Left to themselves such models take positions for the whole mask and fail; the others go on from the cache's length.
    """
    deltas_B1 = next((m.rope_deltas for m in model.modules() if getattr(m, "rope_deltas", None) is not None), None)
    if deltas_B1 is None:
        return {}
    start_B1 = mask_BL.sum(dim=1, keepdim=True) + deltas_B1.to(mask_BL.device)
    positions_BA = start_B1 + torch.arange(num_tokens, device=mask_BL.device)
    positions_XA = positions_BA.repeat_interleave(classes, dim=0)
    return {"position_ids": positions_XA.expand(3, *positions_XA.shape)}
