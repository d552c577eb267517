import numpy as np

from emovlm.longtail.ledger import Ledger


def test_counts_by_hand():
    ledger = Ledger(["a", "b", "c"], [0, 0, 1, -1])
    ledger.add([0, 0, 2])
    ledger.add([2])
    found = ledger.summary(
        strategy="natural", asked_C=np.array([2 / 3, 1 / 3, 0]), num_steps=2, global_batch=2, drawn_N=ledger.drawn_N
    )
    assert found["available"] == [2, 1, 0]
    assert found["drawn"] == [2, 2, 0]
    assert found["effective_prior"] == [0.5, 0.5, 0.0]
    assert found["distinct_clips"] == [1, 1, 0]
