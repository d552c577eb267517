import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovlm import UserError
from emovlm.longtail import strategies

# DFEW fold 1, training: happy, sad, neutral, angry, surprise, disgust, fear.
DFEW = np.array([1956, 1515, 2135, 1738, 1175, 116, 721])


def proportions(rates_C, counts_C=DFEW):
    masses_C = counts_C * rates_C
    return masses_C / masses_C.sum()


@pytest.mark.parametrize(
    ("rates_C", "known"),
    [
        (strategies.natural(DFEW, 0), [0.2091, 0.1619, 0.2282, 0.1858, 0.1256, 0.0124, 0.0771]),
        (strategies.square_root(DFEW, 0), [0.1820, 0.1602, 0.1902, 0.1716, 0.1411, 0.0443, 0.1105]),
        (strategies.class_balanced(DFEW, 0), [1 / 7] * 7),
    ],
)
def test_known_proportions(rates_C, known):
    np.testing.assert_allclose(proportions(rates_C), known, atol=5e-5)


def test_tail_oversampling_by_hand():
    # floor .5 of 8 is 4: masses 8, 4, 4 (raised from 2), so proportions 1/2, 1/4, 1/4.
    counts_C = np.array([8, 4, 2])
    found = proportions(strategies.tail_oversampling(counts_C, 0, floor=0.5), counts_C)
    np.testing.assert_allclose(found, [0.5, 0.25, 0.25])


@pytest.mark.parametrize("floor", [0, -1, 1.5])
def test_floor_outside_its_range_is_refused(floor):
    with pytest.raises(UserError, match=r"sampler\.floor"):
        strategies.tail_oversampling(DFEW, 0, floor=floor)


ALL = [strategies.natural, strategies.square_root, strategies.class_balanced, strategies.tail_oversampling]


@pytest.mark.parametrize("strategy", ALL)
@given(counts=st.lists(st.integers(0, 500), min_size=1, max_size=12).filter(any), progress=st.floats(0, 1))
def test_every_strategy_keeps_order_length_and_empty_classes(strategy, counts, progress):
    counts_C = np.array(counts)
    rates_C = strategy(counts_C, progress)
    assert rates_C.shape == counts_C.shape
    assert (rates_C[counts_C == 0] == 0).all()
    assert (rates_C[counts_C > 0] > 0).all()
    masses_C = counts_C * rates_C
    np.testing.assert_allclose(masses_C.sum(), counts_C.sum())
    order = np.argsort(counts_C, kind="stable")
    assert (np.diff(masses_C[order]) >= -1e-9 * counts_C.sum()).all(), "the order is kept"
