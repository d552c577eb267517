"""Folds together, by hand."""

import numpy as np
import pytest

from emovlm import UserError
from emovlm.data.folds import ids_hash
from emovlm.evaluate.pooling import MEAN, POOLED, over_folds, pool
from emovlm.evaluate.predictions import Predictions
from emovlm.metrics import recognition


def fold(number, targets, predicted, subjects=None, **header):
    """A row for each letter of `targets`; classes a and b."""
    rows = [
        {
            "id": f"{number}-{place}",
            "target": None if target == "?" else target,
            "subject": None if subjects is None else subjects[place],
            "scores": [float(answer == name) for name in "ab"],
        }
        for place, (target, answer) in enumerate(zip(targets, predicted, strict=True))
    ]
    protocol = {"fold": number, "num_rows": len(rows), "ids_hash": str(number), "question": "?"}
    base = {"classes": ["a", "b"], "scorer": "likelihood", "split": "test", "prior": None, "recipe_hash": f"h{number}"}
    return Predictions({**base, **header, "protocol": protocol | header.get("protocol", {})}, rows)


def uar(part):
    known = part.targets_N() >= 0
    return float(recognition.uar(recognition.confusion(part.targets_N()[known], part.predicted_N()[known], 2)))


def test_pooled_and_mean_differ_and_are_named():
    # Fold 1: recall of a 1/1, of b 0/3. Fold 2: of a 1/3, of b 1/1. Pooled: a 2/4, b 1/4.
    parts = [fold(1, "abbb", "aaaa"), fold(2, "aaab", "abbb")]
    assert over_folds(parts, uar) == {POOLED: pytest.approx(3 / 8), MEAN: pytest.approx((1 / 2 + 2 / 3) / 2)}


def test_the_pool_has_every_row_once_and_says_of_which_folds():
    parts = [
        fold(2, "ab", "aa", prior={"kind": "batch", "tau": 1}),
        fold(1, "b", "b", prior={"kind": "batch", "tau": 2}),
    ]
    pooled = pool(parts)
    assert [row["id"] for row in pooled.rows] == ["2-0", "2-1", "1-0"]
    assert pooled.header["protocol"] == {
        "fold": [2, 1],
        "num_rows": 3,
        "ids_hash": ids_hash(["1-0", "2-0", "2-1"]),
        "question": "?",
    }
    assert pooled.header["recipe_hash"] == ["h2", "h1"]
    assert [prior["tau"] for prior in pooled.header["prior"]] == [1, 2]
    assert np.array_equal(pooled.targets_N(), [0, 1, 1])
    assert parts[0].header["protocol"]["num_rows"] == 2, "the parts are left as they are"


def test_of_one_subject_a_fold_or_of_a_fold_without_a_class_only_the_pooled_score_is_given():
    alone = [fold(1, "ab", "ab", subjects="ss"), fold(2, "ab", "ab", subjects="tt")]
    assert over_folds(alone, uar) == {POOLED: 1.0}
    lacking = [fold(1, "ab", "ab"), fold(2, "aa", "ab")]
    assert over_folds(lacking, uar) == {POOLED: pytest.approx((2 / 3 + 1) / 2)}
    unlabelled = [fold(1, "ab?", "aba", subjects="stu"), fold(2, "ab", "ab", subjects="vw")]
    assert MEAN in over_folds(unlabelled, uar)
    assert MEAN in over_folds([fold(1, "ab", "ab"), fold(2, "ab", "ab")], uar), "subjects not known"


def test_a_clip_in_two_folds_is_refused():
    with pytest.raises(UserError, match=r"id '1-0' is in the test of two folds \(fold 1 and fold 3\)"):
        pool([fold(1, "a", "a"), fold(2, "a", "a"), Predictions(fold(3, "", "").header, fold(1, "a", "a").rows)])


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ({"classes": ["b", "a"]}, "fold 2 was scored otherwise than fold 1: classes ['b', 'a'], not ['a', 'b']"),
        ({"protocol": {"question": "!"}}, "question '!', not '?'; score all folds alike"),
        ({"protocol": {"look": True}}, "look True, not None"),
        ({"prior": {"kind": "blank"}}, "prior 'blank', not None"),
        ({"split": "validation"}, "split 'validation', not 'test'"),
    ],
)
def test_folds_scored_otherwise_are_refused(header, says):
    with pytest.raises(UserError) as caught:
        pool([fold(1, "a", "a"), fold(2, "a", "a", **header)])
    assert says in str(caught.value)


def test_rows_left_out_of_folds_are_added_up():
    left_out = [{"empty": 1, "truncated": 2}, None, {"empty": 3}]
    parts = [
        fold(number, "ab", "ab", protocol={"left_out": reasons} if reasons else {})
        for number, reasons in enumerate(left_out)
    ]
    assert pool(parts).header["protocol"]["left_out"] == {"empty": 4, "truncated": 2}
    assert "left_out" not in pool(parts[1:2]).header["protocol"]
