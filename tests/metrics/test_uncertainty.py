"""Intervals: width by theory, clusters, vectors, absent classes, speed."""

import time

import numpy as np
import pytest

from emovlm.metrics import recognition as r
from emovlm.metrics.uncertainty import bootstrap


def clips(num, accuracy, num_classes=7, seed=0):
    random = np.random.default_rng(seed)
    targets = np.arange(num) % num_classes
    return targets, np.where(random.random(num) < accuracy, targets, (targets + 1) % num_classes)


def test_width_is_that_of_the_binomial():
    targets, predicted = clips(400, 0.7)
    low, high = bootstrap(targets, predicted, r.war, num_draws=4000)
    value = (targets == predicted).mean()
    half = 1.96 * np.sqrt(value * (1 - value) / 400)
    assert low == pytest.approx(value - half, abs=0.006)
    assert high == pytest.approx(value + half, abs=0.006)


def test_drawing_tables_equals_drawing_clips():
    targets, predicted = clips(90, 0.6, num_classes=3)
    random = np.random.default_rng(1)
    slow = []
    for _ in range(4000):
        rows = random.integers(0, 90, 90)
        slow.append(r.uar(r.confusion(targets[rows], predicted[rows], 3)))
    np.testing.assert_allclose(
        bootstrap(targets, predicted, r.uar, num_draws=4000), np.quantile(slow, [0.025, 0.975]), atol=0.01
    )


def test_same_seed_same_interval_and_another_seed_another():
    targets, predicted = clips(60, 0.5)
    assert bootstrap(targets, predicted, r.uar, seed=3) == bootstrap(targets, predicted, r.uar, seed=3)
    assert bootstrap(targets, predicted, r.uar, seed=3) != bootstrap(targets, predicted, r.uar, seed=4)


def test_a_perfect_model_has_no_width():
    targets, _ = clips(70, 1.0)
    assert bootstrap(targets, targets, r.macro_f1) == (1.0, 1.0)


def test_clusters_that_stand_or_fall_together_widen_the_interval():
    # 20 subjects of 10 clips, each subject all right or all wrong: 20 independent facts, not 200.
    subject = np.repeat(np.arange(20), 10).astype(str)
    targets = np.arange(200) % 2
    predicted = np.where(np.repeat(np.arange(20) % 2, 10) == 0, targets, 1 - targets)
    low, high = bootstrap(targets, predicted, r.war)
    low_s, high_s = bootstrap(targets, predicted, r.war, clusters_N=subject)
    assert (high_s - low_s) / (high - low) == pytest.approx(np.sqrt(10), rel=0.15)


def test_one_clip_a_cluster_is_the_bootstrap_by_clip():
    targets, predicted = clips(120, 0.6)
    by_cluster = bootstrap(targets, predicted, r.war, clusters_N=np.arange(120), num_draws=4000)
    np.testing.assert_allclose(by_cluster, bootstrap(targets, predicted, r.war, num_draws=4000), atol=0.02)


def test_recall_of_every_class_comes_from_one_call_and_an_absent_class_has_none():
    targets, predicted = clips(100, 0.6, num_classes=4)
    low, high = bootstrap(targets, predicted, r.recall_C, num_classes=5)
    recall = r.recall_C(r.confusion(targets, predicted, 5))
    assert low.shape == high.shape == (5,)
    assert np.all(low[:4] < recall[:4])
    assert np.all(recall[:4] < high[:4])
    assert np.isnan(low[4])
    assert np.isnan(high[4])


def test_a_thousand_draws_of_five_scores_take_under_a_second():
    targets, predicted = clips(280, 0.7)
    is_tail = r.tail_classes(np.array([99, 79, 108, 89, 60, 6, 39]))
    start = time.perf_counter()
    for score in (r.war, r.uar, r.macro_f1, r.recall_C, lambda counts: r.tail_recall(counts, is_tail)):
        bootstrap(targets, predicted, score)
    assert time.perf_counter() - start < 1
