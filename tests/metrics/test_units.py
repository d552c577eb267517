"""Units: their tables against counting row by row, and drawing in parts."""

import numpy as np
import pytest

from emovlm.metrics import units as u
from emovlm.metrics.recognition import confusion

TARGETS = np.array([0, 0, 1, 1, 1, 0])
ANSWERS = np.array([[0, 0, 1, -1, 1, 0], [1, 1, 1, 0, 1, 0]])
SUBJECT = np.array(["b", "b", "a", "b", "a", "c"])


def test_clips_alike_in_target_and_all_answers_are_one_kind():
    kinds = u.units(TARGETS, ANSWERS)
    # Rows 0 and 1 are alike, 2 and 4 are, 3 and 5 are alone.
    assert sorted(kinds.times_U.tolist()) == [1, 1, 2, 2]
    for table_UK, answers in zip(kinds.tables_R, ANSWERS, strict=True):
        assert kinds.stack(kinds.times_U[None] @ table_UK)[0].tolist() == confusion(TARGETS, answers, 2).tolist()


def test_a_cluster_holds_the_table_of_its_rows():
    subjects = u.units(TARGETS, ANSWERS, 3, SUBJECT)
    assert subjects.times_U.tolist() == [1, 1, 1]
    for table_UK, answers in zip(subjects.tables_R, ANSWERS, strict=True):
        for table, name in zip(subjects.stack(table_UK.toarray()), "abc", strict=True):
            own = name == SUBJECT
            assert table.tolist() == confusion(TARGETS[own], answers[own], 3).tolist()
    assert subjects.support_UC.toarray().tolist() == [[0, 2, 0], [2, 1, 0], [1, 0, 0]]


def test_a_draw_has_as_many_units_as_there_are():
    kinds = u.units(TARGETS, ANSWERS)
    weights, num_redrawn = kinds.resample(500, np.random.default_rng(0), redraw=False)
    assert set(weights.sum(axis=1)) == {len(TARGETS)}
    np.testing.assert_allclose(weights.mean(axis=0), kinds.times_U, atol=0.15)
    assert num_redrawn == 0


def test_draws_come_in_parts_that_fit(monkeypatch):
    subjects = u.units(TARGETS, ANSWERS, 2, SUBJECT)
    assert list(subjects.chunks(7)) == [7]
    monkeypatch.setattr(u, "CELLS_AT_ONCE", 18)  # a table of 2 x 3 cells, and three subjects
    assert list(subjects.chunks(7)) == [3, 3, 1]
    monkeypatch.setattr(u, "CELLS_AT_ONCE", 1)
    assert list(subjects.chunks(2)) == [1, 1]


def test_values_outside_the_classes_are_our_slip():
    with pytest.raises(AssertionError, match="target outside"):
        u.units([-1], [0])
    with pytest.raises(AssertionError, match="answer outside"):
        u.units([0], [-2])
    with pytest.raises(AssertionError, match="answer outside"):
        u.units([0], [3], 3)
