"""Rows left out and rows that failed are said, with their number."""

from types import SimpleNamespace as Made
from typing import Any

from emovlm.report.stamps import left_out_stamp, unread_stamp


def study(left_out=(), failed=()) -> Any:
    """An arm a and an arm b, one run each."""
    arms = []
    for place, name in enumerate("ab"):
        reasons = left_out[place] if place < len(left_out) else {}
        protocol = {"left_out": reasons} if reasons else {}
        run = Made(evaluations={"test-likelihood": Made(protocol=protocol)})
        part = Made(train={"failed": failed[place] if place < len(failed) else {}})
        arms.append(Made(name=name, runs=[run], parts=[part]))
    return Made(arms=arms)


def test_what_is_left_out_is_said_once_where_all_arms_are_alike():
    both = left_out_stamp(study([{"empty": 1, "truncated": 2}] * 2), "test-likelihood")
    assert (
        both == "Rows left out as unusable (data.quarantine): 3 (empty 1, truncated 2). The scores are over the others."
    )
    one = left_out_stamp(study([{"empty": 1}]), "test-likelihood")
    assert one == "Rows left out as unusable (data.quarantine): a 1 (empty 1). The scores are over the others."
    assert left_out_stamp(study(), "test-likelihood") is None


def test_rows_that_failed_in_training_are_said_by_arm():
    assert unread_stamp(study(failed=[{}, {"7": "x is cut off", "9": "y"}])) == (
        "Training rows that could not be read and counted for nothing: b 2."
    )
    assert unread_stamp(study()) is None
