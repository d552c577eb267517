"""Answers matched by id, differences between arms and means over seeds, on cases worked by hand."""

from pathlib import Path

import numpy as np
import pytest

from emovlm import UserError
from emovlm.evaluate.predictions import Predictions
from emovlm.metrics import recognition, uncertainty
from emovlm.report.answers import Answers, Difference, basis, difference, match, seed_mean_interval

CLASSES = ["happy", "sad"]


def run(answers, targets, *, ids=None, subjects=None, classes=CLASSES):
    ids = ids or [f"{n:03d}" for n in range(len(targets))]
    rows = [
        {
            "id": row_id,
            "target": None if target is None else classes[target],
            "subject": None if subjects is None else subjects[n],
            "scores": np.eye(2)[answer].tolist(),
        }
        for n, (row_id, target, answer) in enumerate(zip(ids, targets, answers, strict=True))
    ]
    return Path("p.jsonl"), Predictions({"classes": classes, "scorer": "likelihood", "protocol": {}}, rows)


def answers_of(targets, subjects, **by_arm):
    return Answers(CLASSES, np.array(targets), {name: np.atleast_2d(rows) for name, rows in by_arm.items()}, subjects)


def test_clips_are_matched_by_id_and_unlabelled_ones_left_out():
    first = run([0, 1, 1], [0, 1, None], subjects=["a", "b", "c"])
    second = run([1, 1, 0], [1, None, 0], ids=["001", "002", "000"], subjects=["b", "c", "a"])
    found = match({"first": [first], "second": [second]})
    assert found.targets_N.tolist() == [0, 1]
    assert found.by_arm["second"].tolist() == [[0, 1]]
    assert found.subjects_N == ["a", "b"]
    assert match({"one": [run([0], [0])]}).subjects_N is None
    with pytest.raises(
        UserError, match=r"p\.jsonl: other clips, labels or classes than p\.jsonl \(1 clips against 2\)"
    ):
        match({"first": [first], "second": [run([0], [0])]})
    with pytest.raises(UserError, match="other clips, labels or classes"):
        match({"first": [first], "second": [run([0, 1, 1], [1, 1, None])]})


def test_equal_answers_differ_by_nothing():
    same = answers_of([0, 1] * 12, [f"s{n // 2}" for n in range(24)], a=[0, 1, 1, 1] * 6, b=[0, 1, 1, 1] * 6)
    found = difference(same, "a", "b", recognition.uar)
    assert found == Difference(0.0, 0.0, 0.0, 1.0)


def test_many_clips_of_one_person_are_one_person():
    """12 subjects of 20 clips each. The first arm has all clips of 8 subjects right, the second those of the others.

    By clip that is 160 against 80 of 240; by subject 8 against 4, as likely by chance as 8 heads of 12 or more (and
    8 tails): 2 x (495 + 220 + 66 + 12 + 1) / 4096 = .388.
    """
    subjects = [f"s{n // 20:02d}" for n in range(240)]
    targets = np.arange(240) % 2
    wins = np.arange(240) // 20 < 8
    arms = {"first": np.where(wins, targets, 1 - targets), "second": np.where(wins, 1 - targets, targets)}
    by_subject = difference(answers_of(targets, subjects, **arms), "first", "second", recognition.war)
    by_clip = difference(answers_of(targets, None, **arms), "first", "second", recognition.war)
    assert by_subject.value == by_clip.value == pytest.approx(1 / 3)
    assert by_subject.p == pytest.approx(0.388, abs=0.05)
    assert by_clip.p == pytest.approx(0.001, abs=0.0005)
    # The share s of won subjects spreads by sqrt(1/3 x 2/3 / 12) = .136, and the difference is 2 s - 1.
    assert by_subject.high - by_subject.low == pytest.approx(4 * 0.136 * 1.96, rel=0.12)
    assert by_clip.high - by_clip.low < 0.4 * (by_subject.high - by_subject.low)


def test_too_few_subjects_give_no_interval_but_a_p_by_subject():
    subjects = [f"s{n % 4}" for n in range(40)]
    targets = np.repeat([0, 1], 20)
    found = answers_of(targets, subjects, first=targets, second=1 - targets)
    one = difference(found, "first", "second", recognition.uar)
    assert one.value == 1
    assert np.isnan([one.low, one.high]).all()
    # All 4 or none of them swapped: 2 of 16 ways are as large.
    assert one.p == pytest.approx(0.125, abs=0.03)
    assert basis(found, "first", "second").startswith("No interval: a class has clips of fewer than 5 subjects.")
    assert np.isnan(seed_mean_interval(found, "first", lambda counts: recognition.recall_C(counts))).all()


def test_arms_with_different_numbers_of_seeds_have_an_interval_and_no_p():
    targets = np.arange(60) % 2
    subjects = [f"s{n // 6}" for n in range(60)]
    random = np.random.default_rng(0)
    three = np.where(random.random((3, 60)) < 0.7, targets, 1 - targets)
    found = answers_of(targets, subjects, trained=three, zero_shot=1 - three[0])
    one = difference(found, "trained", "zero_shot", recognition.war)
    assert one.p is None
    assert one.low < one.value < one.high
    words = basis(found, "trained", "zero_shot")
    assert "subjects and seeds resampled" in words
    assert "No p: there is nothing to swap between arms with different numbers of seeds." in words


def test_a_score_that_is_not_defined_has_no_difference():
    def undefined(counts):
        return np.full(counts.shape[:-2], np.nan)

    found = answers_of([0, 1], None, a=[0, 1], b=[0, 1])
    one = difference(found, "a", "b", undefined)
    assert np.isnan([one.value, one.low, one.high]).all()
    assert one.p is None


@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        (
            None,
            "Interval: 95 %, clips resampled (1000 draws). p: the answers swapped by clip (1000 draws). Optimistic:",
        ),
        (
            [f"s{n // 2}" for n in range(20)],
            "Interval: 95 %, subjects resampled (1000 draws). p: the answers swapped by",
        ),
    ],
)
def test_the_words_say_what_was_resampled(subjects, expected):
    found = answers_of([0, 1] * 10, subjects, a=[0, 1] * 10, b=[0, 0] * 10)
    assert basis(found, "a", "b").startswith(expected)
    assert ("Optimistic" in basis(found, "a", "b")) == (found.unit == uncertainty.BY_CLIP)


def test_the_interval_of_a_mean_over_seeds_has_the_spread_of_both():
    """400 clips by clip, half of them right, always another half: WAR .5 with a standard deviation of .025 by clip."""
    targets = np.zeros(400, dtype=int)
    one = np.repeat([0, 1], 200)
    alone = answers_of(targets, None, a=one)
    low_K, high_K = seed_mean_interval(alone, "a", lambda counts: recognition.war(counts)[..., None])
    assert high_K[0] - low_K[0] == pytest.approx(2 * 1.96 * 0.025, rel=0.1)
    # Two seeds that differ by 1 on every clip: a draw has (right, right), (wrong, wrong) or one of each.
    apart = answers_of(targets, None, a=np.array([targets, targets + 1]))
    low_K, high_K = seed_mean_interval(apart, "a", lambda counts: recognition.war(counts)[..., None])
    assert (low_K[0], high_K[0]) == (0, 1)
