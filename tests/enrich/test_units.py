"""Levels of action units -> words, by hand; and annotated units through the same words."""

import numpy as np
import pytest

from emovlm import UserError
from emovlm.enrich import sources, units
from emovlm.enrich.sight import Frames, Seen
from emovlm.enrich.units import told
from emovlm.prompts.arrangement import WHOLE

TIMES = np.array([0.3, 0.4, 0.5])


def say(levels, before=None, after=None, times=TIMES, max_words=None):
    return told({unit: np.array(found) for unit, found in levels.items()}, times, before, after, max_words)


@pytest.mark.parametrize(
    ("level", "before", "after", "words"),
    [
        ([0.1, 0.6, 0.2], {12: 0.0}, {12: 0.1}, "lip corners pull up, peak 0.4 s"),
        ([0.2, 0.4, 0.6], {12: 0.0}, {12: 0.7}, "lip corners pull up"),
        ([0.6, 0.6, 0.6], {12: 0.6}, {12: 0.6}, "lip corners pull up, held"),
        ([0.6, 0.4, 0.2], {12: 0.7}, {12: 0.0}, "lip corners pull up, fading"),
        ([0.2, 0.4, 0.6], None, {12: 0.7}, "lip corners pull up"),
        ([-0.6, -0.5, -0.5], {12: 0.0}, {12: -0.6}, "lip corners relax"),
        ([-0.6, -0.6, -0.6], {12: -0.6}, {12: -0.6}, "lip corners relax, held"),
        ([0.14, 0.1, 0.0], {12: 0.0}, {12: 0.0}, "no change"),
    ],
)
def test_how_a_unit_moves(level, before, after, words):
    assert say({12: level}, before, after) == words


def test_the_strongest_come_first_and_whole_phrases_are_left_out():
    levels = {4: [0.2] * 3, 12: [0.8] * 3, 25: [0.5] * 3}
    assert say(levels) == "lip corners pull up; lips part; brows lower"
    assert say(levels, max_words=6) == "lip corners pull up; lips part"
    assert say(levels, max_words=1) == "lip corners pull up", "something is always told"


def test_inner_and_outer_brows_that_do_the_same_are_the_brows():
    low = {1: 0.0, 2: 0.0, 26: 0.0}
    assert (
        say({1: [0, 0.5, 0], 2: [0, 0.4, 0], 26: [0, 0, 0.3]}, low, low)
        == "brows rise, peak 0.4 s; jaw drops, peak 0.5 s"
    )
    assert (
        say({1: [0, 0.5, 0], 2: [0, 0, 0.4]}, low, low) == "inner brows rise, peak 0.4 s; outer brows rise, peak 0.5 s"
    )
    assert say({1: [0.5] * 3}) == "inner brows rise"


def test_pictures_have_no_seconds():
    assert say({12: [0, 0.6, 0]}, {12: 0.0}, {12: 0.0}, times=None) == "lip corners pull up, peak"


def test_blendshapes_become_units_by_the_mean_of_both_sides():
    found = units.of_blendshapes({"mouthSmileLeft": 0.6, "mouthSmileRight": 0.4, "jawOpen": 0.3, "browInnerUp": 0.1})
    assert found == pytest.approx({12: 0.5, 26: 0.3, 1: 0.1})
    assert set(units.ARKIT.values()) <= set(units.WORDS)


def test_no_word_for_a_unit_is_an_emotion_or_a_half_of_one():
    from emovlm.data.synonyms import SYNONYMS

    said = {word for phrase in units.WORDS.values() for part in phrase for word in part.split()}
    emotions = {word for words in SYNONYMS.values() for word in words}
    assert not said & (emotions - {"relaxed"}) - {"down"}
    assert not said & {"smile", "frown", "grin", "scowl", "sneer", "pout"}


def row(**changes):
    return {"id": "a", "action_units": ["AU12=0.8", "AU6"], "onset_s": 1.0, "apex_s": 1.2, "offset_s": 1.4} | changes


def seen(own=(0.0, 1.0, 2.0), between=((0.5,), (1.1, 1.2, 1.3)), timed=True):
    def frames(times_s):
        return Frames(np.array(times_s), tuple("" for _ in times_s))

    gaps = {gap: frames(times_s) for gap, times_s in enumerate(between)}
    return lambda: Seen(timed, frames(own), gaps, frames(own[:1]))


def test_true_units_tell_the_gap_in_which_the_event_is():
    told_by_gap = sources.true_units(row(), seen())
    assert told_by_gap == {0: ["no change"], 1: ["cheeks rise, peak 1.2 s; lip corners pull up, peak 1.2 s"]}
    assert sources.true_units(row(action_units=None), seen()) == {0: ["no change"], 1: ["no change"]}
    assert sources.true_units(row(action_units=["AU63"]), seen()) == {0: ["no change"], 1: ["no change"]}
    # At 1.1 s, half way up: .4 and .5; the chosen frame at 1.1 s after it has the same.
    rising = sources.true_units(row(), seen(own=(0.0, 1.1), between=((1.1,),)))
    assert rising == {0: ["cheeks rise; lip corners pull up"]}


def test_true_units_need_times_and_a_clock():
    with pytest.raises(UserError, match="row a: true_units needs onset_s, apex_s and offset_s"):
        sources.true_units(row(apex_s=None), seen())
    with pytest.raises(UserError, match="no clock"):
        sources.true_units(row(), seen(timed=False))
    with pytest.raises(UserError, match="'smile' cannot be read"):
        sources.true_units(row(action_units=["smile"]), seen())


def test_texts_of_a_file_by_id_and_gap(tmp_path):
    path = tmp_path / "texts.json"
    path.write_text('{"a": {"0": "one", "1": ["two", "three"], "whole": "all"}, "b": {"0": 3}, "c": {"x": "one"}}')

    def texts(name):
        return sources.file({"id": name}, seen(), path=str(path))

    assert texts("a") == {0: ["one"], 1: ["two", "three"], WHOLE: ["all"]}
    with pytest.raises(UserError, match=r"texts\.json: 'b'"):
        texts("b")
    with pytest.raises(UserError, match="gap number"):
        texts("c")
    with pytest.raises(UserError, match="no texts for the id 'd'"):
        texts("d")
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(UserError, match=r"broken\.json"):
        sources.file({"id": "a"}, seen(), path=str(broken))
