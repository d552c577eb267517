"""In-between frames: evenly by presentation time, never a chosen one, known answers by hand."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from emovlm.enrich.gaps import between, nearest_chosen, reference


def plain(gaps):
    return {gap: indices.tolist() for gap, indices in gaps.items()}


def test_four_frames_of_each_gap_as_in_the_trial():
    times_s_T = np.arange(16) / 8
    found = between(times_s_T, (0.0, 2.0), np.array([0, 5, 10, 15]), 4)
    assert plain(found) == {0: [1, 2, 3, 4], 1: [6, 7, 8, 9], 2: [11, 12, 13, 14]}


def test_evenly_between_the_chosen_frames():
    times_s_T = np.arange(31) / 30
    assert plain(between(times_s_T, (0, 31 / 30), np.array([0, 30]), 2)) == {0: [10, 20]}
    assert plain(between(times_s_T, (0, 31 / 30), np.array([0, 30]), 4)) == {0: [6, 12, 18, 24]}


def test_by_time_and_not_by_index():
    # The first half second has one frame, the second has fifty.
    times_s_T = np.array([0.0, 0.5, *(0.5 + np.arange(1, 51) / 100)])
    found = between(times_s_T, (0, 1.01), np.array([0, 51]), 3)[0]
    np.testing.assert_allclose(times_s_T[found], [0.5, 0.51, 0.75], atol=1e-9)


def test_a_gap_has_what_there_is_and_none_without_a_frame():
    times_s_T = np.arange(6) / 6
    assert plain(between(times_s_T, (0, 1), np.array([0, 1, 4]), 4)) == {1: [2, 3]}
    assert between(times_s_T, (0, 1), np.array([2]), 4) == {}


def test_before_the_first_and_after_the_last_if_asked():
    times_s_T = np.arange(10) / 10
    chosen_K = np.array([4, 5])
    assert plain(between(times_s_T, (0, 1), chosen_K, 2)) == {}
    # Middles of two halves of 0 to 0.4 s are 0.1 and 0.3; of 0.5 to 1 s, 0.625 and 0.875.
    found = between(times_s_T, (0, 1), chosen_K, 2, before_first=True, after_last=True)
    assert plain(found) == {-1: [1, 3], 1: [6, 9]}
    assert plain(between(times_s_T, (0, 1), np.array([0, 9]), 1, before_first=True, after_last=True)) == {0: [4]}


def test_reference_is_the_first_tenth_of_a_second():
    assert reference(np.arange(50) / 25).tolist() == [0, 1, 2]
    assert reference(np.arange(16) / 8).tolist() == [0]
    assert reference(7 + np.arange(50) / 15).tolist() == [0, 1]
    assert reference(np.array([3.0])).tolist() == [0]


def test_keyframes_in_place_of_the_frames_between():
    times_s_T = np.arange(16) / 8
    gaps = {-1: np.array([0, 1]), 0: np.array([3, 4, 5, 6, 7])}
    assert plain(nearest_chosen(times_s_T, np.array([2, 8]), gaps)) == {-1: [2, 2], 0: [2, 2, 2, 8, 8]}


@given(
    st.lists(st.floats(0.001, 0.5), min_size=2, max_size=60),
    st.data(),
    st.integers(1, 6),
    st.booleans(),
    st.booleans(),
)
def test_gaps_lie_between_their_frames(steps_s, data, frames_per_gap, before_first, after_last):
    times_s_T = np.cumsum(steps_s)
    chosen = data.draw(st.sets(st.integers(0, len(times_s_T) - 1), min_size=1))
    chosen_K = np.array(sorted(chosen))
    span_s = (float(times_s_T[0]), float(times_s_T[-1] + 0.04))
    found = between(times_s_T, span_s, chosen_K, frames_per_gap, before_first=before_first, after_last=after_last)
    edges = [-1 if before_first else chosen_K[0], *chosen_K, len(times_s_T) if after_last else chosen_K[-1]]
    for gap, indices in found.items():
        left, right = edges[gap + 1], edges[gap + 2]
        assert (np.diff(indices) > 0).all()
        assert left < indices[0]
        assert indices[-1] < right
    for gap in range(-1, len(chosen_K)):
        room = max(0, edges[gap + 2] - edges[gap + 1] - 1)
        assert len(found.get(gap, ())) == min(room, frames_per_gap)
