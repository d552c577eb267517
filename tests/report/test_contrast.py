"""The paired bootstrap, on cases worked by hand."""

from pathlib import Path

import numpy as np
import pytest

from emovlm import UserError
from emovlm.report.contrast import answer, contrast, recall_intervals, resample, seed_mean_intervals
from emovlm.report.folders import load

from . import folders_made_up as made_up

KEY = "test-likelihood"
TAIL = np.array([False, True])


def test_equal_answers_differ_by_nothing_in_every_draw() -> None:
    targets = np.array([0, 0, 1, 1])
    draws = resample(targets, np.array([[0, 1, 1, 0], [0, 1, 1, 0]]), TAIL, num_draws=50)
    for values_DR in draws.values():
        np.testing.assert_array_equal(values_DR[:, 0], values_DR[:, 1])


def test_always_right_and_always_unreadable() -> None:
    targets = np.array([0, 0, 0, 1, 1, 1])
    draws = resample(targets, np.array([targets, np.full(6, -1)]), TAIL, num_draws=50)
    for metric in ("war", "uar", "macro_f1"):
        assert set(draws[metric][:, 0]) == {1.0}
        assert set(draws[metric][:, 1]) == {0.0}


def test_the_spread_is_that_of_a_proportion() -> None:
    # 400 clips, half of them right: the WAR of a draw has a standard deviation of sqrt(.25 / 400) = .025.
    targets = np.zeros(400, dtype=int)
    answers = np.repeat([0, 1], 200)
    values = resample(targets, answers[None], np.array([True, False]), num_draws=4000)["war"][:, 0]
    assert values.mean() == pytest.approx(0.5, abs=0.003)
    assert values.std() == pytest.approx(0.025, rel=0.06)


def test_pairing_takes_out_what_both_share() -> None:
    # Both arms answer every clip alike but for two: the difference can hardly vary, though each score does.
    targets = np.zeros(100, dtype=int)
    first = np.repeat([0, 1], 50)
    second = first.copy()
    first[60:62] = 0
    values = resample(targets, np.stack([first, second]), np.array([True, False]), num_draws=2000)["war"]
    assert (values[:, 0] - values[:, 1]).std() < 0.3 * values[:, 0].std()


def test_the_best_score_wins_and_text_counts_only_without_scores() -> None:
    index = {"happy": 0, "fear": 1}
    assert answer((-2.0, -1.0), "happy", index) == 1
    assert answer((), "happy", index) == 0
    assert answer((), "no such class", index) == -1
    assert answer((), None, index) == -1


def test_the_intervals_of_a_study_enclose_their_values(tmp_path: Path) -> None:
    study = load(made_up.study(tmp_path, seeds=(0, 1), arms=("natural", "class_balanced")))
    named = contrast(study, KEY)
    assert named is not None
    assert named.num_clips == 280
    for score in named.differences.values():
        assert score.low < score.value < score.high
    arm = study.arm("natural")
    for metric, (low, high) in seed_mean_intervals(arm, KEY).items():
        values = [run.evaluations[KEY].scores[metric].value for run in arm.runs]
        assert low < sum(values) / 2 < high
    for c, score in enumerate(recall_intervals(arm, KEY)):
        assert score is not None
        single = [run.evaluations[KEY].recall_C[c] for run in arm.runs]
        assert score.value == pytest.approx(sum(one.value for one in single if one is not None) / 2)
        assert score.low <= score.value <= score.high


def test_arms_are_matched_by_id_not_by_line(tmp_path: Path) -> None:
    folder = made_up.study(tmp_path, arms=("natural", "class_balanced"), per_class=5)
    before = contrast(load(folder), KEY)
    path = folder / "natural/seed0/eval" / KEY / "predictions.jsonl"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *reversed(rows)]) + "\n")
    assert contrast(load(folder), KEY) == before
    path.write_text("\n".join([header, *rows[1:]]) + "\n")
    with pytest.raises(UserError, match=r"predictions\.jsonl: other clips or labels .* \(34 against 35\)"):
        contrast(load(folder), KEY)
