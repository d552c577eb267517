"""What the loss will see, against a replay of the stream: deferred weights, soft labels, fractional epochs."""

import math

import numpy as np
import pytest

from emovlm.longtail.ledger import Ledger
from emovlm.longtail.plan import plan
from emovlm.recipe import Recipe

CLASSES = ["a", "b", "c"]


def recipe(**changes):
    values = {
        "data": {"source": "demo"},
        "model": {"name": "demo"},
        "global_batch": 10,
        "trainer": {"max_steps": 100, "per_device_train_batch_size": 10},
    }
    return Recipe.model_validate(values | changes)


def replay(made, targets_NC):
    """(prior_C, mean weight where weights count) of the samples that the training will draw."""
    rows = made.sampler.first(made.num_steps * made.sampler.step)
    counts_L = np.arange(len(rows)) >= made.weights_from * len(rows)
    weights_L = np.where(counts_L, targets_NC[rows] @ made.weights_C, 1.0)
    seen_LC = targets_NC[rows] * np.where(counts_L[:, None], made.weights_C, 1.0)
    return seen_LC.sum(axis=0) / seen_LC.sum(), weights_L[counts_L].mean()


@pytest.mark.parametrize(
    "sampler", [{"strategy": "natural"}, {"strategy": "class_balanced"}, {"strategy": "progressive"}]
)
@pytest.mark.parametrize("begin", [0.0, 0.8])
def test_the_prior_is_what_the_loss_sees_and_weights_have_mean_one_where_they_count(sampler, begin):
    labels_N = np.repeat([0, 1, 2], [700, 250, 50])
    made = plan(recipe(sampler=sampler, loss={"class_weights": "inverse", "weights_from": begin}), labels_N, CLASSES)
    prior_C, mean_weight = replay(made, np.eye(3)[labels_N])
    np.testing.assert_allclose(made.prior_C, prior_C, atol=0.004)
    assert mean_weight == pytest.approx(1, abs=0.02)
    ledger = Ledger(CLASSES, [str(n) for n in range(1000)], made)
    steps = ledger.add_planned()
    summary = ledger.summary(ledger.drawn_EN, strategy="x", num_steps=steps)
    np.testing.assert_allclose(summary["effective_prior"], prior_C, atol=2e-6)


@pytest.mark.parametrize("strategy", ["natural", "class_balanced", "progressive"])
def test_soft_rows_count_by_their_mass(strategy):
    soft_NC = np.random.default_rng(0).dirichlet([3, 1, 0.3], size=1000)
    made = plan(
        recipe(sampler={"strategy": strategy}, loss={"class_weights": "inverse", "over_classes": "cross_entropy"}),
        soft_NC.argmax(axis=1),
        CLASSES,
        soft_NC,
    )
    prior_C, mean_weight = replay(made, soft_NC)
    np.testing.assert_allclose(made.prior_C, prior_C, atol=0.01)
    assert mean_weight == pytest.approx(1, abs=0.03)


def test_a_soft_row_goes_with_a_rare_label_also_where_rebalancing_comes_later():
    soft_NC = np.array([[1.0, 0]] * 9 + [[0.7, 0.3]])
    for sampler in (
        {"strategy": "progressive"},
        {"strategy": "deferred", "first": "natural", "then": "class_balanced", "at": 0.5},
    ):
        made = plan(recipe(sampler=sampler), soft_NC.argmax(axis=1), ["a", "b"], soft_NC)
        assert made.labels_N.tolist() == [0] * 9 + [1]


def test_steps_are_counted_as_trainer_counts_them():
    labels_N = np.zeros(600, dtype=int)
    made = plan(
        recipe(trainer={"num_train_epochs": 1.1, "per_device_train_batch_size": 12}, global_batch=12), labels_N, ["a"]
    )
    assert made.num_steps == math.ceil(1.1 * (600 // 12)) == 56
