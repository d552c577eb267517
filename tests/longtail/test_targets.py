import numpy as np

from emovlm.longtail.targets import class_indices, distributions


def test_a_row_without_label_is_never_drawn_but_free_answers_are_one_class():
    np.testing.assert_array_equal(class_indices([0, None, 1]), [0, -1, 1])
    np.testing.assert_array_equal(class_indices([None, None]), [0, 0])


def test_rows_without_a_soft_label_are_one_hot():
    assert distributions([None, None], [0, 1], 2) is None
    np.testing.assert_allclose(
        distributions([[0.25, 0.75], None, None], [None, 0, None], 2), [[0.25, 0.75], [1, 0], [0, 0]]
    )
