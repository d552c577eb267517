import numpy as np
import pytest

from emovlm.longtail.ledger import Ledger
from emovlm.longtail.plan import plan
from emovlm.recipe import Recipe


def test_counts_by_hand():
    recipe = Recipe.model_validate(
        {
            "data": {"source": "demo"},
            "model": {"name": "demo"},
            "global_batch": 2,
            "loss": {"class_weights": "inverse"},
            "trainer": {"max_steps": 3, "per_device_train_batch_size": 2},
        }
    )
    made = plan(recipe, np.array([0, 0, 1, -1]), ["a", "b", "c"])
    ledger = Ledger(["a", "b", "c"], [f"clip{n}" for n in range(len(made.labels_N))], made)
    ledger.add([0, 0], 0)
    ledger.add([2, 1], 0)
    ledger.add([2, 2], 1)
    found = ledger.summary(ledger.drawn_EN, strategy="natural", num_steps=3)
    assert found["available"] == [2, 1, 0]
    assert found["drawn"] == [3, 3, 0]
    assert found["distinct_clips"] == [2, 1, 0]
    assert found["effective_epochs"] == [1.5, 3.0, 0.0]
    # Natural mix 2/3, 1/3; inverse weights 1/2, 1 become 3/4, 3/2 with mean 1 under it; drawn half and half.
    assert found["class_weights"] == [0.75, 1.5, 0.0]
    assert found["effective_prior"] == pytest.approx([1 / 3, 2 / 3, 0], abs=1e-5)
    assert found["epochs"][0]["repeats"] == [1, 0, 0]
    assert found["epochs"][0]["most_repeated"] == {"id": "clip0", "times": 2}
    assert len(found["epochs"]) == 2
