"""Choices by hand, and what every choice must keep."""

import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovlm import UserError
from emovlm.frames import policy
from emovlm.frames.policy import apex, apex_estimate, dense_window, fps, keyframes, segment_random, uniform


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


@pytest.mark.parametrize(
    ("num", "clip_fps", "asked", "expected"),
    [
        (70, 25, {"rate": 2}, 6),  # a DFEW clip: 2.8 s x 2 = 5.6; Qwen's own processor takes 4 of it
        (70, 25, {"rate": 1}, 4),  # 2.8: not below min
        (70, 25, {"rate": 1, "min": 1}, 3),
        (75, 25, {"rate": 0.5, "min": 1}, 2),  # 1.5: halves go up
        (250, 25, {"rate": 5, "max": 16}, 16),  # 50: not above max
        (10, 25, {"rate": 100}, 10),  # 40 wanted, 10 there
        (3, 25, {"rate": 2}, 3),
    ],
)
def test_a_rate_is_a_number_of_frames(num, clip_fps, asked, expected):
    times, span = constant(num, clip_fps)
    chosen = fps(times, span, **asked)
    assert len(chosen) == expected
    assert chosen.tolist() == uniform(times, span, keep=expected).tolist()


def test_a_rate_counts_visible_time_and_not_frames():
    # Five seconds in which the picture stands still for four: 2 fps are 10 frames, not 2 x (20 / 20).
    times = np.concatenate([np.arange(10) / 20, 4.5 + np.arange(10) / 20])
    assert len(fps(times, (0.0, 5.0), rate=2)) == 10
    # A span of one second from the middle.
    late = 3 + np.arange(25) / 25
    assert len(fps(late, (3.0, 4.0), rate=5)) == 5


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"rate": -1}, {"min": 0}, {"min": 9, "max": 8}])
def test_a_rate_out_of_range_is_the_users_mistake(wrong):
    with pytest.raises(UserError, match=r"frames\.(rate|min|max): got"):
        fps(*constant(50, 25), **wrong)


def test_random_segments_take_one_frame_of_each_equal_part():
    times, span = constant(40, 25)
    seen = np.zeros(40, int)
    for epoch in range(400):
        chosen = segment_random(times, span, keep=4, key=(0, epoch, "clip"))
        assert (chosen // 10).tolist() == [0, 1, 2, 3]
        seen[chosen] += 1
    # Each of 40 frames has 400 x 1/10 = 40 expected draws, standard deviation 6.
    assert seen.min() > 40 - 4 * 6
    assert seen.max() < 40 + 4 * 6


def test_random_segments_are_a_function_of_seed_epoch_and_id_alone():
    times, span = constant(200, 25)

    def draw(key):
        return segment_random(times, span, keep=8, key=key).tolist()

    first = draw((0, 3, "a"))
    np.random.seed(1)
    assert draw((0, 3, "a")) == first
    assert draw([0, 3, "a"]) == first  # as it comes back from JSON
    others = [draw(key) for key in [(1, 3, "a"), (0, 4, "a"), (0, 3, "b"), (0, 31, "a"), (0, 3, "1a")]]
    assert len({tuple(one) for one in [first, *others]}) == 6


def test_a_model_is_scored_on_the_middles():
    times, span = constant(40, 25)
    assert segment_random(times, span, keep=4, key=None).tolist() == uniform(times, span, keep=4).tolist()


def test_random_segments_follow_the_clock():
    # The first half second holds 50 frames, the other 9.5 s five: half of the segments must fall on these five.
    times = np.concatenate([np.arange(50) / 100, [1.0, 3.0, 5.0, 7.0, 9.0]])
    for epoch in range(50):
        chosen = segment_random(times, (0.0, 10.0), keep=2, key=(0, epoch, "x"))
        assert times[chosen[1]] in (5.0, 7.0, 9.0)  # the second half of ten seconds
        assert len(chosen) == 2


@given(st.lists(st.floats(0.001, 3), min_size=1, max_size=40), st.integers(1, 12), st.integers(0, 10**6))
def test_random_segments_give_distinct_frames_on_any_clock(gaps, keep, epoch):
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    chosen = segment_random(times, (0.0, float(times[-1]) + 0.1), keep=keep, key=(0, epoch, "x"))
    assert len(chosen) == min(keep, len(times))
    assert np.all(np.diff(chosen) > 0)


def steps(levels):
    """Small frames that show a bright square of the given strength: brightness as a whole stays out of the matter."""
    frames = np.zeros((len(levels), 8, 8))
    frames[:, 2:4, 2:4] = np.array(levels, float)[:, None, None]
    return frames


def test_keyframes_are_where_it_has_just_changed():
    # 50 frames in 2 s; something moves at frames 10 to 13 and, half as much, at 30 to 33.
    levels = np.interp(np.arange(50), [10, 13, 30, 33], [0, 10, 10, 5])
    times, span = constant(50, 25)
    chosen = keyframes(times, span, keep=2, thumbnails=steps(levels))
    assert 13 <= chosen[0] <= 15
    assert 33 <= chosen[1] <= 35
    assert chosen.tolist()[:1] == keyframes(times, span, keep=1, thumbnails=steps(levels)).tolist()  # the larger one


def test_keyframes_are_spread_where_one_place_moves_all_the_time():
    levels = np.where(np.arange(50) < 10, np.arange(50) % 5, 0)
    times, span = constant(50, 25)
    chosen = keyframes(times, span, keep=5, thumbnails=steps(levels))
    assert np.diff(times[chosen]).min() >= 2.0 / 10 - 1e-9  # duration / (2 keep)


def test_keyframes_of_a_still_clip_cover_it():
    times, span = constant(64, 25)
    chosen = keyframes(times, span, keep=5, thumbnails=steps(np.ones(64)))
    # The first of equals, then always the farthest: both ends, the middle, the quarters.
    assert chosen.tolist() == [0, 15, 31, 47, 63]


def test_a_lamp_that_flickers_is_no_keyframe():
    times, span = constant(50, 25)
    levels = np.where(np.arange(50) >= 40, 3.0, 0.0)
    lamp = np.where(np.arange(50) == 20, 100.0, 0.0)[:, None, None]
    chosen = keyframes(times, span, keep=1, thumbnails=steps(levels) + lamp)
    assert 40 <= chosen[0] <= 45


@given(st.lists(st.floats(0.001, 3), min_size=1, max_size=40), st.integers(1, 12), st.integers(0, 99))
def test_keyframes_are_distinct_on_any_clock(gaps, keep, seed):
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    pictures = np.random.default_rng(seed).random((len(times), 3, 4))
    chosen = keyframes(times, (0.0, float(times[-1]) + 0.1), keep=keep, thumbnails=pictures)
    assert len(chosen) == min(keep, len(times))
    assert np.all(np.diff(chosen) > 0)


MARKS = {"onset_s": 0.4, "apex_s": 0.6, "offset_s": 1.0}


def test_apex_takes_what_is_annotated():
    times, span = constant(50, 25)
    assert apex(times, span, annotations=MARKS).tolist() == [10, 15, 25]
    assert apex(times, span, annotations={"apex_s": 0.61}).tolist() == [15]
    # Onset and apex on one frame: the frames beside it, none twice.
    assert apex(times, span, annotations={"onset_s": 0.6, "apex_s": 0.6}).tolist() == [14, 15]
    # The onset lies before what is shown.
    assert apex(times[12:], (0.48, 2.0), annotations=MARKS).tolist() == [3, 13]


@pytest.mark.parametrize(("annotations", "said"), [({}, "no apex_s"), ({"apex_s": 2.5}, "apex_s 2.5 is not visible")])
@pytest.mark.parametrize("pick", [apex, dense_window])
def test_no_other_frames_for_a_row_without_an_apex(pick, annotations, said):
    with pytest.raises(UserError, match=said):
        pick(*constant(50, 25), annotations=annotations)


def test_a_dense_window():
    times, span = constant(50, 25)
    # .35 to .85 s holds the frames 9 (.36) to 21 (.84); middles of five parts at .4, .5, .6, .7, .8; .7 is between two.
    assert dense_window(times, span, keep=5, annotations=MARKS).tolist() == [10, 12, 15, 17, 20]
    assert dense_window(times, span, keep=1, annotations=MARKS).tolist() == [15]
    assert dense_window(times, span, keep=99, annotations=MARKS).tolist() == list(range(9, 22))
    assert dense_window(times, span, keep=2, window_s=0.2, around="offset", annotations=MARKS).tolist() == [24, 26]
    # At the end of the clip the window is cut, and one frame is still the nearest.
    assert dense_window(times, span, keep=1, annotations={"apex_s": 1.98}).tolist() == [49]
    assert dense_window(times, span, keep=99, annotations={"apex_s": 1.98}).tolist() == list(range(44, 50))
    # No frame inside: the nearest one.
    sparse = np.array([0.0, 1.0])
    assert dense_window(sparse, (0.0, 2.0), keep=4, annotations={"apex_s": 0.55}).tolist() == [1]


@pytest.mark.parametrize("wrong", [{"around": "middle"}, {"window_s": 0.0}, {"keep": 0}])
def test_a_dense_window_out_of_range(wrong):
    with pytest.raises(UserError, match=r"frames\.(around|window_s|keep): got"):
        dense_window(*constant(50, 25), annotations=MARKS, **wrong)


def test_the_estimated_apex_is_the_largest_difference_to_the_beginning():
    times, span = constant(100, 25)
    levels = np.interp(np.arange(100), [40, 60, 80], [0, 10, 0])
    assert apex_estimate(times, span, thumbnails=steps(levels)).tolist() == [60]
    # A flash of two frames (.08 s), three times as strong where it falls, is smoothed: 30 x 2/5 = 12 > 10; of one: 6.
    spike = levels + np.where(np.arange(100) == 90, 30, 0)
    assert apex_estimate(times, span, thumbnails=steps(spike)).tolist() == [60]
    around = apex_estimate(times, span, keep=99, window_s=0.2, thumbnails=steps(levels))
    assert around.tolist() == list(range(58, 63))  # 2.3 to 2.5 s


def test_the_estimate_starts_from_the_first_second_and_not_from_the_first_frame():
    times, span = constant(100, 25)
    levels = np.zeros(100)
    levels[:3], levels[60:71] = 8, 9  # the clip begins with a blink: to its first frame, calm ones would differ most
    # Equally strong from 62 to 68 after smoothing: the first of them.
    assert apex_estimate(times, span, thumbnails=steps(levels)).tolist() == [62]


def test_every_policy_says_what_it_needs():
    def needs(name):
        found = inspect.signature(getattr(policy, name)).parameters
        return {one for one in ("thumbnails", "key", "annotations") if found[one].default is inspect.Parameter.empty}

    assert needs("uniform") == needs("fps") == set()
    assert needs("segment_random") == {"key"}
    assert needs("keyframes") == needs("apex_estimate") == {"thumbnails"}
    assert needs("apex") == needs("dense_window") == {"annotations"}
