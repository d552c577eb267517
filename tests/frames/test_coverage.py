"""What a choice can miss, by hand and by brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovlm.frames import coverage
from emovlm.frames.coverage import Event, Looked, event_of, hit_probability, num_hits, summary
from emovlm.frames.policy import fps, uniform


def middles(count, seconds):
    return (np.arange(count) + 0.5) * seconds / count


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (middles(4, 2.8), 0.39),  # 4 x .25 of 2.55
        (
            np.linspace(0, 2.8, 4),
            0.20,
        ),  # both end points see nothing more than their neighbours' share: 2 x .25 of 2.55
    ],
)
def test_four_frames_of_a_short_clip(times, expected):
    assert hit_probability(times, (0.0, 2.8), 0.25) == pytest.approx(expected, abs=0.005)
    # A span that begins late is the same clip.
    assert hit_probability(times + 7, (7.0, 9.8), 0.25) == pytest.approx(expected, abs=0.005)


def test_the_limits_of_a_long_clip():
    def long(rate, duration, **more):
        seconds = 2000.0
        return hit_probability(middles(round(seconds * rate), seconds), (0.0, seconds), duration, **more)

    assert long(2, 0.25) == pytest.approx(0.5, abs=1e-3)
    assert long(5, 0.25) == pytest.approx(1, abs=1e-3)
    assert long(4, 0.25) == pytest.approx(1, abs=1e-3)
    assert long(3, 0.25) == pytest.approx(0.75, abs=1e-3)
    assert long(4 / 2.8, 0.25) == pytest.approx(0.36, abs=5e-3)
    # Two frames inside an event of a quarter second need 8 fps.
    assert long(8, 0.25, at_least=2) == pytest.approx(1, abs=1e-3)
    assert long(7, 0.25, at_least=2) == pytest.approx(0.75, abs=1e-3)
    assert long(4, 0.25, at_least=2) == pytest.approx(0, abs=1e-3)


def test_pairs_by_hand():
    # Frames at 1, 2 | 3, 4 of a clip of 6 s, an event of 1.5 s starts in [0, 4.5].
    times, span = np.array([1.0, 2.0, 3.0, 4.0]), (0.0, 6.0)
    # Frame 1 sees starts in [0, 1], 2 in [.5, 2], 3 in [1.5, 3], 4 in [2.5, 4].
    assert hit_probability(times, span, 1.5) == pytest.approx(4 / 4.5)
    assert hit_probability(times, span, 1.5, at_least=2) == pytest.approx((0.5 + 0.5 + 0.5) / 4.5)
    # A whole pair: [.5, 1] and [2.5, 3]. Two pairs with a frame each: [1.5, 2].
    assert hit_probability(times, span, 1.5, merged=2, whole=True) == pytest.approx(1 / 4.5)
    assert hit_probability(times, span, 1.5, merged=2, at_least=2) == pytest.approx(0.5 / 4.5)
    # An odd frame is a pair of its own (it is repeated).
    assert hit_probability(times[:3], span, 1.5, merged=2, whole=True) == pytest.approx((0.5 + 1.5) / 4.5)
    found = coverage.probabilities(times, span, 1.5)
    assert list(found.values()) == pytest.approx([4 / 4.5, 1.5 / 4.5, 1 / 4.5, 0.5 / 4.5])


def test_an_event_as_long_as_the_clip_is_always_there():
    assert hit_probability(np.array([0.1]), (0.0, 0.5), 0.5) == 1
    assert hit_probability(np.array([0.1]), (0.0, 0.5), 1.0) == 1
    assert hit_probability(np.array([0.1]), (0.0, 0.5), 1.0, at_least=2) == 0


@given(
    st.lists(st.floats(0, 5), min_size=1, max_size=12, unique=True),
    st.floats(0.01, 4.9),
    st.integers(1, 3),
    st.integers(1, 3),
    st.booleans(),
)
def test_against_brute_force(times, duration, at_least, merged, whole):
    times = np.sort(times)
    starts = (np.arange(20_000) + 0.5) / 20_000 * (5 - duration)
    sees = (times >= starts[:, None]) & (times <= starts[:, None] + duration)
    groups = [sees[:, first : first + merged] for first in range(0, len(times), merged)]
    hits = sum(group.all(axis=1) if whole else group.any(axis=1) for group in groups)
    expected = np.mean(hits >= at_least)
    more = {"at_least": at_least, "merged": merged, "whole": whole}
    assert hit_probability(times, (0.0, 5.0), duration, **more) == pytest.approx(expected, abs=len(times) * 3e-4)


def test_a_dfew_clip_at_qwens_rate():
    times, span = np.arange(70) / 25, (0.0, 2.8)
    assert 4 <= len(fps(times, span, rate=2)) <= 6


def test_what_counts_as_the_event():
    row = {"onset_s": 1.0, "apex_s": 1.2, "offset_s": 1.6}
    assert event_of(row) == Event(1.0, 1.6, "onset to offset")
    assert event_of(row | {"half_onset_s": 1.1, "half_offset_s": 1.4}) == Event(1.1, 1.4, "half amplitude")
    assert event_of(row | {"half_onset_s": None, "half_offset_s": None}) == Event(1.0, 1.6, "onset to offset")
    assert event_of({"onset_s": 1.0, "apex_s": 1.2}) is None
    assert event_of({"onset_s": None, "offset_s": None}) is None


def test_a_frame_at_the_onset_shows_nothing():
    event = Event(1.0, 1.5, "onset to offset")
    assert num_hits([0.5, 1.0, 1.5, 2.0], event) == 0
    assert num_hits([1.0, 1.001, 1.2, 1.5], event) == 2


def looked(number, times, **more):
    facts = {"span_s": (0.0, 2.0), "num_visible": 50} | more
    return Looked(id=str(number), times_s_T=np.array(times, float), **facts)


def test_a_summary_by_hand():
    event = Event(0.9, 1.1, "onset to offset")
    found = summary(
        [
            looked(1, [0.5, 1.5], event=event, apex_s=1.0, capped=True, no_face=True),
            looked(2, [0.5, 1.0, 1.5], event=event, apex_s=0.9, capped=False, no_face=False),
            looked(3, [0.0, 0.1, 0.2], num_visible=3, span_s=(0.0, 0.3)),
            looked(4, [0.0, 1.0, 2.0, 3.0], num_visible=4, timed=False, span_s=(0.0, 4.0)),
        ],
        merged=2,
    )
    assert (found["clips"], found["clips_with_a_clock"]) == (4, 3)
    assert found["frames_per_clip"] == {"mean": 3, "least": 2, "median": 3, "most": 4}
    assert found["steps_per_clip"]["mean"] == pytest.approx((1 + 2 + 2 + 2) / 4)
    assert found["frames_per_second"]["mean"] == pytest.approx((1 + 1.5 + 10) / 3)
    assert found["clips_given_whole"] == 0.5
    assert found["cap_bites"] == 0.5
    assert found["clips_without_a_face"] == ["1"]
    # .25 s: 2 x .25 of 1.75, 3 x .25 of 1.75, and in .3 s every start in [0, .05] is seen by 0, .1 or .2.
    assert found["probability"]["0.25"]["one frame"] == pytest.approx((0.5 / 1.75 + 0.75 / 1.75 + 1) / 3)
    assert found["events"]["clips"] == 2
    assert found["events"]["counted_by"] == {"onset to offset": 2}
    assert (found["events"]["hit"], found["events"]["hit_twice"]) == (0.5, 0)
    assert found["events"]["missed"] == ["1"]
    assert found["events"]["hit_expected"] == pytest.approx((2 * 0.2 / 1.8 + 3 * 0.2 / 1.8) / 2)
    assert found["apex"]["error_s"]["mean"] == pytest.approx((0.5 + 0.1) / 2)


def test_nothing_is_said_where_there_is_nothing_to_say():
    found = summary([looked(1, [0.0, 1.0], timed=False)])
    assert found["events"] is found["apex"] is found["cap_bites"] is found["clips_without_a_face"] is None
    assert found["frames_per_second"] is None
    assert set(found["probability"].values()) == {None}


def test_the_true_hit_rate_of_events_at_random_is_the_probability():
    """Events thrown at random into clips: the share that is hit is what the formula says, within four deviations."""
    rng = np.random.default_rng(0)
    times, span = np.arange(70) / 25, (0.0, 2.8)
    chosen = times[uniform(times, span, keep=4)]
    starts = rng.uniform(0, 2.55, 4000)
    clips = [looked(0, chosen, span_s=span, event=Event(start, start + 0.25, "x")) for start in starts]
    found = summary(clips)["events"]
    assert abs(found["hit"] - found["hit_expected"]) < 4 * np.sqrt(0.39 * 0.61 / 4000)
