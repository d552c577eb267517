"""Scores against numbers worked by hand and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

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


def test_a_stack_of_tables_gives_the_scores_of_each():
    tables = [r.confusion(np.array(TARGETS), np.array(p), 4) for p in (PREDICTED, TARGETS, [-1] * 8)]
    stack = np.stack(tables)
    for score in (r.war, r.uar, r.macro_f1, r.recall_C, r.unreadable, r.num_present):
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


def test_tail_recall_averages_the_tail_classes_that_have_rows():
    counts = r.confusion(np.array(TARGETS), np.array(PREDICTED), 4)
    assert r.tail_recall(counts, np.array([False, True, True, True])) == pytest.approx((1 / 2 + 0) / 2)
    assert np.isnan(r.tail_recall(counts, np.array([False, False, True, False])))


def test_values_outside_the_classes_are_our_slip():
    with pytest.raises(AssertionError, match="prediction outside"):
        r.confusion(np.array([0]), np.array([2]), 2)
    with pytest.raises(AssertionError, match="target outside"):
        r.confusion(np.array([-1]), np.array([0]), 2)
