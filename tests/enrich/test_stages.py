"""What each stage is given, what becomes of its texts, and when its key changes: if something counts, and only then."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from emovlm.enrich.stages import Stage, limited, plan
from emovlm.enrich.strip import Failure
from emovlm.prompts.arrangement import WHOLE

from .counting import LOAD, Counting, recipe_of, seen_of


def stage(kind="gap", word="grey", max_words=15, version=1):
    describer = Counting(kind, "", word, 0, "", 1)
    describer.version = version
    return Stage(kind, LOAD, describer, max_words)


TOLD = {0: ["one", "two"], 1: ["three", "four"]}


def test_a_text_a_frame_or_a_gap():
    seen = seen_of()
    strips = stage("frame").strips(seen, {})
    assert {gap: [strip.times_s_T.tolist() for strip in found] for gap, found in strips.items()} == {
        0: [[0.1], [0.2]],
        1: [[1.1], [1.2]],
    }
    (whole,) = stage("gap").strips(seen, {})[1]
    assert whole.times_s_T.tolist() == [1.1, 1.2]
    assert whole.frames_THWC[:, 0, 0, 0].tolist() == [110, 120]
    (before, before_s), (after, after_s) = whole.before, whole.after
    assert (before[0, 0, 0], before_s, after[0, 0, 0], after_s) == (100, 1.0, 200, 2.0)
    assert whole.reference_RHWC[:, 0, 0, 0].tolist() == [0]
    assert whole.notes == ()


def test_a_summary_sees_the_texts_and_both_keyframes():
    (strip,) = stage("summary").strips(seen_of(), TOLD)[0]
    assert strip.frames_THWC[:, 0, 0, 0].tolist() == [0, 100]
    assert strip.notes == ((0.1, "one"), (0.2, "two"))
    (strip,) = stage("summary").strips(seen_of(), {1: ["all of it"]})[1]
    assert strip.notes == ((pytest.approx(1.15), "all of it"),)


def test_a_trajectory_sees_all_keyframes_and_all_texts():
    ((gap, (strip,)),) = stage("trajectory").strips(seen_of(), TOLD).items()
    assert gap == WHOLE
    assert strip.frames_THWC[:, 0, 0, 0].tolist() == [0, 100, 200]
    assert [text for _, text in strip.notes] == ["one", "two", "three", "four"]
    assert stage("trajectory").strips(seen_of(), {}) == {}


def test_texts_are_one_line_without_marks_and_within_the_limit():
    assert limited("  brows\n rise <|im_end|> ", 15) == "brows rise"
    assert limited("one, two, three, four", 3) == "one, two, three"
    assert limited("look <image> up [INST] now <|vision_start|>", None) == "look up now"
    assert limited("a < b and c > d", None) == "a < b and c > d"
    assert limited("<think>\nit may be a smile\n</think> lips part", None) == "lips part"


def test_no_text_is_a_failure_and_never_an_empty_text():
    assert stage().settled({0: ["lips part"], 1: ["brows rise now"]}) == {0: ["lips part"], 1: ["brows rise now"]}
    failed = stage().settled({0: ["lips part"], 1: ["<|im_end|> "]})
    assert failed == Failure("gap, gap 1: no text came (but '<|im_end|> ')")
    assert stage().settled({0: [Failure("too dark")]}) == Failure("gap, gap 0: too dark")
    assert stage().settled({}) == {}, "a clip without a gap has nothing to tell"


def changed(seen, **changes):
    """The same sight with other pixels or times in one place."""
    part = changes.pop("part")
    found = seen.between[1] if part == "between" else getattr(seen, part)
    new = replace(found, **changes)
    return replace(seen, **({"between": seen.between | {1: new}} if part == "between" else {part: new}))


def test_the_key_changes_with_all_that_counts():
    seen = seen_of()
    keys = [
        stage().key(seen, {}),
        stage("frame").key(seen, {}),
        stage(word="blue").key(seen, {}),
        stage(version=2).key(seen, {}),
        stage(max_words=14).key(seen, {}),
        stage("summary").key(seen, TOLD),
        stage("summary").key(seen, TOLD | {1: ["three", "five"]}),
        stage().key(seen_of(value=1), {}),
        stage().key(seen_of(frames_per_gap=3), {}),
        stage().key(seen_of(timed=False), {}),
        Stage("gap", "mine:load", stage().describer, 15).key(seen, {}),
    ]
    for part in ("own", "between", "reference"):
        frames = seen.between[1] if part == "between" else getattr(seen, part)
        keys.append(stage().key(changed(seen, part=part, digests_T=("x", *frames.digests_T[1:])), {}))
        keys.append(stage().key(changed(seen, part=part, times_s_T=frames.times_s_T + 0.01), {}))
    keys.append(stage().key(replace(seen, between={0: seen.between[0], 2: seen.between[1]}), {}))
    assert len(set(keys)) == len(keys)


def test_the_key_changes_at_no_other_time():
    seen = seen_of()
    other = Counting("gap", "another/log.txt", "grey", 3.0, "nothing", 99)
    assert Stage("gap", LOAD, other, 15).key(copy.deepcopy(seen), {}) == stage().key(seen, {})
    without_pixels = replace(seen, own=replace(seen.own, pixels_THWC=None))
    assert stage().key(without_pixels, {}) == stage().key(seen, {})
    assert stage().key(type(seen)(True, seen.own, dict(seen.between), seen.reference), {}) == stage().key(seen, {})


def test_the_plan_has_the_stages_of_the_recipe(tmp_path):
    log = str(tmp_path / "log")
    more = {"describer": LOAD, "log": log, "word": "sum", "max_words": 7}
    stages = plan(recipe_of(tmp_path, per="frame", summary=more, trajectory=more | {"word": "all"}))
    assert [(found.kind, found.max_words, found.describer.word) for found in stages] == [
        ("frame", 15, "grey"),
        ("summary", 7, "sum"),
        ("trajectory", 7, "all"),
    ]
    assert [found.describer.stage for found in stages] == ["frame", "summary", "trajectory"]


def test_a_describer_that_is_told_no_model_takes_the_one_to_be_trained(tmp_path):
    (only,) = plan(recipe_of(tmp_path, describer="openai"))
    assert only.describer.identity["model"] == "demo"
    (only,) = plan(recipe_of(tmp_path, describer="openai", model="other"))
    assert only.describer.identity["model"] == "other"
    assert np.isfinite(only.describer.at_once)
