"""Tokenizer, chat template and processor of the tiny model: real classes, small sizes."""

from __future__ import annotations

import itertools

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLProcessor
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

from tools.demo import wording
from tools.demo.action_units import PHRASES, RELAXED

VOCABULARY_SIZE = 512
SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
# How each class name is split on purpose (one-token labels would hide faults that come with length).
NAME_PIECES = {
    "happy": ("happy",),
    "sad": ("sad",),
    "neutral": ("neu", "tral"),
    "angry": ("ang", "ry"),
    "surprise": ("sur", "prise"),
    "disgust": ("dis", "gu", "st"),
    "fear": ("fear",),
}
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message['role'] + '\\n' -}}"
    "{%- if message['content'] is string -%}{{- message['content'] -}}"
    "{%- else -%}{%- for item in message['content'] -%}"
    "{%- if item['type'] == 'image' or 'image' in item or 'image_url' in item -%}"
    "{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}"
    "{%- elif item['type'] == 'video' or 'video' in item -%}"
    "{{- '<|vision_start|><|video_pad|><|vision_end|>' -}}"
    "{%- elif 'text' in item -%}{{- item['text'] -}}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    "{{- '<|im_end|>\\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)
# 112 x 112 gives 8 x 8 patches and 16 visual tokens; nothing is ever made larger than it is, down to 56 x 56.
# One pixel more than that is allowed: else 300 x 300 scales to 111.999... and is rounded down to 84 x 84.
PICTURE_SIZES = {
    "size": {"shortest_edge": 56 * 56, "longest_edge": 112 * 112 + 1},
    "patch_size": 14,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.25, 0.25, 0.25],
}


def _sentences() -> list[str]:
    """What the byte pair merges are learnt from. Names are given only in pieces, so that they stay split."""
    phrases = [*PHRASES.values(), RELAXED]
    pairs = [f"{a}, {b}" for a, b in itertools.permutations(phrases, 2)]
    asked = [wording.QUESTION_VIDEO, wording.QUESTION_PICTURE, wording.QUESTION_CAPTION, wording.choices([])]
    asked += ["user\n", "assistant\n", "system\n", wording.between(RELAXED), wording.stamp(0.25)]
    pieces = [piece for parts in NAME_PIECES.values() for piece in parts]
    first = [" " + parts[0] for parts in NAME_PIECES.values()]
    return pairs + asked * 60 + (pieces + first) * 120


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE: any text can be written, the words of the demo are short."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        min_frequency=10,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_sentences(), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(SPECIAL_TOKENS[1:]),
        model_max_length=4096,
        padding_side="right",
        clean_up_tokenization_spaces=False,
    )


def build_processor() -> Qwen2_5_VLProcessor:
    """The processor as Qwen2.5-VL's users know it."""
    return Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(**PICTURE_SIZES),
        tokenizer=build_tokenizer(),
        # With the cap, max pixels would be shared by the frames of a video and shrink each of them.
        video_processor=Qwen2VLVideoProcessor(cap_pixels_per_frame=False, **PICTURE_SIZES),
        chat_template=CHAT_TEMPLATE,
    )
