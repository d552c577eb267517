import math

import pytest
import torch

from emovlm.longtail import class_losses

SCORES = torch.tensor([[1.0, 0.0, -1.0], [0.2, 0.1, 0.4]])
TARGETS = torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])
PRIOR = torch.tensor([0.7, 0.2, 0.1])
UNIFORM = torch.full((3,), 1 / 3)


def test_cross_entropy_by_hand():
    found = class_losses.cross_entropy(torch.tensor([[math.log(3), 0.0]]), torch.tensor([[0.0, 1.0]]), UNIFORM[:2])
    assert found.tolist() == pytest.approx([math.log(4)])


def test_members_agree_where_they_must():
    plain = class_losses.cross_entropy(SCORES, TARGETS, PRIOR)
    assert torch.allclose(class_losses.focal(SCORES, TARGETS, PRIOR, gamma=0.0), plain)
    assert torch.allclose(class_losses.logit_adjusted(SCORES, TARGETS, UNIFORM), plain, atol=1e-6)
    assert torch.allclose(class_losses.margin(SCORES, TARGETS, PRIOR, max_margin=0.0), plain)
    adjusted = class_losses.logit_adjusted(SCORES, TARGETS, PRIOR)
    assert torch.allclose(class_losses.vs_loss(SCORES, TARGETS, PRIOR, gamma=0.0), adjusted)
    assert not torch.allclose(adjusted, plain)


def test_logit_adjustment_is_balanced_softmax():
    weighted = PRIOR * SCORES[0].exp()
    assert class_losses.logit_adjusted(SCORES, TARGETS, PRIOR)[0].item() == pytest.approx(
        -math.log(weighted[1] / weighted.sum()), rel=1e-5
    )


def test_the_margin_lowers_the_target_alone():
    # The rarest class has the whole margin: log(e + 1 + e^(-1 - .5)) + 1.5 for target 2 of the first row.
    target = torch.tensor([[0.0, 0.0, 1.0]])
    found = class_losses.margin(SCORES[:1], target, PRIOR, max_margin=0.5)
    assert found.item() == pytest.approx(math.log(math.e + 1 + math.exp(-1.5)) + 1.5, rel=1e-6)


def test_a_class_that_is_never_sampled_leaves_the_loss_finite():
    prior = torch.tensor([0.9, 0.1, 0.0])
    for name in ("cross_entropy", "focal", "logit_adjusted", "vs_loss", "margin"):
        scores = SCORES.clone().requires_grad_()
        loss = getattr(class_losses, name)(scores, TARGETS, prior)
        loss.sum().backward()
        assert torch.isfinite(loss).all()
        assert torch.isfinite(scores.grad).all()
