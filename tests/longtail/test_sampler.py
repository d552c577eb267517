"""The stream is what the strategy asked for, a pure function of its arguments and the epoch."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emovlm import UserError
from emovlm.longtail import strategies
from emovlm.longtail.sampler import ClassSampler, largest_remainder

ALL = [strategies.natural, strategies.square_root, strategies.class_balanced, strategies.tail_oversampling]
labels_lists = st.lists(st.integers(0, 5), min_size=1, max_size=60)


def test_natural_epoch_is_every_row_once():
    labels_N = np.repeat([0, 1, 2], [5, 3, 1])
    sampler = ClassSampler(labels_N, strategies.natural)
    assert len(sampler) == 9
    for epoch in range(3):
        sampler.set_epoch(epoch)
        assert sorted(sampler) == list(range(9))
    assert sampler.stream(0).tolist() != sampler.stream(1).tolist()


def test_what_a_class_is_owed_is_carried_over():
    # 9 rows of class 0 and one of class 1, two draws an epoch: class 1 is owed .2 an epoch, one draw in five epochs.
    sampler = ClassSampler(np.repeat([0, 1], [9, 1]), strategies.natural, num_samples=2)
    drawn = [int(sampler.draws(epoch)[1][1]) for epoch in range(20)]
    assert sum(drawn[:5]) == sum(drawn[5:10]) == sum(drawn[10:15]) == sum(drawn[15:]) == 1
    assert sampler.draws(20)[0].tolist() == [36, 4]


@settings(max_examples=60, deadline=None)
@given(labels=labels_lists, strategy=st.sampled_from(ALL), seed=st.integers(0, 2**31), length=st.integers(1, 90))
def test_contract_of_the_stream(labels, strategy, seed, length):
    labels_N = np.array(labels)
    sampler = ClassSampler(labels_N, strategy, seed=seed, num_samples=length)
    again = ClassSampler(labels_N, strategy, seed=seed, num_samples=length)
    counts_N = np.zeros(len(labels_N), dtype=int)
    asked_C = np.zeros(len(sampler.members))
    for epoch in range(4):
        np.random.seed(epoch)  # the global generator must not matter
        stream = sampler.stream(epoch)
        assert len(stream) == length
        np.testing.assert_array_equal(stream, again.stream(epoch))
        np.add.at(counts_N, stream, 1)
        asked_C += length * sampler.proportions(epoch)
        drawn_C = np.bincount(labels_N, weights=counts_N, minlength=len(asked_C))
        assert (np.abs(drawn_C - asked_C) <= 1 + 1e-6).all(), "the mix over time is exact to one sample"
        for rows in sampler.members:
            if len(rows):
                assert np.ptp(counts_N[rows]) <= 1, "two rows of a class differ by at most one draw"


def test_a_cycle_never_opens_with_the_row_that_closed_the_last_one():
    for size in (2, 3, 4):
        sampler = ClassSampler(np.zeros(size, dtype=int), strategies.natural, seed=size)
        stream = np.concatenate([sampler.stream(epoch) for epoch in range(40)])
        ordered = sampler._members(0, 0, size * 40)
        assert sorted(ordered.tolist()) == sorted(stream.tolist())
        assert (np.diff(ordered) != 0).all()


def test_the_shards_of_accelerate_are_exactly_the_stream():
    from accelerate.data_loader import BatchSamplerShard
    from torch.utils.data import BatchSampler

    labels_N = np.repeat([0, 1, 2], [40, 20, 4])
    sampler = ClassSampler(labels_N, strategies.class_balanced, multiple_of=16, seed=3)
    for world in (1, 2, 4):
        shards = [
            [list(batch) for batch in BatchSamplerShard(BatchSampler(sampler, 4, False), world, rank)]
            for rank in range(world)
        ]
        woven = [index for step in zip(*shards, strict=True) for batch in step for index in batch]
        assert woven == sampler.stream(0).tolist()


def test_steps_stay_near_the_mix():
    labels_N = np.repeat([0, 1], [900, 100])
    sampler = ClassSampler(labels_N, strategies.class_balanced, num_samples=1600)
    per_step = labels_N[sampler.stream(0)].reshape(100, 16).mean(axis=1)
    # Independent draws would have a standard deviation of .125 a step; the spread stream keeps to .09 or less.
    assert per_step.std() < 0.09


def test_global_generators_are_left_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    state = np.random.get_state()[1].copy()
    ClassSampler([0, 1, 1], strategies.natural).stream(0)
    assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(state, np.random.get_state()[1])


def test_progress_reaches_the_strategy():
    seen = []

    def strategy(counts_C, progress):
        seen.append(progress)
        return np.ones(len(counts_C))

    sampler = ClassSampler([0, 1], strategy, num_epochs=4)
    seen.clear()
    sampler.stream(3)
    assert seen == [0, 0.25, 0.5, 0.75]


def test_bad_input_is_named():
    with pytest.raises(UserError, match="no labelled row"):
        ClassSampler([], strategies.natural)
    with pytest.raises(UserError, match="no labelled row"):
        ClassSampler([-1, -1], strategies.natural)
    with pytest.raises(UserError, match="0 samples"):
        ClassSampler([0], strategies.natural, num_samples=0)


def test_rows_without_a_label_are_never_drawn():
    sampler = ClassSampler([0, -1, 1], partial(strategies.tail_oversampling, floor=1.0), num_samples=30)
    assert set(sampler.stream(0)) == {0, 2}


@given(st.lists(st.floats(0, 50), min_size=1, max_size=9))
def test_largest_remainder_sums_and_stays_within_one(values):
    wanted_C = np.array(values)
    total = round(float(wanted_C.sum()))
    if total == 0:
        return
    scaled_C = wanted_C * total / wanted_C.sum()
    found_C = largest_remainder(scaled_C, total)
    assert found_C.sum() == total
    assert (np.abs(found_C - scaled_C) < 1 + 1e-6).all()
    assert largest_remainder(np.array([1.4, 1.4, 0.2]), 3).tolist() == [2, 1, 0]
