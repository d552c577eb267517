"""Uniform choice by hand, and what every choice must keep."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovlm import UserError
from emovlm.frames.policy import uniform


def constant(num, fps):
    return np.arange(num) / fps, (0.0, num / fps)


@pytest.mark.parametrize(
    ("num", "keep", "expected"),
    [
        (8, 8, [0, 1, 2, 3, 4, 5, 6, 7]),
        (5, 8, [0, 1, 2, 3, 4]),  # fewer than keep: all of them
        (16, 4, [2, 6, 10, 14]),  # middles at 2, 6, 10, 14 frames
        (12, 4, [1, 4, 7, 10]),  # middles at 1.5, 4.5, ...: the earlier of two equally near
        (10, 4, [1, 4, 6, 9]),  # middles at 1.25, 3.75, 6.25, 8.75
        (7, 1, [3]),  # middle at 3.5
        (1, 1, [0]),
    ],
)
@pytest.mark.parametrize("fps", [25, 30000 / 1001, 7.3])
def test_constant_rate(num, keep, expected, fps):
    times, span = constant(num, fps)
    assert uniform(times, span, keep=keep).tolist() == expected


def test_variable_rate_follows_the_clock_and_not_the_index():
    # Ten frames in the first second, then one held for nine: the middles 2.5 and 7.5 s are nearest to frames 9 and 10.
    times = np.append(np.arange(10) / 10, 5.0)
    assert uniform(times, (0.0, 10.0), keep=2).tolist() == [9, 10]


def test_no_frame_twice_where_middles_share_one():
    # Middles 1.25, 3.75, 6.25, 8.75; frames crowd at the start. Two middles each are nearest to the frames at 1 and 9.
    times = np.array([0.0, 0.5, 1.0, 9.0, 9.5])
    # Ascending choices of four of five: dropping 0 costs .75+2.75+2.75+.75 = 7, dropping 9.5 costs
    # 1.25+3.25+5.25+.25, dropping .5: 1.25+2.75+2.75+.75, dropping 1: 1.25+3.25+2.75+.75, dropping 9: more.
    assert uniform(times, (0.0, 10.0), keep=4).tolist() == [1, 2, 3, 4]


def test_a_span_that_begins_late():
    times = 3.0 + np.arange(20) / 10
    assert uniform(times, (3.0, 5.0), keep=2).tolist() == [5, 15]


def test_keep_below_one_is_the_users_mistake():
    with pytest.raises(UserError, match=r"frames\.keep: got 0"):
        uniform(*constant(5, 25), keep=0)


@given(st.lists(st.floats(0.001, 3), min_size=1, max_size=40), st.integers(1, 12))
def test_any_clock_gives_ascending_distinct_frames(gaps, keep):
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    chosen = uniform(times, (0.0, float(times[-1]) + 0.1), keep=keep)
    assert len(chosen) == min(keep, len(times))
    assert np.all(np.diff(chosen) > 0)
    assert chosen[0] >= 0
    assert chosen[-1] < len(times)


@given(st.lists(st.floats(0.001, 3), min_size=1, max_size=7), st.integers(1, 7))
def test_no_ascending_choice_is_nearer_in_total(gaps, keep):
    from itertools import combinations

    times = np.concatenate([[0.0], np.cumsum(gaps)])
    end = float(times[-1]) + 0.1
    keep = min(keep, len(times))
    middles = (np.arange(keep) + 0.5) * end / keep
    best = min(np.abs(times[list(choice)] - middles).sum() for choice in combinations(range(len(times)), keep))
    assert np.abs(times[uniform(times, (0.0, end), keep=keep)] - middles).sum() == pytest.approx(best, abs=1e-5)
