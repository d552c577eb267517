"""What every strategy's stream keeps, whatever the counts, seed, length, global batch and number of processes.

The strategies are found by lookup, and their arguments drawn: a new one is put through all of this by being there.
"""

from functools import partial

import numpy as np
import pytest
from accelerate.data_loader import BatchSamplerShard, SkipBatchSampler
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import BatchSampler
from transformers.trainer_pt_utils import AcceleratorConfig

from emovlm import UserError, lookup
from emovlm.longtail.sampler import ClassSampler

SHARE = st.floats(0.05, 0.95)  # within the range of every float argument that has no default
SIMPLE = [name for name in lookup.STRATEGY.names() if not lookup.parameters(lookup.STRATEGY, name)]
VALUES = {"float": SHARE, "str | dict": st.sampled_from(SIMPLE)}
EVERY = pytest.mark.parametrize("name", lookup.STRATEGY.names())
thorough = settings(max_examples=25, deadline=None)
counts_lists = st.lists(st.integers(0, 25), min_size=1, max_size=7).filter(any)


@st.composite
def samplers(draw, name, step=None):
    """-> (labels_N, sampler): rows in any order, some without a label, classes without rows."""
    counts = draw(counts_lists)
    unlabelled = draw(st.integers(0, 3))
    labels_N = np.repeat([*range(len(counts)), -1], [*counts, unlabelled])
    np.random.default_rng(draw(st.integers(0, 9))).shuffle(labels_N)
    sampler = ClassSampler(
        labels_N,
        strategy(draw, name),
        num_classes=len(counts),
        num_samples=draw(st.none() | st.integers(1, 120)),
        step=step or draw(st.integers(1, 12)),
        num_epochs=draw(st.integers(1, 5)),
        seed=draw(st.integers(0, 2**32)),
    )
    return labels_N, sampler


def strategy(draw, name):
    """The function with drawn values for the arguments that it must be given."""
    needed = [one for one in lookup.parameters(lookup.STRATEGY, name).values() if one.required]
    return partial(lookup.resolve(lookup.STRATEGY, name), **{one.name: draw(VALUES[one.annotation]) for one in needed})


@EVERY
@given(data=st.data(), progress=st.floats(0, 1))
@thorough
def test_no_strategy_reverses_the_order_of_the_classes(name, data, progress):
    """A larger class is drawn at least as often as a smaller one, and each of its rows at most as often."""
    counts_C = np.sort(data.draw(counts_lists))
    rates_C = strategy(data.draw, name)(counts_C, progress)
    masses_C = counts_C * rates_C
    assert (rates_C[counts_C == 0] == 0).all()
    assert (rates_C[counts_C > 0] > 0).all()
    assert (np.diff(masses_C) >= -1e-9 * masses_C.sum()).all()
    assert (np.diff(rates_C[counts_C > 0]) <= 1e-9 * rates_C.max()).all()


@EVERY
@given(data=st.data())
@thorough
def test_the_draws_follow_the_proportions_and_an_empty_class_is_never_drawn(name, data):
    labels_N, sampler = data.draw(samplers(name))
    empty_C = sampler.sizes_C == 0
    ahead_C = np.zeros(len(empty_C))
    seldom = False
    for epoch in range(5):
        shares_C, stream = sampler.proportions(epoch), sampler.stream(epoch)
        assert len(stream) == len(sampler)
        assert len(stream) % sampler.step == 0
        assert (labels_N[stream] >= 0).all(), "a row without a label is never drawn"
        assert shares_C.sum() == pytest.approx(1)
        assert (shares_C[empty_C] == 0).all()
        assert (shares_C[~empty_C] > 0).all()
        drawn_C = np.bincount(labels_N[stream], minlength=len(empty_C))
        assert (drawn_C[empty_C] == 0).all()
        ahead_C += drawn_C - len(stream) * shares_C
        assert ahead_C.max() < 1 + 1e-6, "no class is a whole draw ahead"
        # Less than one behind, too, where every class is asked at least once from one decision to the next (an epoch; a
        # step where the mix changes). Otherwise several can be due at once.
        shares_KC = sampler._shares(epoch)
        seldom |= bool((len(stream) / len(shares_KC) * shares_KC[:, ~empty_C] < 1 - 1e-9).any())
        assert ahead_C.min() > (-2 if seldom else -1) - 1e-6
    assert sampler.planned_mix().sum() == pytest.approx(1)
    assert (sampler.planned_mix()[empty_C] == 0).all()


@EVERY
@given(data=st.data())
@thorough
def test_two_rows_of_a_class_are_drawn_equally_often(name, data):
    labels_N, sampler = data.draw(samplers(name))
    counts_N = np.zeros(len(labels_N), int)
    for epoch in range(5):
        np.add.at(counts_N, sampler.stream(epoch), 1)
        for rows in sampler.members:
            assert not len(rows) or np.ptp(counts_N[rows]) <= 1


@given(
    counts=counts_lists,
    step=st.integers(1, 40),
    seed=st.integers(0, 2**32),
    epochs=st.integers(1, 6),
)
@settings(max_examples=150, deadline=None)
def test_no_row_is_lost_in_natural_epochs(counts, step, seed, epochs):
    """However the length divides: an epoch holds every row, and after E epochs each was drawn at least E times."""
    labels_N = np.repeat(np.arange(len(counts)), counts)
    sampler = ClassSampler(labels_N, lookup.resolve(lookup.STRATEGY, "natural"), step=step, seed=seed)
    assert len(labels_N) <= len(sampler) < len(labels_N) + step
    counts_N = np.zeros(len(labels_N), int)
    for epoch in range(epochs):
        stream = sampler.stream(epoch)
        np.add.at(counts_N, stream, 1)
        assert counts_N.min() >= epoch + 1
        if len(labels_N) % step == 0:
            assert sorted(stream) == list(range(len(labels_N)))


@EVERY
@given(data=st.data(), device_batch=st.integers(1, 3), accumulation=st.integers(1, 3), world=st.integers(1, 4))
@thorough
def test_the_processes_together_get_exactly_the_stream(name, data, device_batch, accumulation, world):
    """Dealt out as Trainer has accelerate do it: each optimiser step is one contiguous chunk of the stream."""
    step = device_batch * accumulation * world
    _, sampler = data.draw(samplers(name, step))
    asked = AcceleratorConfig()
    assert not asked.split_batches
    for epoch in range(2):
        sampler.set_epoch(epoch)
        dealt = [
            BatchSamplerShard(
                BatchSampler(sampler, device_batch, drop_last=False),
                world,
                rank,
                split_batches=asked.split_batches,
                even_batches=asked.even_batches,
            )
            for rank in range(world)
        ]
        steps = taken(dealt, accumulation)
        assert steps == sampler.stream(epoch).reshape(-1, step).tolist()
        done = len(steps) // 2
        assert taken([SkipBatchSampler(one, done * accumulation) for one in dealt], accumulation) == steps[done:]


def taken(dealt, accumulation):
    """The rows of each optimiser step, over all processes."""
    batches_R = [list(one) for one in dealt]
    assert len({len(batches) for batches in batches_R}) == 1, "every process takes as many batches"
    assert len(batches_R[0]) % accumulation == 0
    woven = [[row for batch in turn for row in batch] for turn in zip(*batches_R, strict=True)]
    return [[row for turn in woven[k : k + accumulation] for row in turn] for k in range(0, len(woven), accumulation)]


@EVERY
@given(data=st.data(), classes=st.integers(0, 4), tail=st.integers(0, 3))
@thorough
def test_a_promise_about_every_step_is_kept_or_refused(name, data, classes, tail):
    labels_N, sampler = data.draw(samplers(name))
    plain = sampler.stream(1)
    sampler.tail_C = sampler.sizes_C <= np.median(sampler.sizes_C)
    sampler.min_classes, sampler.min_tail = classes, tail
    try:
        kept = sampler.stream(1)
    except UserError:
        assert classes > 1 or tail, "every step holds one class"
        return
    assert sorted(labels_N[kept]) == sorted(labels_N[plain]), "only the order changes"
    for rows in kept.reshape(-1, sampler.step):
        assert len(set(labels_N[rows])) >= classes
        assert sampler.tail_C[labels_N[rows]].sum() >= tail
