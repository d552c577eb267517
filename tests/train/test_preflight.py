import datasets
import pytest

from emovlm import UserError
from emovlm.prompts.collator import Collator
from emovlm.train.preflight import accumulation_steps, check_answers

CLASSES = ["happy", "sad"]


def rows(labels, answers=None):
    columns = {"id": [str(k) for k in range(len(labels))], "label": labels}
    if answers:
        columns["answer"] = answers
    features = datasets.Features(
        {"id": datasets.Value("string"), "label": datasets.ClassLabel(names=CLASSES)}
        | ({"answer": datasets.Value("string")} if answers else {})
    )
    return datasets.Dataset.from_dict(columns, features=features)


@pytest.fixture(scope="module")
def collator(small, demo_vlm):
    return Collator(demo_vlm.processor, small(), CLASSES, with_answers=True)


def test_accumulation_follows(small):
    recipe = small(global_batch=16, trainer={"per_device_train_batch_size": 4})
    assert [accumulation_steps(recipe, world) for world in (1, 2, 4)] == [4, 2, 1]
    whole = small(global_batch=16, trainer={"per_device_train_batch_size": 16})
    with pytest.raises(
        UserError, match=r"16 \(per device\) x 2 \(processes\); set trainer.per_device_train_batch_size=8"
    ):
        accumulation_steps(whole, 2)
    with pytest.raises(UserError, match=r"x 3 \(processes\); set global_batch to a multiple of 3"):
        accumulation_steps(whole, 3)
    with pytest.raises(UserError, match=r"16 is not a multiple of 4 \(per device\) x 3 \(processes\)"):
        accumulation_steps(recipe, 3)


def test_labels_or_answers_but_never_both(collator):
    assert check_answers(rows([0, 1]), collator) is True
    assert check_answers(rows([None, None], ["a smile", "a frown"]), collator) is False
    with pytest.raises(UserError, match="row 1: has no label"):
        check_answers(rows([0, None]), collator)
    with pytest.raises(UserError, match="row 1: has no answer while others have"):
        check_answers(rows([0, 1], ["a smile", None]), collator)
    with pytest.raises(UserError, match="exactly one end-of-turn"):
        check_answers(rows([None], ["a<|im_end|>b"]), collator)
