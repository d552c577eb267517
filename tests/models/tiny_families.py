"""Tiny random models of every family, each with the family's own processor class, built by code: no hub.

The tokenizer is the demo's, with the family's special tokens. The chat templates keep what is particular about the
family's own: where pictures go, a begin-of-sequence token, what stands before an answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers as hf

from emovlm.demo import MODEL

SIDE = 56  # px of a picture, which most processors here keep

TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "head_dim": 8}
TEXT |= {"num_key_value_heads": 2, "vocab_size": 512, "max_position_embeddings": 4096}
PATCHES = {"depth": 2, "hidden_size": 32, "embed_dim": 32, "num_heads": 4, "intermediate_size": 64, "patch_size": 14}
PATCHES |= {"out_hidden_size": 32, "deepstack_visual_indexes": [0], "fullatt_block_indexes": [0]}
TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
TOWER |= {"image_size": SIDE, "patch_size": 14}
# Layers with a running state between those with attention.
LINEAR = {"linear_num_key_heads": 2, "linear_num_value_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8}
WINDOW = {"sliding_window": 6, "layer_types": ["sliding_attention", "full_attention"] * 2}


def rotary(*section: int) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [*section]}}


def template(
    image: str,
    video: str = "",
    *,
    first: str = "",
    user: str = "<|im_start|>user\n",
    answer: str = "<|im_start|>assistant\n",
    prompt: str | None = None,
    end: str = "<|im_end|>\n",
) -> str:
    """A chat template. answer: how the turn of an answer begins; prompt: how one begins that is still to be written."""
    texts = {"first": first, "user": user, "answer": answer, "end": end, "image": image, "video": video}
    texts["prompt"] = answer if prompt is None else prompt
    return (
        "".join(f"{{% set {name} = {text!r} %}}" for name, text in texts.items())
        + "{{ first }}{% for message in messages %}{{ user if message['role'] == 'user' else answer }}"
        + "{% for item in message['content'] %}"
        + "{{ image if item['type'] == 'image' else video if item['type'] == 'video' else item['text'] }}"
        + "{% endfor %}{{ end }}{% endfor %}{% if add_generation_prompt %}{{ prompt }}{% endif %}"
    )


PLACES = ("<|vision_start|><|image_pad|><|vision_end|>", "<|vision_start|><|video_pad|><|vision_end|>")
CHATML = template(*PLACES)
# The prompt opens a thought, which an answer without one closes first.
THINKING = template(
    *PLACES,
    prompt="<|im_start|>assistant\n<think>\n",
    answer="<|im_start|>assistant\n<think>\n\n</think>\n\n",
)
GLM = template(
    "<|begin_of_image|><|image|><|end_of_image|>",
    "<|begin_of_video|><|video|><|end_of_video|>",
    first="[gMASK]<sop>",
    user="<|user|>\n",
    answer="<|assistant|>\n",
    prompt="<|assistant|>",
    end="",
)
# All pictures first, then all texts.
PICTURES_FIRST = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + ' ' }}"
    "{% for item in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>' }}{% endfor %}"
    "{% for item in message['content'] | selectattr('type', 'equalto', 'video') %}{{ '<video>' }}{% endfor %}"
    "{% for item in message['content'] | selectattr('type', 'equalto', 'text') %}{{ '\n' + item['text'] }}{% endfor %}"
    "{{ '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
GEMMA_3 = {"first": "<bos>", "user": "<start_of_turn>user\n", "answer": "<start_of_turn>model\n"}
GEMMA_4 = {"first": "<bos>", "user": "<|turn>user\n", "answer": "<|turn>model\n"}

SQUARE = {"size": {"height": SIDE, "width": SIDE}}
SLICED = {"scale_resolution": SIDE, "patch_size": 14, "slice_mode": False}
POOLED = {"patch_size": 14, "pooling_kernel_size": 2, "max_soft_tokens": 70}
LONGEST = {"size": {"longest_edge": SIDE}, "max_image_size": {"longest_edge": SIDE}}
PIXELS = {"size": {"shortest_edge": SIDE**2, "longest_edge": SIDE**2 + 1}, "patch_size": 14}
MERGED = {**PIXELS, "merge_size": 2}


def three(processor: type, image: type, video: type, chat_template: str) -> Callable[[Any], Any]:
    """tokenizer -> processor, for the families whose pictures are cut into patches that are merged."""
    return lambda tokenizer: processor(image(**MERGED), tokenizer, video(**MERGED), chat_template=chat_template)


def internvl(tokenizer: Any) -> Any:
    return hf.InternVLProcessor(
        hf.GotOcr2ImageProcessor(**SQUARE, crop_to_patches=False),
        tokenizer,
        hf.InternVLVideoProcessor(**SQUARE),
        image_seq_length=4,
        chat_template=template("<IMG_CONTEXT>\n", "<video>\n"),
    )


def llava_onevision(tokenizer: Any) -> Any:
    return hf.LlavaOnevisionProcessor(
        hf.LlavaOnevisionImageProcessor(**SQUARE, image_grid_pinpoints=[[SIDE, SIDE]]),
        tokenizer,
        hf.LlavaOnevisionVideoProcessor(**SQUARE),
        num_image_tokens=16,
        vision_feature_select_strategy="full",
        chat_template=PICTURES_FIRST,
    )


def smolvlm(tokenizer: Any) -> Any:
    parts = {"first": "<|im_start|>", "user": "User:", "answer": "Assistant: ", "prompt": "Assistant:"}
    return hf.SmolVLMProcessor(
        hf.SmolVLMImageProcessor(**LONGEST, do_image_splitting=False),
        tokenizer,
        hf.SmolVLMVideoProcessor(**LONGEST),
        image_seq_len=4,
        chat_template=template("<image>", "<video>", **parts, end="<end_of_utterance>\n"),
    )


def gemma3(tokenizer: Any) -> Any:
    return hf.Gemma3Processor(
        hf.Gemma3ImageProcessor(**SQUARE),
        tokenizer,
        image_seq_length=4,
        chat_template=template("<start_of_image>", **GEMMA_3, end="<end_of_turn>\n"),
    )


def gemma4(tokenizer: Any) -> Any:
    # Without thinking the prompt holds an empty thought, which the turn of an answer has not.
    prompt = GEMMA_4["answer"] + "<|channel>thought\n<channel|>"
    return hf.Gemma4Processor(
        hf.Gemma4AudioFeatureExtractor(),
        hf.Gemma4ImageProcessor(**POOLED),
        tokenizer,
        hf.Gemma4VideoProcessor(**POOLED),
        chat_template=template("\n\n<|image|>\n\n", "\n\n<|video|>\n\n", **GEMMA_4, prompt=prompt, end="<turn|>\n"),
    )


def video_llama_3(tokenizer: Any) -> Any:
    return hf.VideoLlama3Processor(
        hf.VideoLlama3ImageProcessor(**PIXELS),
        tokenizer,
        hf.VideoLlama3VideoProcessor(**PIXELS),
        chat_template=template("<|image_pad|>\n", "<|video_pad|>\n"),
    )


def lfm2_vl(tokenizer: Any) -> Any:
    return hf.Lfm2VlProcessor(
        hf.Lfm2VlImageProcessor(tile_size=SIDE, encoder_patch_size=14, min_image_tokens=4, max_image_tokens=16),
        tokenizer,
        chat_template=template("<image>", first="<bos>"),
    )


def minicpmv4_6(tokenizer: Any) -> Any:
    return hf.MiniCPMV4_6Processor(
        image_processor=hf.MiniCPMV4_6ImageProcessor(**SLICED),
        video_processor=hf.MiniCPMV4_6VideoProcessor(**SLICED),
        tokenizer=tokenizer,
        chat_template=template("<image_pad>", "<video_pad>"),
    )


@dataclass(frozen=True)
class Family:
    """processor: tokenizer -> processor. text, vision, whole: what its configuration has of its own.

    ids: key of the configuration -> token. named: the tokenizer's attribute -> token. plain: further tokens.
    one_row: whether the class names are read in one row behind the prompt; else in copies of the cache.
    """

    processor: Callable[[Any], Any]
    text: dict[str, Any] = field(default_factory=dict)
    vision: dict[str, Any] = field(default_factory=dict)
    whole: dict[str, Any] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    plain: tuple[str, ...] = ()
    bos: str | None = None
    video: bool = True
    one_row: bool = True


PADS = {"image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>"}
QWEN_IDS = PADS | {"vision_start_token_id": "<|vision_start|>", "vision_end_token_id": "<|vision_end|>"}
GLM_IDS = {"image_token_id": "<|image|>", "video_token_id": "<|video|>"}
GLM_IDS |= {"image_start_token_id": "<|begin_of_image|>", "image_end_token_id": "<|end_of_image|>"}
GLM_IDS |= {"video_start_token_id": "<|begin_of_video|>", "video_end_token_id": "<|end_of_video|>"}
GLM_TOKENS = ("[gMASK]", "<sop>", "<|user|>", "<|assistant|>")
GEMMA_3_TOKENS = {"image_token": "<image_soft_token>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"}
GEMMA_4_TOKENS = {"image_token": "<|image|>", "boi_token": "<|image>", "eoi_token": "<image|>"}
GEMMA_4_TOKENS |= {"audio_token": "<|audio|>", "boa_token": "<|audio>", "eoa_token": "<audio|>"}

FAMILIES = {
    "qwen2_vl": Family(
        three(hf.Qwen2VLProcessor, hf.Qwen2VLImageProcessor, hf.Qwen2VLVideoProcessor, CHATML),
        text=rotary(1, 1, 2),
        vision=PATCHES,
        ids=QWEN_IDS,
    ),
    "qwen2_5_vl": Family(
        three(hf.Qwen2_5_VLProcessor, hf.Qwen2VLImageProcessor, hf.Qwen2VLVideoProcessor, CHATML),
        text=rotary(1, 1, 2),
        vision=PATCHES,
        ids=QWEN_IDS,
    ),
    "qwen3_vl": Family(
        three(hf.Qwen3VLProcessor, hf.Qwen2VLImageProcessor, hf.Qwen3VLVideoProcessor, CHATML),
        text=rotary(2, 1, 1),
        vision=PATCHES,
        ids=QWEN_IDS,
    ),
    "qwen3_5": Family(
        three(hf.Qwen3VLProcessor, hf.Qwen2VLImageProcessor, hf.Qwen3VLVideoProcessor, THINKING),
        text=LINEAR,
        vision=PATCHES,
        ids=QWEN_IDS,
        one_row=False,
    ),
    "internvl": Family(
        internvl,
        vision=TOWER,
        whole={"image_seq_length": 4},
        ids={"image_token_id": "<IMG_CONTEXT>"},
        named={
            "start_image_token": "<img>",
            "end_image_token": "</img>",
            "context_image_token": "<IMG_CONTEXT>",
            "video_token": "<video>",
        },
    ),
    "llava_onevision": Family(
        llava_onevision,
        vision=TOWER,
        whole={"image_grid_pinpoints": [[SIDE, SIDE]], "vision_feature_select_strategy": "full"},
        ids={"image_token_id": "<image>", "video_token_id": "<video>"},
    ),
    "smolvlm": Family(
        smolvlm,
        vision=TOWER,
        whole={"scale_factor": 2},
        ids={"image_token_id": "<image>"},
        plain=("<fake_token_around_image>", "<global-img>", "<end_of_utterance>", "<video>"),
    ),
    "gemma3": Family(
        gemma3,
        text=WINDOW | {"query_pre_attn_scalar": 8},
        vision=TOWER | {"vision_use_head": False},
        whole={"mm_tokens_per_image": 4},
        ids={"image_token_id": "<image_soft_token>", "boi_token_id": "<start_of_image>"},
        named=GEMMA_3_TOKENS,
        plain=("<start_of_turn>", "<end_of_turn>"),
        bos="<bos>",
        video=False,
        one_row=False,
    ),
    "gemma4": Family(
        gemma4,
        text=WINDOW | {"global_head_dim": 8, "hidden_size_per_layer_input": 0},
        vision=TOWER | {"pooling_kernel_size": 2, "head_dim": 8, "num_key_value_heads": 4},
        whole={"audio_config": None},
        ids={"image_token_id": "<|image|>", "video_token_id": "<|video|>", "audio_token_id": "<|audio|>"},
        named=GEMMA_4_TOKENS,
        plain=("<|turn>", "<turn|>", "<|channel>", "<channel|>"),
        bos="<bos>",
        one_row=False,
    ),
    "glm4v": Family(
        three(hf.Glm4vProcessor, hf.Glm4vImageProcessor, hf.Glm4vVideoProcessor, GLM),
        text=rotary(1, 1, 2),
        vision=PATCHES,
        ids=GLM_IDS,
        plain=GLM_TOKENS,
    ),
    "glm46v": Family(
        three(hf.Glm46VProcessor, hf.Glm46VImageProcessor, hf.Glm46VVideoProcessor, GLM),
        text=rotary(1, 1, 2),
        vision=PATCHES,
        ids=GLM_IDS,
        plain=GLM_TOKENS,
    ),
    "video_llama_3": Family(video_llama_3, vision=TOWER, ids=PADS),
    "lfm2_vl": Family(
        lfm2_vl,
        text={"layer_types": ["conv", "full_attention"] * 2, "block_auto_adjust_ff_dim": False},
        vision=TOWER | {"num_patches": 16},
        whole={"projector_hidden_size": 32},
        ids={"image_token_id": "<image>"},
        plain=("<|image_start|>", "<|image_end|>", "<|img_thumbnail|>"),
        bos="<bos>",
        video=False,
        one_row=False,
    ),
    "minicpmv4_6": Family(
        minicpmv4_6,
        text=LINEAR,
        vision=TOWER,
        whole={"insert_layer_id": 0},
        ids={"image_token_id": "<image_pad>", "video_token_id": "<video_pad>"},
        named={
            "image_token": "<image_pad>",
            "video_token": "<video_pad>",
            "image_start_token": "<image>",
            "image_end_token": "</image>",
            "slice_start_token": "<slice>",
            "slice_end_token": "</slice>",
            "image_id_start_token": "<image_id>",
            "image_id_end_token": "</image_id>",
        },
        one_row=False,
    ),
}


def tokenizer_of(family: Family) -> Any:
    """The demo's, to which every special token of the family is one token."""
    tokenizer = hf.PreTrainedTokenizerFast(
        tokenizer_file=str(MODEL / "tokenizer.json"),
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        bos_token=family.bos,
        add_bos_token=family.bos is not None,
        extra_special_tokens=family.named,
    )
    known = tokenizer.get_vocab()
    further = [token for token in dict.fromkeys((*family.plain, *family.ids.values())) if token not in known]
    tokenizer.add_special_tokens({"additional_special_tokens": further}, replace_extra_special_tokens=False)
    return tokenizer


def config_of(name: str, tokenizer: Any) -> Any:
    family, plain = FAMILIES[name], hf.AutoConfig.for_model(name)
    ends = {f"{kind}_token_id": getattr(tokenizer, f"{kind}_token_id") for kind in ("bos", "eos", "pad")}
    parts = {"text": {**TEXT, **family.text, **ends}, "vision": family.vision}
    configs = {}
    for part, values in parts.items():
        own = getattr(plain, f"{part}_config")
        configs[f"{part}_config"] = {"model_type": own.model_type if own else f"{name}_{part}", **values}
    ids = {key: tokenizer.convert_tokens_to_ids(token) for key, token in family.ids.items()}
    return type(plain)(**configs, **ids, **family.whole)


def write(name: str, folder: Path) -> Path:
    """Model and processor as from_pretrained finds them.

    Random weights, but large enough that a token looked at in error would show.
    """
    processor = FAMILIES[name].processor(tokenizer_of(FAMILIES[name]))
    torch.manual_seed(0)
    model = hf.AutoModelForImageTextToText.from_config(config_of(name, processor.tokenizer), dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=parameter.shape[-1] ** -0.5)
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
