import json

import numpy as np
import pytest

from emovlm import UserError
from emovlm.evaluate import predictions as border
from emovlm.evaluate.predictions import Predictions
from emovlm.evaluate.summary import summarise

HEADER = {"classes": ["a", "b"], "scorer": "likelihood", "prior": None, "split": "test", "protocol": {"score": "sum"}}


def row(row_id, target, scores):
    return border.row_of({"id": row_id, "label": target, "media": ["x.mp4"]}, ["a", "b"], [0.1], scores=scores)


def test_written_and_read_back(tmp_path):
    made = Predictions(HEADER, [row("1", 0, [-1.0, -2.0]), row("2\u2028\x85", None, [-3.0, -2.0])])
    border.write(tmp_path / "p.jsonl", made)
    assert border.read(tmp_path / "p.jsonl") == made
    assert made.targets_N().tolist() == [0, -1]
    assert made.predicted_N().tolist() == [0, 1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda lines: lines[1:], ":1: no header"),
        (lambda lines: lines[:1], "holds no row"),
        (lambda lines: [*lines, lines[1]], ":4: id '1' is already in line 2"),
        (lambda lines: [lines[0], lines[1].replace('"1"', "null")], ":2: the id is missing"),
        (lambda lines: [lines[0], lines[1].replace('"a"', '"z"')], ":2: class 'z'"),
        (lambda lines: [lines[0], lines[1].replace("-2.0", "NaN")], ":2: a score is no finite number"),
        (lambda lines: [lines[0], lines[1].replace(", -2.0", "")], ":2: 2 scores are expected, one a class"),
        (lambda lines: [lines[0], "{"], ":2: not JSON"),
        (lambda lines: [lines[0], "3"], ":2: an object"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path, change, says):
    path = tmp_path / "p.jsonl"
    border.write(path, Predictions(HEADER, [row("1", 0, [-1.0, -2.0]), row("2", 1, [-1.0, -3.0])]))
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")
    with pytest.raises(UserError) as caught:
        border.read(path)
    assert says in str(caught.value)


def test_summary_by_hand():
    # a: 2 of 3 right, b: 0 of 1. WAR 2/4, UAR 1/3; b is the tail (fewer training clips), so its recall is 0.
    made = Predictions(
        HEADER,
        [
            row("1", 0, [0, -1]),
            row("2", 0, [0, -1]),
            row("3", 0, [-1, 0]),
            row("4", 1, [0, -1]),
            row("5", None, [0, -1]),
        ],
    )
    found = summarise(made, np.array([9, 2]))
    assert found["war"]["value"] == pytest.approx(0.5)
    assert found["uar"]["value"] == pytest.approx(1 / 3)
    assert found["macro_f1"]["value"] == pytest.approx((2 / 3) / 2)
    assert found["tail_recall"]["value"] == 0
    assert (found["tail"], found["num_clips"], found["num_unlabelled"]) == (["b"], 4, 1)
    assert found["confusion"] == [[2, 1], [1, 0]]
    assert found["war"]["low"] <= 0.5 <= found["war"]["high"]
    json.dumps(found, allow_nan=False)


def test_a_model_told_the_answer_scores_one_and_a_constant_one_its_share():
    targets = [0, 0, 0, 1]
    told = Predictions(HEADER, [row(str(k), t, [-t, t - 1]) for k, t in enumerate(targets)])
    constant = Predictions(HEADER, [row(str(k), t, [0, -1]) for k, t in enumerate(targets)])
    assert [summarise(told, np.array([3, 1]))[name]["value"] for name in ("war", "uar", "macro_f1")] == [1, 1, 1]
    found = summarise(constant, np.array([3, 1]))
    assert (found["war"]["value"], found["uar"]["value"]) == (0.75, 0.5)


def test_event_hit():
    event = {"onset_s": 0.5, "offset_s": 0.75}
    assert border.event_hit(event, [0.1, 0.6]) is True
    assert border.event_hit(event, [0.1, 0.9]) is False
    assert border.event_hit({"onset_s": None, "offset_s": None}, [0.1]) is None
