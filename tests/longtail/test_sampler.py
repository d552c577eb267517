"""The stream is what the strategy asked for, a pure function of its arguments and the epoch."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emovlm import UserError
from emovlm.longtail import strategies
from emovlm.longtail.sampler import ClassSampler, largest_remainder, soft_rows

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
    drawn = [int(sampler.draws(epoch)[1].sum(axis=0)[1]) for epoch in range(20)]
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
        ordered = sampler._rows(0, 0, size * 40)
        assert sorted(ordered.tolist()) == sorted(stream.tolist())
        assert (np.diff(ordered) != 0).all()


def test_the_shards_of_accelerate_are_exactly_the_stream():
    from accelerate.data_loader import BatchSamplerShard
    from torch.utils.data import BatchSampler

    labels_N = np.repeat([0, 1, 2], [40, 20, 4])
    sampler = ClassSampler(labels_N, strategies.class_balanced, step=16, seed=3)
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


def test_progress_reaches_the_strategy_step_by_step():
    """Progressive over one epoch of four steps: the mix moves from natural towards balanced within the epoch."""
    labels_N = np.repeat([0, 1], [90, 10])
    sampler = ClassSampler(labels_N, strategies.progressive, num_samples=400, step=100)
    drawn = labels_N[sampler.stream(0)].reshape(4, 100).sum(axis=1)
    assert drawn.tolist() == [10, 20, 30, 40]
    np.testing.assert_allclose(sampler.planned_mix(), [0.75, 0.25])


def test_deferred_switches_at_its_step():
    labels_N = np.repeat([0, 1], [90, 10])
    strategy = partial(strategies.deferred, first="natural", then="class_balanced", at=0.75)
    sampler = ClassSampler(labels_N, strategy, num_samples=40, step=10, num_steps=8)
    drawn = labels_N[sampler.first(80)].reshape(8, 10).sum(axis=1)
    assert drawn.tolist() == [1, 1, 1, 1, 1, 1, 5, 5]


def test_a_million_draws_in_at_most_twice_the_time_of_weighted_choice():
    import time

    rng = np.random.default_rng(0)
    shares_C = 1 / np.arange(1, 1001)
    labels_N = rng.choice(1000, 1_000_000, p=shares_C / shares_C.sum())
    weights_N = strategies.square_root(np.bincount(labels_N, minlength=1000), 0)[labels_N]
    ours, theirs = [], []
    for _ in range(3):
        started = time.perf_counter()
        ClassSampler(labels_N, strategies.square_root, num_classes=1000, step=32).stream(0)
        ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        rng.choice(len(labels_N), len(labels_N), p=weights_N / weights_N.sum())
        theirs.append(time.perf_counter() - started)
    assert min(ours) <= 2 * min(theirs), (ours, theirs)


@pytest.mark.parametrize(("classes", "tail"), [(3, 0), (0, 2), (3, 2)])
def test_a_promise_about_every_step_is_kept_and_changes_only_the_order(classes, tail):
    labels_N = np.repeat([0, 1, 2, 3], [100, 60, 30, 10])
    tail_C = np.array([False, False, False, True])
    options = {"num_samples": 160, "step": 8, "seed": 1}
    plain = ClassSampler(labels_N, strategies.class_balanced, **options)
    kept = ClassSampler(
        labels_N,
        strategies.class_balanced,
        min_classes_per_step=classes,
        min_tail_per_step=tail,
        tail_C=tail_C,
        **options,
    )
    assert sorted(plain.stream(0)) == sorted(kept.stream(0))
    for samples in labels_N[kept.stream(0)].reshape(20, 8):
        assert len(set(samples.tolist())) >= classes
        assert (samples == 3).sum() >= tail


@pytest.mark.parametrize(("classes", "tail", "says"), [(5, 0, "at most 4"), (0, 3, "most 2 a step")])
def test_a_promise_that_cannot_be_kept_is_refused_with_the_numbers(classes, tail, says):
    sampler = ClassSampler(
        np.repeat([0, 1, 2, 3], [100, 60, 30, 10]),
        strategies.class_balanced,
        num_samples=160,
        step=8,
        min_classes_per_step=classes,
        min_tail_per_step=tail,
        tail_C=np.array([False, False, False, True]),
    )
    with pytest.raises(UserError, match=says):
        sampler.stream(0)


def test_soft_rows_go_with_their_rarest_class_that_carries_enough():
    # Masses: 2.4 and .6; the second class is rarer, so it has the larger balanced rate.
    soft_NC = np.array([[1.0, 0.0], [0.9, 0.1], [0.5, 0.5], [0.0, 0.0]])
    labels_N, counts_C = soft_rows(soft_NC, strategies.class_balanced)
    assert labels_N.tolist() == [0, 0, 1, -1]
    np.testing.assert_allclose(counts_C, [2.4, 0.6])


def test_multinomial_draws_have_the_mix_in_expectation():
    labels_N = np.repeat([0, 1], [900, 100])
    sampler = ClassSampler(labels_N, strategies.class_balanced, num_samples=10_000, draws="multinomial")
    assert labels_N[sampler.stream(0)].mean() == pytest.approx(0.5, abs=0.03)


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
