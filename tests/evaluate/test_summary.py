"""The numbers of report.json from made-up predictions: a model told the answer, a constant one, one worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from emovlm import UserError
from emovlm.evaluate import robustness
from emovlm.evaluate.predictions import Predictions
from emovlm.evaluate.summary import summarise, validation_scores

CLASSES = ["happy", "sad", "fear"]


def predictions(targets, answers, *, subjects=None, scorer="likelihood", score="sum", **columns):
    rows = []
    for n, (target, answer) in enumerate(zip(targets, answers, strict=True)):
        rows.append(
            {
                "id": str(n),
                "target": None if target is None else CLASSES[target],
                "subject": subjects[n] if subjects else None,
                "scores": [] if scorer == "generation" else (2.0 * np.eye(3)[answer]).tolist(),
                "parsed": None if scorer == "likelihood" or answer < 0 else CLASSES[answer],
                **{key: values[n] for key, values in columns.items()},
            }
        )
    header = {"classes": CLASSES, "scorer": scorer, "split": "test", "protocol": {"score": score}}
    return Predictions(header, rows)


def test_told_the_answer_and_a_constant():
    targets = [0] * 6 + [1] * 3 + [2]
    told = summarise(predictions(targets, targets), np.array([6, 3, 1]))
    assert [told[name]["value"] for name in ("war", "uar", "macro_f1", "weighted_f1", "tail_recall")] == [1.0] * 5
    constant = summarise(predictions(targets, [0] * 10), np.array([6, 3, 1]))
    assert constant["war"]["value"] == pytest.approx(0.6)
    assert constant["uar"]["value"] == pytest.approx(1 / 3)
    assert constant["collapse"]["never_predicted"] == ["sad", "fear"]
    assert constant["collapse"]["evenness"] == 0
    assert constant["collapse"]["swallowed"] == [{"tail": "fear", "head": "happy", "share": 1.0}]
    assert constant["top2"] == pytest.approx(0.9)  # equal scores rank in class order
    assert constant["groups"] == ["many", "medium", "few"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40))
def test_the_scores_are_those_of_scikit_learn(pairs):
    targets, answers = map(list, zip(*pairs, strict=True))
    found = summarise(predictions(targets, answers), np.array([5, 4, 3]))
    present = sorted(set(targets))
    given_labels = {"labels": present, "zero_division": 0}
    assert found["war"]["value"] == pytest.approx(sklearn.accuracy_score(targets, answers))
    assert found["uar"]["value"] == pytest.approx(
        sklearn.recall_score(targets, answers, average="macro", **given_labels)
    )
    assert found["macro_f1"]["value"] == pytest.approx(
        sklearn.f1_score(targets, answers, average="macro", **given_labels)
    )
    assert found["weighted_f1"]["value"] == pytest.approx(
        sklearn.f1_score(targets, answers, average="weighted", **given_labels)
    )
    assert found["num_classes_present"] == len(present)


def test_intervals_say_what_they_resample():
    targets = [0, 1, 2] * 6
    subjects = [f"p{n // 3}" for n in range(18)]
    answers = [t if n % 5 else (t + 1) % 3 for n, t in enumerate(targets)]
    counts = np.array([6, 6, 6])
    by_subject = summarise(predictions(targets, answers, subjects=subjects), counts)
    assert by_subject["interval"].startswith("95 % bootstrap over subjects, 1000 draws")
    assert by_subject["uar"]["low"] < by_subject["uar"]["value"] < by_subject["uar"]["high"]
    by_clip = summarise(predictions(targets, answers), counts)
    assert "optimistic, since the subjects are not known" in by_clip["interval"]
    few = summarise(predictions(targets, answers, subjects=[f"p{n % 4}" for n in range(18)]), counts)
    assert few["interval"] == "none: a class has clips of fewer than 5 subjects"
    assert few["uar"] == {"value": by_subject["uar"]["value"], "low": None, "high": None}


def test_unreadable_answers_are_wrong_and_counted_and_no_class_gets_them():
    found = summarise(predictions([0, 0, 1, 2], [0, -1, 1, -1], scorer="generation"), np.array([2, 1, 1]))
    assert found["unreadable"] == 2
    assert found["war"]["value"] == 0.5  # over all four: nothing leaves the denominator
    assert found["predicted"] == [1, 1, 0]
    assert "calibration" not in found
    assert "top2" not in found


def test_a_mean_over_tokens_has_no_calibration():
    assert "calibration" in summarise(predictions([0, 1], [0, 1]), np.array([1, 1, 0]))
    assert "calibration" not in summarise(predictions([0, 1], [0, 1], score="mean"), np.array([1, 1, 0]))


def test_calibration_before_and_after_the_temperature():
    targets = [0] * 7 + [1] * 3
    found = summarise(predictions(targets, [0] * 10), np.array([7, 3, 0]), temperature=2.0)["calibration"]
    p = np.exp(2) / (np.exp(2) + 2)
    assert found["nll"] == pytest.approx(-(0.7 * np.log(p) + 0.3 * np.log((1 - p) / 2)))
    assert found["ece"] == pytest.approx(abs(p - 0.7))
    cooler = np.exp(1) / (np.exp(1) + 2)
    assert found["temperature"]["value"] == 2.0
    assert found["temperature"]["ece"] == pytest.approx(abs(cooler - 0.7))


def test_soft_targets():
    votes = [[1.0, 0, 0], [0.5, 0.5, 0]]
    found = summarise(predictions([0, 0], [0, 0], soft_target=votes), np.array([2, 0, 0]))["soft"]
    p = np.exp([2, 0, 0]) / np.exp([2, 0, 0]).sum()
    expected = (-np.log(p[0]) + np.log(0.5) - 0.5 * np.log(p[0]) - 0.5 * np.log(p[1])) / 2
    assert found["kl"] == pytest.approx(expected)


def test_rows_without_a_target_are_left_out_and_counted():
    found = summarise(predictions([0, None, 1], [0, 0, 1]), np.array([1, 1, 1]))
    assert (found["num_clips"], found["num_unlabelled"], found["war"]["value"]) == (2, 1, 1.0)
    with pytest.raises(UserError, match="no labelled row"):
        summarise(predictions([None], [0]), np.array([1, 1, 1]))


def test_validation_scores_know_every_metric_that_can_be_selected():
    from emovlm.train.selection import LARGER_IS_BETTER

    values, counts_CP = validation_scores(predictions([0, 1, 2], [0, 1, 1]), np.array([3, 2, 1]))
    assert set(values) == set(LARGER_IS_BETTER)
    assert counts_CP.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0]]


def test_a_model_that_ignores_the_video_is_said_to():
    blind = [{"blank": "happy", "other_clip": "happy", "reversed": "happy"}] * 3
    assert summarise(predictions([0, 1, 2], [0, 0, 0], look=blind), np.ones(3))["look"]["ignores_video"]
    seeing = [{"blank": "happy", "other_clip": name, "reversed": "fear"} for name in ("sad", "fear", "happy")]
    look = summarise(predictions([0, 1, 2], [0, 1, 2], look=seeing), np.ones(3))["look"]
    assert not look["ignores_video"]
    assert look["altered"]["other_clip"] == {"war": 0.0, "uar": 0.0, "uar_change": -1.0, "same_answer": 0.0}
    assert look["altered"]["blank"]["same_answer"] == pytest.approx(1 / 3)


def test_flips_over_orders():
    orders = [["happy", "happy"], ["sad", "fear"], ["fear", "fear"]]
    found = summarise(predictions([0, 1, 2], [0, 1, 2], orders=orders), np.ones(3))["orders"]
    assert found == {"num_orders": 3, "flip_rate": pytest.approx(1 / 3)}


def test_text_against_scores():
    written = predictions([0, 1, 2, 0], [0, 1, -1, 1], scorer="generation")
    scored = predictions([0, 1, 2, 0], [0, 1, 2, 0])
    assert robustness.agreement(written, scored) == {
        "num_clips": 4,
        "readable": 3,
        "share": 0.5,
        "share_of_readable": pytest.approx(2 / 3),
    }


def test_groups_by_given_cuts():
    targets = [0] * 4 + [1] * 3 + [2]
    found = predictions(targets, [0, 0, 0, 1, 1, 1, 0, 2])
    assert summarise(found, np.array([500, 60, 5]))["groups"] == ["many", "medium", "few"]
    found.header["protocol"]["cuts"] = [50, 10]
    summary = summarise(found, np.array([500, 60, 5]))
    assert summary["groups"] == ["many", "many", "few"]
    assert summary["many"]["value"] == pytest.approx((3 / 4 + 2 / 3) / 2)
    assert summary["few"]["value"] == 1
    assert summary["medium"] is None
