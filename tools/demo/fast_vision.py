"""Makes the vision tower fast on CPU for pictures of one size; the numbers stay the same (tested).

As it comes, the tower attends picture by picture in a loop and embeds patches by a 3-D convolution, which the CPU
does slowly. Legend: N pictures, P patches of a picture, D width, H heads.
"""

from __future__ import annotations

import types
from typing import Any

import torch
from torch.nn import functional as F
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import apply_rotary_pos_emb_vision

from tools.demo.batches import GRID


def _attend(self, hidden_states, cu_seqlens, position_embeddings, **_):
    """All pictures at once, (N, H, P, D/H)."""
    cos, sin = position_embeddings
    total = hidden_states.shape[0]
    query, key, value = self.qkv(hidden_states).reshape(total, 3, self.num_heads, -1).permute(1, 0, 2, 3).unbind(0)
    query, key = apply_rotary_pos_emb_vision(query, key, cos, sin)
    query, key, value = (x.reshape(-1, GRID * GRID, *x.shape[1:]).transpose(1, 2) for x in (query, key, value))
    mixed = F.scaled_dot_product_attention(query, key, value, scale=self.scaling)
    return self.proj(mixed.transpose(1, 2).reshape(total, -1))


def _embed(self, hidden_states):
    """A convolution whose stride is its kernel is a matrix product."""
    return F.linear(hidden_states, self.proj.weight.flatten(1))


def speed_up(model: Any) -> None:
    """Changes `model` in place; from then on every picture must be GRID x GRID patches."""
    tower = model.model.visual
    tower.patch_embed.forward = types.MethodType(_embed, tower.patch_embed)
    for block in tower.blocks:
        block.attn.forward = types.MethodType(_attend, block.attn)


def features(model: Any, patches: torch.Tensor) -> torch.Tensor:
    """The visual tokens of N pictures, flattened: (N, 16 x width)."""
    count = patches.shape[0] // GRID**2
    out = model.model.visual(patches, grid_thw=torch.tensor([[1, GRID, GRID]] * count))
    return out.pooler_output.reshape(count, -1)
