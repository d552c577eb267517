"""One path for training and scoring, padded on the left, nothing truncated, texts where they belong."""

import pytest
import torch
from torch.utils.data import DataLoader

from emovlm import UserError
from emovlm.longtail.losses import IGNORED
from emovlm.prompts.answers import Answers
from emovlm.prompts.collator import Collator

CLASSES = ["happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"]


def rows_of(demo_rows, count):
    return [{**demo_rows[index], "row": index} for index in range(count)]


def test_an_answer_is_its_text_and_one_end_of_turn(demo_vlm):
    answers = Answers(demo_vlm.processor)
    lengths = set()
    for name in CLASSES:
        ids = answers.ids(name)
        assert demo_vlm.processor.tokenizer.decode(ids) == name + answers.end
        assert ids.count(answers.end_ids[0]) == 1
        lengths.add(len(ids) - 1)
    assert lengths == {1, 2, 3}, "names of one, two and three tokens, so that length faults show"
    for bad in ("", "  ", f"happy{answers.end}"):
        with pytest.raises(UserError, match=r"end-of-turn|empty"):
            answers.ids(bad)


@pytest.mark.parametrize("kind", ["images", "video"])
def test_training_batch_is_scoring_batch_with_the_answer_behind(small, demo_vlm, demo_rows, kind):
    recipe = small(frames={"input": kind, "keep": 4})
    rows = rows_of(demo_rows, 4)
    scoring = Collator(demo_vlm.processor, recipe, CLASSES, with_answers=False)(rows)
    training = Collator(demo_vlm.processor, recipe, CLASSES, with_answers=True)(rows)
    pixels = "pixel_values_videos" if kind == "video" else "pixel_values"
    assert torch.equal(scoring[pixels], training[pixels])
    answers = Answers(demo_vlm.processor)
    for b, row in enumerate(rows):
        ids = answers.ids(CLASSES[row["label"]])
        prompt_ids = scoring["input_ids"][b][scoring["attention_mask"][b] == 1].tolist()
        assert training["input_ids"][b][training["attention_mask"][b] == 1].tolist() == prompt_ids + ids
        assert training["labels"][b][training["labels"][b] != IGNORED].tolist() == ids
        assert training["labels"].shape[1] <= 4
    assert (training["attention_mask"].diff(dim=1) >= 0).all(), "padding is on the left"
    assert training["rows_B"].tolist() == [0, 1, 2, 3]


def test_a_video_keeps_its_clock(small, demo_vlm, demo_rows):
    # 2 s, 8 frames at the middles of eighths: 4 frames a second, pairs of frames: half a second a grid step.
    recipe = small(frames={"input": "video", "keep": 8})
    batch = Collator(demo_vlm.processor, recipe, CLASSES, with_answers=False)(rows_of(demo_rows, 2))
    assert torch.allclose(torch.as_tensor(batch["second_per_grid_ts"]), torch.full((2,), 0.5))
    assert batch["video_grid_thw"].tolist() == [[4, 8, 8]] * 2


def test_texts_reach_the_prompt_between_their_frames(small, demo_vlm, demo_rows):
    rows = rows_of(demo_rows, 1)
    texts = {rows[0]["id"]: {0: ["mouth corners up"]}}
    collator = Collator(demo_vlm.processor, small(), CLASSES, with_answers=False, texts=texts)
    ids = collator(rows)["input_ids"][0]
    read = demo_vlm.processor.tokenizer.decode(ids)
    first, text, second = (
        read.index("<|vision_end|>"),
        read.index("Then: mouth corners up\n"),
        read.rindex("<|vision_start|>"),
    )
    assert first < text < second
    with pytest.raises(UserError, match=r"frames\.input=images"):
        Collator(demo_vlm.processor, small(frames={"input": "video"}), CLASSES, with_answers=False, texts=texts)


def test_rows_without_anything_to_learn_are_named(small, demo_vlm, demo_rows):
    collator = Collator(demo_vlm.processor, small(), CLASSES, with_answers=True)
    row = {**rows_of(demo_rows, 1)[0], "label": None}
    with pytest.raises(UserError, match=row["id"]):
        collator([row])


def test_an_answer_column_is_learnt_instead_of_a_label(small, demo_vlm, demo_rows):
    collator = Collator(demo_vlm.processor, small(), CLASSES, with_answers=True)
    row = {**rows_of(demo_rows, 1)[0], "label": None, "answer": "brows down, lips pressed"}
    batch = collator([row])
    learnt = batch["labels"][0][batch["labels"][0] != IGNORED]
    assert demo_vlm.processor.tokenizer.decode(learnt) == "brows down, lips pressed<|im_end|>"


class SaysItsEpoch(Collator):
    def __call__(self, rows):
        return self.epoch


def test_workers_that_outlive_an_epoch_are_told_of_the_next(small, demo_vlm):
    collator = SaysItsEpoch(demo_vlm.processor, small(), ["happy"], with_answers=False)
    loader = DataLoader([{}, {}], collate_fn=collator, num_workers=1, persistent_workers=True)
    for epoch in range(3):
        collator.epoch = epoch
        assert list(loader) == [epoch, epoch]
