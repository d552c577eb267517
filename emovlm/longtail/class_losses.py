"""Losses over the scores of all classes: pure functions `(scores_BC, targets_BC, prior_C, *, ...) -> losses_B`.

scores_BC: log-likelihoods of the C class names, in nats, from one shared prefix. targets_BC: a distribution over
classes a sample (one-hot for a hard label). prior_C: the class prior that the loss sees, sampled proportion x class
weight; it sums to 1, and a class that is never sampled has 0. All are float tensors; gradients flow through scores_BC
alone.
"""

from __future__ import annotations

import torch

from emovlm import UserError


def cross_entropy(scores_BC: torch.Tensor, targets_BC: torch.Tensor, prior_C: torch.Tensor) -> torch.Tensor:
    """Softmax over the C scores against the target distribution."""
    return -(targets_BC * scores_BC.log_softmax(-1)).sum(-1)


def focal(
    scores_BC: torch.Tensor, targets_BC: torch.Tensor, prior_C: torch.Tensor, *, gamma: float = 2.0
) -> torch.Tensor:
    """-(1 - p)^gamma log p, p from the softmax over the C scores (Lin et al. 2017, eq. 4); gamma 0: cross-entropy."""
    if gamma < 0:
        raise UserError(f"loss.gamma: got {gamma:g}; 0 or more is expected")
    log_p_BC = scores_BC.log_softmax(-1)
    return -(targets_BC * (1 - log_p_BC.exp()).clamp(min=0).pow(gamma) * log_p_BC).sum(-1)


def logit_adjusted(
    scores_BC: torch.Tensor, targets_BC: torch.Tensor, prior_C: torch.Tensor, *, tau: float = 1.0
) -> torch.Tensor:
    """Cross-entropy on scores + tau log prior; prediction stays unadjusted (Menon et al. 2021, eq. 10).

    tau = 1 is balanced softmax (Ren et al. 2020, eq. 3). With a uniform prior it changes nothing.
    """
    return cross_entropy(scores_BC + tau * _log(prior_C), targets_BC, prior_C)


def vs_loss(
    scores_BC: torch.Tensor,
    targets_BC: torch.Tensor,
    prior_C: torch.Tensor,
    *,
    gamma: float = 0.15,
    tau: float = 1.0,
) -> torch.Tensor:
    """Cross-entropy on Delta_c scores + tau log prior, Delta_c = (prior_c / max prior)^gamma (Kini et al. 2021, eq. 2).

    gamma = 0 is logit_adjusted, tau = 0 the multiplicative part alone (CDT).
    """
    delta_C = (prior_C / prior_C.max()).clamp(min=torch.finfo(prior_C.dtype).tiny).pow(gamma)
    return cross_entropy(delta_C * scores_BC + tau * _log(prior_C), targets_BC, prior_C)


def margin(
    scores_BC: torch.Tensor, targets_BC: torch.Tensor, prior_C: torch.Tensor, *, max_margin: float = 0.5
) -> torch.Tensor:
    """An LDAM-style margin in nats: the score of class c, where it is the target, is lowered by m_c.

    m_c = max_margin * (n_min / n_c)^(1/4), scale 1, counts in proportion to the prior (after Cao et al. 2019, eq. 13).
    Not LDAM proper, which needs cosine logits and a scale. For a soft target the loss is the mean over its classes.
    """
    seen_C = prior_C > 0
    rarest = prior_C[seen_C].min()
    margins_C = max_margin * torch.where(seen_C, rarest / prior_C.clamp(min=rarest), torch.ones_like(prior_C)).pow(0.25)
    # Target c: its own score drops by m_c. log(sum exp s - exp s_c + exp(s_c - m_c)) for each c at once.
    lowered_BCC = scores_BC[:, None, :] - torch.diag(margins_C)
    own_BC = torch.diagonal(lowered_BCC.log_softmax(-1), dim1=1, dim2=2)
    return -(targets_BC * own_BC).sum(-1)


def _log(prior_C: torch.Tensor) -> torch.Tensor:
    """log prior; a class that is never sampled gets a very small one, not minus infinity (0 x inf is no number)."""
    return prior_C.clamp(min=1e-12).log()
