"""The fast path of the pretraining gives what the real processor and the untouched model give."""

import numpy as np
import pytest
import torch

from tools.demo import wording
from tools.demo.architecture import build_model
from tools.demo.batches import Batcher, Image, Sample, Video
from tools.demo.processor import build_processor


@pytest.fixture(scope="module")
def processor():
    return build_processor()


@pytest.fixture(scope="module")
def model(processor):
    torch.manual_seed(0)
    return build_model(processor.tokenizer).eval()


@pytest.fixture
def frames_THWC():
    return np.random.default_rng(0).integers(0, 256, (8, 112, 112, 3), dtype=np.uint8)


def assert_equal(expected, batch) -> None:
    assert set(expected) == set(batch)
    for key, value in expected.items():
        torch.testing.assert_close(torch.as_tensor(value).float(), batch[key].float(), atol=1e-6, rtol=0, msg=key)


def positions(model, batch):
    grids = {key: batch.get(key) for key in ("image_grid_thw", "video_grid_thw", "second_per_grid_ts")}
    return model.model.get_rope_index(
        batch["input_ids"], batch["mm_token_type_ids"], attention_mask=batch["attention_mask"], **grids
    )[0]


def test_images_and_texts(processor, model, frames_THWC):
    between = wording.between("lips parted")
    content = [
        {"type": "text", "text": wording.stamp(0.25)},
        {"type": "image"},
        {"type": "text", "text": between},
        {"type": "text", "text": wording.stamp(0.5)},
        {"type": "image"},
        {"type": "text", "text": wording.QUESTION_VIDEO + wording.choices(["sad", "fear"])},
    ]
    messages = [{"role": "user", "content": content}]
    text = processor.apply_chat_template(messages, add_generation_prompt=True)
    expected = processor(text=[text], images=list(frames_THWC[:2]), return_tensors="pt")
    items = [wording.stamp(0.25), Image(frames_THWC[0]), between, wording.stamp(0.5), Image(frames_THWC[1])]
    items.append(content[-1]["text"])
    batch = Batcher(processor.tokenizer)([Sample(items)])
    assert_equal(expected, batch)
    torch.testing.assert_close(positions(model, expected), positions(model, batch))


@pytest.mark.parametrize("num_frames", [4, 8])
def test_video_with_its_clock(processor, model, frames_THWC, num_frames):
    messages = [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": wording.QUESTION_VIDEO}]}]
    text = processor.apply_chat_template(messages, add_generation_prompt=True)
    clock = {"total_num_frames": num_frames, "fps": num_frames / 2, "frames_indices": list(range(num_frames))}
    expected = processor(
        text=[text],
        videos=[frames_THWC[:num_frames]],
        do_sample_frames=False,
        video_metadata=[clock],
        return_tensors="pt",
    )
    video = Video(frames_THWC[:num_frames], 2 / num_frames)
    batch = Batcher(processor.tokenizer)([Sample([video, wording.QUESTION_VIDEO])])
    assert_equal(expected, batch)
    torch.testing.assert_close(positions(model, expected), positions(model, batch))
    # 4 positions a second (tokens_per_second) x the seconds of two frames.
    steps = positions(model, batch)[0, 0][batch["mm_token_type_ids"][0] == 2].unique().diff()
    assert steps.tolist() == [4 * 2 * 2 // num_frames] * (num_frames // 2 - 1)


def test_the_answer_is_what_the_template_says(processor):
    messages = [{"role": "user", "content": "Hm?"}, {"role": "assistant", "content": "disgust"}]
    text = processor.apply_chat_template(messages)
    batch = Batcher(processor.tokenizer)([Sample(["Hm?"], "disgust")])
    # The template ends the turn with a line break, which is not learnt.
    assert processor.tokenizer.decode(batch["input_ids"][0]) + "\n" == text
    learnt = batch["labels"][0][batch["labels"][0] >= 0]
    assert processor.tokenizer.decode(learnt) == "disgust<|im_end|>"


def test_the_faster_tower_computes_the_same(processor, frames_THWC):
    from tools.demo.fast_vision import speed_up

    torch.manual_seed(0)
    model = build_model(processor.tokenizer).eval()
    sample = Sample([Image(frames_THWC[0]), Video(frames_THWC, 0.25), wording.QUESTION_VIDEO])
    batch = Batcher(processor.tokenizer)([sample])
    with torch.no_grad():
        slow = model(**batch).logits
        speed_up(model)
        fast = model(**batch).logits
    torch.testing.assert_close(fast, slow, atol=1e-5, rtol=0)
