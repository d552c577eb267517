"""Losses: pure functions on tensors. The only file of this layer that imports torch.

B samples, A answer tokens (padded), V vocabulary. A sample's loss is the negative log-likelihood of its whole answer,
summed over the tokens and the end-of-turn: a mean over tokens would be a hidden class weight 1/length.
"""

from __future__ import annotations

import torch
from torch.nn import functional

IGNORED = -100


def answer_nll(logits_BAV: torch.Tensor, answers_BA: torch.Tensor) -> torch.Tensor:
    """Negative log-likelihood of each sample's answer, summed over its tokens: float32, shape (B,), in nats.

    logits_BAV: the logits that predict each answer token (already shifted). answers_BA: token ids, -100 where none.
    """
    nll_BA = functional.cross_entropy(
        logits_BAV.float().transpose(1, 2), answers_BA, ignore_index=IGNORED, reduction="none"
    )
    return nll_BA.sum(dim=1)


def sample_mean(nll_B: torch.Tensor, num_samples: int) -> torch.Tensor:
    """This batch's part of the mean over the `num_samples` samples of a whole optimiser step: a scalar."""
    return nll_B.sum() / num_samples


def token_mean(nll_B: torch.Tensor, num_tokens: int | torch.Tensor) -> torch.Tensor:
    """This batch's part of the mean over the `num_tokens` answer tokens of a whole step (captions, not labels)."""
    return nll_B.sum() / num_tokens
