"""Intervals: width by theory, clusters, vectors, absent classes, speed."""

import time

import numpy as np
import pytest

from emovlm.metrics import recognition as r
from emovlm.metrics import units
from emovlm.metrics.uncertainty import bootstrap, draw_tables, interval, interval_unit


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
    # Enough draws: the quantile of a binomial of 20 must not fall on the next step.
    low, high = bootstrap(targets, predicted, r.war, num_draws=8000)
    low_s, high_s = bootstrap(targets, predicted, r.war, clusters_N=subject, num_draws=8000)
    assert (high_s - low_s) / (high - low) == pytest.approx(np.sqrt(10), rel=0.15)


def test_one_clip_a_cluster_is_the_bootstrap_by_clip():
    targets, predicted = clips(120, 0.6)
    by_cluster = bootstrap(targets, predicted, r.war, clusters_N=np.arange(120), num_draws=4000)
    np.testing.assert_allclose(by_cluster, bootstrap(targets, predicted, r.war, num_draws=4000), atol=0.02)


def test_drawing_clusters_equals_drawing_their_rows():
    targets, predicted = clips(120, 0.6, num_classes=3)
    subject = np.random.default_rng(2).integers(0, 15, 120)
    random = np.random.default_rng(1)
    rows_of = [np.flatnonzero(subject == name) for name in np.unique(subject)]
    slow = []
    for _ in range(4000):
        rows = np.concatenate([rows_of[g] for g in random.integers(0, len(rows_of), len(rows_of))])
        slow.append(r.uar(r.confusion(targets[rows], predicted[rows], 3)))
    quick = bootstrap(targets, predicted, r.uar, num_draws=4000, clusters_N=subject)
    np.testing.assert_allclose(quick, np.quantile(slow, [0.025, 0.975]), atol=0.01)


def test_a_draw_of_clusters_that_loses_a_class_is_drawn_again_and_counted():
    # Class 1 is only on subject 0 of ten: (9/10)^10 = .35 of all draws lose it, so .35 / .65 are thrown away per draw.
    subject = np.repeat(np.arange(10), 4)
    targets = (np.arange(40) < 2).astype(int)
    tables, num_redrawn = draw_tables(targets, targets, clusters_N=subject, num_draws=4000)
    assert tables.shape == (4000, 2, 3)
    assert (r.support_C(tables) > 0).all()
    lost = 0.9**10
    assert num_redrawn / 4000 == pytest.approx(lost / (1 - lost), rel=0.1)
    # By clip nothing is drawn again, and a class without a row in the data is not waited for.
    assert draw_tables(targets, targets, num_draws=100)[1] == 0
    assert draw_tables(targets * 0, targets * 0, num_classes=3, clusters_N=subject, num_draws=100)[1] == 0


def test_no_draw_keeps_many_classes_of_one_subject_each():
    with pytest.raises(AssertionError, match="interval_unit"):
        bootstrap(np.arange(30), np.arange(30), r.uar, clusters_N=np.arange(30), num_draws=20)


def test_clusters_drawn_in_parts(monkeypatch):
    targets, predicted = clips(60, 0.6, num_classes=3)
    whole, _ = draw_tables(targets, predicted, clusters_N=np.arange(60) // 2, num_draws=50)
    monkeypatch.setattr(units, "CELLS_AT_ONCE", 200)
    parts, _ = draw_tables(targets, predicted, clusters_N=np.arange(60) // 2, num_draws=50)
    np.testing.assert_array_equal(parts, whole)


def test_which_unit_an_interval_may_use():
    targets = np.repeat([0, 2], 10)
    five = np.concatenate([np.arange(10), np.arange(10) % 5]).astype(str)
    four = np.concatenate([np.arange(10), np.arange(10) % 4]).astype(str)
    assert interval_unit(targets, five) == "subject"
    assert interval_unit(targets, four) == "none"
    assert interval_unit(targets) == "clip, optimistic"
    assert interval_unit(targets, [*four[:-1], None]) == "clip, optimistic"
    assert interval_unit(targets, [*five[:-1], ""]) == "clip, optimistic"


def test_interval_leaves_undefined_draws_out():
    values = np.arange(101.0)
    assert interval(values) == pytest.approx((2.5, 97.5))
    assert interval(np.append(values, np.nan)) == pytest.approx((2.5, 97.5))
    assert np.isnan(interval(np.array([np.nan, np.nan]))).all()


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


def test_a_hundred_thousand_rows_of_two_thousand_subjects_take_under_ten_seconds():
    random = np.random.default_rng(0)
    targets = random.integers(0, 11, 100_000)
    predicted = np.where(random.random(100_000) < 0.6, targets, random.integers(-1, 11, 100_000))
    subject = random.integers(0, 2000, 100_000).astype(str)

    def scores(counts):
        overall = np.stack([r.war(counts), r.uar(counts), r.macro_f1(counts)], axis=-1)
        return np.concatenate([overall, r.recall_C(counts)], axis=-1)

    start = time.perf_counter()
    bootstrap(targets, predicted, scores)
    bootstrap(targets, predicted, scores, clusters_N=subject)
    assert time.perf_counter() - start < 10
