import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovlm import UserError
from emovlm.longtail import strategies, weights

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
        (strategies.power(DFEW, 0, q=0.5), [0.1820, 0.1602, 0.1902, 0.1716, 0.1411, 0.0443, 0.1105]),
    ],
)
def test_known_proportions(rates_C, known):
    np.testing.assert_allclose(proportions(rates_C), known, atol=5e-5)


def test_known_answers_on_dfew():
    rates_C = strategies.repeat_factor(DFEW, 0, threshold=1 / 7)
    np.testing.assert_allclose(rates_C, [1, 1, 1, 1, 1.067, 3.394, 1.362], atol=5e-4)
    assert round(float((DFEW * rates_C).sum())) == 9973
    assert proportions(strategies.progressive(DFEW, 0.5))[5] == pytest.approx(0.0776, abs=5e-5)
    for beta, disgust in ((0.99, 0.0179), (0.999, 0.0820), (0.9999, 0.1345)):
        assert proportions(strategies.effective_number(DFEW, 0, beta=beta))[5] == pytest.approx(disgust, abs=5e-5)
    weights_C = weights.effective_number(DFEW, beta=0.9999)
    np.testing.assert_allclose(weights_C, [0.293, 0.371, 0.271, 0.327, 0.470, 4.519, 0.749], atol=5e-4)


def test_undersample_by_hand():
    rates_C = strategies.undersample(np.array([8, 4, 2, 0]), 0, cap=2)
    np.testing.assert_allclose(rates_C, [0.5, 1, 1, 0])


@pytest.mark.parametrize("spec", ["no_such", {"strategy": "power"}, {"strategy": "power", "p": 1}, "deferred"])
def test_deferred_refuses_what_it_cannot_name(spec):
    with pytest.raises(UserError, match=r"sampler\.then"):
        strategies.deferred(DFEW, 0, first="natural", then=spec, at=0.5)


def test_weights_keep_the_learning_rate_and_say_the_prior():
    sampled_C = np.array([0.8, 0.2])
    found = weights.normalised(weights.inverse(np.array([80, 20])), sampled_C)
    assert (found * sampled_C).sum() == pytest.approx(1)
    np.testing.assert_allclose(weights.effective_prior(found, sampled_C), [0.5, 0.5])
    with pytest.raises(UserError, match="did you mean 'happy'"):
        weights.by_name(["happy", "sad"], {"hapy": 2})


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
