"""Scores against numbers worked by hand and against scikit-learn."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)

from emovlm.metrics import recognition as r

# Class 0: 4 rows, 3 right, 1 as class 1. Class 1: 2 rows, 1 right, 1 unreadable. Class 2: no row, predicted once for 3.
# Class 3: 2 rows, 0 right: one as 2, one as 0.
TARGETS = [0, 0, 0, 0, 1, 1, 3, 3]
PREDICTED = [0, 0, 0, 1, 1, -1, 2, 0]


def test_counts_keep_unreadable_answers_in_their_own_column():
    counts = r.confusion(np.array(TARGETS), np.array(PREDICTED), 4)
    assert counts.tolist() == [[3, 1, 0, 0, 0], [0, 1, 0, 0, 1], [0, 0, 0, 0, 0], [1, 0, 1, 0, 0]]
    assert r.support_C(counts).tolist() == [4, 2, 0, 2]
    assert r.predicted_C(counts).tolist() == [4, 2, 1, 0]
    assert (r.unreadable(counts), r.num_present(counts)) == (1, 3)


def test_scores_by_hand_leave_the_absent_class_out():
    counts = r.confusion(np.array(TARGETS), np.array(PREDICTED), 4)
    assert r.war(counts) == pytest.approx(4 / 8)
    np.testing.assert_allclose(r.recall_C(counts), [3 / 4, 1 / 2, np.nan, 0])
    assert r.uar(counts) == pytest.approx((3 / 4 + 1 / 2 + 0) / 3)
    # F1: 2*3/(4+4), 2*1/(2+2), 0/(2+0); class 2 has no row.
    assert r.macro_f1(counts) == pytest.approx((6 / 8 + 2 / 4 + 0) / 3)


def test_an_unreadable_answer_counts_as_wrong():
    readable = r.confusion(np.array([0, 0, 1]), np.array([0, 0, 1]), 2)
    unread = r.confusion(np.array([0, 0, 1]), np.array([0, -1, 1]), 2)
    assert r.war(readable) == 1
    assert r.war(unread) == pytest.approx(2 / 3)
    assert r.uar(unread) == pytest.approx((1 / 2 + 1) / 2)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_scores_equal_sklearn(pairs):
    targets, predicted = (np.array(column) for column in zip(*pairs, strict=True))
    counts = r.confusion(targets, predicted, 5)
    present = np.unique(targets)
    assert r.war(counts) == pytest.approx(accuracy_score(targets, predicted))
    f1 = f1_score(targets, predicted, labels=present, average="macro", zero_division=0)
    assert r.macro_f1(counts) == pytest.approx(f1)
    if len(present) > 1 and set(predicted) <= set(present):
        assert r.uar(counts) == pytest.approx(balanced_accuracy_score(targets, predicted))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_scores_of_each_class_equal_sklearn(pairs):
    targets, predicted = (np.array(column) for column in zip(*pairs, strict=True))
    counts = r.confusion(targets, predicted, 5)
    present = np.unique(targets)
    precision, recall, f1, support = precision_recall_fscore_support(
        targets, predicted, labels=present, zero_division=0
    )
    for ours, theirs in ((r.precision_C, precision), (r.recall_C, recall), (r.f1_C, f1), (r.support_C, support)):
        np.testing.assert_allclose(ours(counts)[present], theirs)
        absent = np.setdiff1d(np.arange(5), present)
        assert not np.nan_to_num(ours(counts)[absent]).any()
    weighted = f1_score(targets, predicted, labels=present, average="weighted", zero_division=0)
    assert r.weighted_f1(counts) == pytest.approx(weighted)
    shares = confusion_matrix(targets, predicted, labels=range(5), normalize="true")
    np.testing.assert_allclose(np.nan_to_num(r.row_normalised(counts)[:, :5]), shares)


def test_precision_and_f1_by_hand():
    counts = r.confusion(np.array(TARGETS), np.array(PREDICTED), 4)
    # Class 2 was predicted once but has no row; class 3 has rows and was never predicted.
    np.testing.assert_allclose(r.precision_C(counts), [3 / 4, 1 / 2, np.nan, 0])
    np.testing.assert_allclose(r.f1_C(counts), [6 / 8, 2 / 4, np.nan, 0])
    assert r.weighted_f1(counts) == pytest.approx((4 * 6 / 8 + 2 * 2 / 4 + 0) / 8)


def test_rows_of_the_normalised_table_sum_to_one_with_their_unreadable_answers():
    shares = r.row_normalised(r.confusion(np.array(TARGETS), np.array(PREDICTED), 4))
    assert shares[1].tolist() == [0, 1 / 2, 0, 0, 1 / 2]
    np.testing.assert_allclose(shares.sum(axis=1), [1, 1, np.nan, 1])


@given(st.integers(0, 999), st.integers(1, 4))
def test_top_k_equals_sklearn(seed, k):
    random = np.random.default_rng(seed)
    scores, targets = random.normal(size=(30, 5)), random.integers(5, size=30)
    theirs = top_k_accuracy_score(targets, scores, k=k, labels=range(5))
    assert r.top_k(scores, targets, k) == pytest.approx(theirs)


def test_top_k_ranks_equal_scores_in_class_order():
    scores = np.zeros((3, 3))
    targets = np.array([0, 0, 1])
    assert [r.top_k(scores, targets, k) for k in (1, 2, 3)] == pytest.approx([2 / 3, 1, 1])
    assert r.top_k(np.array([[-np.inf, 0.0]]), np.array([1]), 1) == 1
    with pytest.raises(AssertionError, match="not a number"):
        r.top_k(np.array([[np.nan, 0.0]]), np.array([1]), 1)


def test_a_stack_of_tables_gives_the_scores_of_each():
    tables = [r.confusion(np.array(TARGETS), np.array(p), 4) for p in (PREDICTED, TARGETS, [-1] * 8)]
    stack = np.stack(tables)
    of_groups = partial(r.group_recall, groups_C=np.array(["many", "few", "few", "medium"]))
    scores = (r.war, r.uar, r.macro_f1, r.recall_C, r.unreadable, r.num_present, r.precision_C, r.f1_C, r.weighted_f1)
    for score in (*scores, r.row_normalised, of_groups):
        np.testing.assert_allclose(score(stack), [score(table) for table in tables])


def test_no_rows_have_no_score():
    assert np.isnan(r.uar(np.zeros((3, 4), dtype=int)))
    assert np.isnan(r.war(np.zeros((3, 4), dtype=int)))


@pytest.mark.parametrize(
    ("counts", "tail"),
    [
        ([99, 79, 108, 89, 60, 6, 39], [0, 0, 0, 0, 0, 1, 1]),  # 7 / 3 = 2.3 -> 2
        ([50, 10], [0, 1]),  # 2 / 3 -> 1
        ([5], [1]),
        ([4, 4, 4], [1, 0, 0]),  # ties by class order
        ([9, 0, 9, 1, 9], [0, 1, 0, 1, 0]),  # 5 / 3 = 1.7 -> 2
    ],
)
def test_tail_is_the_rarest_third(counts, tail):
    assert r.tail_classes(np.array(counts)).astype(int).tolist() == tail


DFEW_TEST = np.array([489, 379, 534, 435, 293, 29, 146])


def test_groups_are_thirds_of_the_classes():
    assert r.groups(DFEW_TEST).tolist() == ["many", "medium", "many", "medium", "medium", "few", "few"]
    assert r.groups(np.array([4, 4, 4])).tolist() == ["few", "medium", "many"]
    assert r.groups(np.array([50, 10])).tolist() == ["many", "few"]
    assert r.groups(np.array([5])).tolist() == ["few"]


def test_groups_by_given_cuts():
    assert r.groups(np.array([100, 99, 20, 19]), (100, 20)).tolist() == ["many", "medium", "medium", "few"]
    # ImageNet-LT's cuts on a set of thousands of clips: hardly a group is left.
    assert r.groups(DFEW_TEST, (100, 20)).tolist() == ["many"] * 5 + ["medium", "many"]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=15))
def test_few_are_the_tail_and_no_larger_class_is_in_a_lower_group(counts):
    groups = r.groups(np.array(counts))
    assert ((groups == "few") == r.tail_classes(np.array(counts))).all()
    rank = [("few", "medium", "many").index(group) for group in groups]
    assert (np.diff(np.array(rank)[np.lexsort((rank, counts))]) >= 0).all()
    assert abs((groups == "many").sum() - (groups == "few").sum()) <= (len(counts) == 1)


def test_recall_of_groups_by_hand():
    counts = r.confusion(np.array(TARGETS), np.array(PREDICTED), 4)  # recall .75 .5 nan 0
    recall = r.group_recall(counts, np.array(["many", "many", "many", "few"]))
    np.testing.assert_allclose(recall, [(3 / 4 + 1 / 2) / 2, np.nan, 0])


def test_tail_recall_averages_the_tail_classes_that_have_rows():
    counts = r.confusion(np.array(TARGETS), np.array(PREDICTED), 4)
    assert r.tail_recall(counts, np.array([False, True, True, True])) == pytest.approx((1 / 2 + 0) / 2)
    assert np.isnan(r.tail_recall(counts, np.array([False, False, True, False])))


def test_values_outside_the_classes_are_our_slip():
    with pytest.raises(AssertionError, match="prediction outside"):
        r.confusion(np.array([0]), np.array([2]), 2)
    with pytest.raises(AssertionError, match="target outside"):
        r.confusion(np.array([-1]), np.array([0]), 2)
