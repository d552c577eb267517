"""The shipped tokenizer, template and processor, and that they are what tools/demo builds."""

import pytest

from emovlm.demo import MODEL

pytestmark = pytest.mark.skipif(not (MODEL / "config.json").exists(), reason="the demo model is not in this checkout")

NAMES = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")


@pytest.fixture(scope="module")
def processor():
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(MODEL)


def test_names_take_one_to_three_tokens_at_the_start_and_in_a_list(processor):
    lengths = [len(processor.tokenizer(name).input_ids) for name in NAMES]
    assert lengths == [1, 1, 2, 2, 2, 3, 1]
    assert [len(processor.tokenizer(" " + name).input_ids) for name in NAMES] == lengths


def test_any_text_survives_the_tokenizer(processor):
    text = "Then: Größe 112 px, 你好 \N{GRINNING FACE}\n"
    assert processor.tokenizer.decode(processor.tokenizer(text).input_ids) == text


def test_template_joins_items_without_separators(processor):
    messages = [
        {"role": "system", "content": "Look."},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Which?"}, {"type": "video"}]},
    ]
    seen = "<|im_start|>system\nLook.<|im_end|>\n<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>Which?"
    seen += "<|vision_start|><|video_pad|><|vision_end|><|im_end|>\n"
    assert processor.apply_chat_template(messages) == seen
    assert processor.apply_chat_template(messages, add_generation_prompt=True) == seen + "<|im_start|>assistant\n"
    answered = [*messages, {"role": "assistant", "content": [{"type": "text", "text": "sad"}]}]
    assert processor.apply_chat_template(answered) == seen + "<|im_start|>assistant\nsad<|im_end|>\n"


def test_end_of_turn_ends_and_padding_is_another_token(processor):
    assert processor.tokenizer.eos_token == "<|im_end|>"
    assert processor.tokenizer.pad_token == "<|endoftext|>"


@pytest.mark.parametrize(("side_px", "num_tokens"), [(112, 16), (56, 4), (300, 16)])
def test_a_picture_gives_at_most_sixteen_tokens_and_is_not_enlarged(processor, side_px, num_tokens):
    from PIL import Image

    text = "<|vision_start|><|image_pad|><|vision_end|>"
    inputs = processor(text=[text], images=[Image.new("RGB", (side_px, side_px))], return_tensors="pt")
    image_id = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    assert int((inputs["input_ids"] == image_id).sum()) == num_tokens


def test_the_shipped_processor_is_the_built_one(processor):
    from tools.demo.processor import build_processor

    built = build_processor()
    assert built.tokenizer.get_vocab() == processor.tokenizer.get_vocab()
    assert built.chat_template == processor.chat_template
    text = "Which emotion does the person in the video show? Choose one of: fear, disgust."
    assert built.tokenizer(text).input_ids == processor.tokenizer(text).input_ids
