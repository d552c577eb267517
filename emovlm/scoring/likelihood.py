"""Log-likelihood of each class name after the prompt, token by token up to its end-of-turn.

The prefix (all the visual tokens) is computed once; its cache is shared by the C names, and names that begin alike
share their first tokens: behind the prefix stands the trie of the names. Without the end-of-turn, "happy" would always
beat "happy surprise".

B clips, L prompt tokens, C names, A tokens of the longest name, V vocabulary. N nodes of the trie that something
follows, the root (nothing behind the prompt yet) left out. R rows of D tokens: the trie as its longest paths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicLayer

from emovlm import UserError
from emovlm.longtail.losses import IGNORED, answer_nll

Node = tuple[int, ...]  # the tokens from the root


def label_scores(model: Any, prompt: Mapping[str, torch.Tensor], names: Sequence[Sequence[int]]) -> torch.Tensor:
    """-> scores_BC, float32 log-likelihoods in nats: `token_scores` summed over the tokens."""
    return token_scores(model, prompt, names).sum(-1)


def token_scores(model: Any, prompt: Mapping[str, torch.Tensor], names: Sequence[Sequence[int]]) -> torch.Tensor:
    """-> logp_BCA, float32 nats: each token of each name, given the prompt and the tokens before; 0 behind the name.

    prompt: a scoring batch (left-padded, no answer). names: the token ids of each class name, with its end-of-turn.
    One pass over the prompt and one over the names. What the tokens add up to is for `kinds.class_scores` to say.
    """
    first = model(**prompt, use_cache=True, logits_to_keep=1)
    next_BNV = first.logits[:, -1:].float().log_softmax(-1)
    # Sorted, the root first, so that the order of the names changes no number.
    root, *nodes = sorted({tuple(ids[:a]) for ids in names for a in range(len(ids))})
    if nodes:
        cache, mask_BL = first.past_key_values, prompt["attention_mask"]
        behind = _in_one_row if _reads_a_tree(model, cache) else _in_rows
        next_BNV = torch.cat([next_BNV, behind(model, mask_BL, cache, nodes).float().log_softmax(-1)], dim=1)
    number = {node: n for n, node in enumerate([root, *nodes])}
    tokens_CA = _padded(names, IGNORED, next_BNV.device)
    nodes_CA = _padded([[number[tuple(ids[:a])] for a in range(len(ids))] for ids in names], 0, next_BNV.device)
    return next_BNV[:, nodes_CA, tokens_CA.clamp(min=0)].masked_fill(tokens_CA == IGNORED, 0.0)


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


def pretrained(model: Any) -> PreTrainedModel:
    """The model of transformers within whatever wraps it (adapters, processes)."""
    return next(module for module in model.modules() if isinstance(module, PreTrainedModel))


def _reads_a_tree(model: Any, cache: Any) -> bool:
    """Whether a token can be told which tokens before it to look at.

    Not by flash attention, and not where a layer keeps a window or a running state in place of all tokens.
    """
    attention = pretrained(model).config.get_text_config()._attn_implementation
    return attention == "sdpa" and all(type(layer) is DynamicLayer for layer in cache.layers)


def _in_one_row(model: Any, mask_BL: torch.Tensor, cache: Any, nodes: Sequence[Node]) -> torch.Tensor:
    """logits_BNV behind each node. All nodes stand side by side; each looks at the prompt and at its own way there."""
    batch, device = len(mask_BL), mask_BL.device
    ways_NN = torch.tensor([[node[: len(other)] == other for other in nodes] for node in nodes], device=device)
    seen_BNL = mask_BL.bool()[:, None].expand(-1, len(nodes), -1)
    looks_BNX = torch.cat([seen_BNL, ways_NN.expand(batch, -1, -1)], dim=2)
    depth_N = torch.tensor([len(node) - 1 for node in nodes], device=device)
    positions = _positions(model, mask_BL, depth_N, 1)
    return model(
        input_ids=torch.tensor([node[-1] for node in nodes], device=device).expand(batch, -1),
        attention_mask=looks_BNX[:, None],
        cache=cache,
        use_cache=True,
        # Most families count on from the cache's length, padding included.
        position_ids=(mask_BL.shape[1] + depth_N).expand(batch, -1) if positions is None else positions,
    ).logits


def _in_rows(model: Any, mask_BL: torch.Tensor, cache: Any, nodes: Sequence[Node]) -> torch.Tensor:
    """The same logits_BNV with a copy of the cache for each longest path."""
    if torch.is_grad_enabled() and any(cache.is_linear):
        # transformers overwrites the running state that the gradient still needs.
        raise UserError(
            "loss.share_prefix: this model keeps a running state that cannot be shared in training; set false"
        )
    batch, device = len(mask_BL), mask_BL.device
    # In sorted order whatever goes on from a node comes right behind it.
    paths = [node for node, after in zip_longest(nodes, nodes[1:]) if after is None or after[: len(node)] != node]
    row_N = [next(r for r, path in enumerate(paths) if path[: len(node)] == node) for node in nodes]
    rows_RD = _padded(paths, 0, device)  # what stands behind a path is looked at by none of its tokens
    num_rows, num_tokens = rows_RD.shape
    # Not batch_repeat_interleave, which running states don't have.
    cache.reorder_cache(torch.arange(batch, device=device).repeat_interleave(num_rows))
    mask_XL = mask_BL.repeat_interleave(num_rows, dim=0)
    positions = _positions(model, mask_BL, torch.arange(num_tokens, device=device), num_rows)
    logits_XDV = model(
        input_ids=rows_RD.repeat(batch, 1),
        attention_mask=torch.cat([mask_XL, mask_XL.new_ones(batch * num_rows, num_tokens)], dim=1),
        cache=cache,
        use_cache=True,
        **({} if positions is None else {"position_ids": positions}),
    ).logits
    return logits_XDV.unflatten(0, (batch, num_rows))[:, row_N, [len(node) - 1 for node in nodes]]


def _padded(rows: Sequence[Sequence[int]], fill: int, device: torch.device) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *([fill] * (longest - len(row)))] for row in rows], device=device)


def _positions(model: Any, mask_BL: torch.Tensor, depth_D: torch.Tensor, num_rows: int) -> torch.Tensor | None:
    """positions_3XD behind the shared prefix, for families that count them in three rows (text, y, x); else None.

    Left to themselves such models take positions for the whole mask and fail.
    """
    deltas_B1 = next((m.rope_deltas for m in model.modules() if getattr(m, "rope_deltas", None) is not None), None)
    if deltas_B1 is None:
        return None
    positions_BD = mask_BL.sum(dim=1, keepdim=True) + deltas_B1.to(mask_BL.device) + depth_D
    positions_XD = positions_BD.repeat_interleave(num_rows, dim=0)
    return positions_XD.expand(3, *positions_XD.shape)
