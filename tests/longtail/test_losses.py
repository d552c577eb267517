import math

import pytest
import torch

from emovlm.longtail.losses import IGNORED, answer_nll, sample_mean, token_mean


def test_answer_nll_is_a_sum_over_the_answer_by_hand():
    # Two tokens, vocabulary of two: probabilities 1/4 and 1/2 for the first row, only the last token for the second.
    logits = torch.log(torch.tensor([[[0.25, 0.75], [0.5, 0.5]], [[0.9, 0.1], [0.2, 0.8]]]))
    answers = torch.tensor([[0, 1], [IGNORED, 1]])
    found = answer_nll(logits, answers)
    assert found.tolist() == pytest.approx([math.log(4) + math.log(2), -math.log(0.8)], rel=1e-6)


def test_a_long_name_weighs_as_much_as_a_short_one():
    """The gradient of the sum at the deciding token does not shrink with the length of the rest."""
    short = torch.zeros(1, 1, 4, requires_grad=True)
    long = torch.zeros(1, 3, 4, requires_grad=True)
    sample_mean(answer_nll(short, torch.tensor([[2]])), 1).backward()
    sample_mean(answer_nll(long, torch.tensor([[2, 0, 1]])), 1).backward()
    assert torch.allclose(short.grad[0, 0], long.grad[0, 0])


def test_parts_of_a_step_add_up():
    nll_B = torch.tensor([1.0, 2.0, 3.0, 6.0])
    assert sample_mean(nll_B, 4) == 3.0
    assert sample_mean(nll_B[:1], 4) + sample_mean(nll_B[1:], 4) == pytest.approx(3.0)
    assert token_mean(nll_B, 12) == 1.0
