"""A name -> model and processor: any `AutoModelForImageTextToText`, from the hub, a folder, or the demo's own."""

from __future__ import annotations

import functools
import inspect
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from emovlm import UserError

if TYPE_CHECKING:
    from emovlm.recipe import Model

HINT = "; without the hub: fetch it elsewhere with `hf download` and name the folder here"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Vlm:
    """model: a PreTrainedModel (later perhaps a PeftModel around it). processor: text, picture and video in one."""

    model: Any
    processor: Any


def load(model: Model) -> Vlm:
    """Load weights and processor. A folder is never looked up on the hub. Raises UserError naming model.name."""
    from transformers import AutoModelForImageTextToText

    source, local = locate(model.name)
    dtype = choose_dtype(model.dtype)
    try:
        processor = load_processor(source, local)
        loaded = AutoModelForImageTextToText.from_pretrained(
            source,
            dtype=dtype,
            attn_implementation=None if model.attention == "auto" else model.attention,
            quantization_config=_four_bits(source, local, dtype) if model.quantize else None,
            local_files_only=local,
        )
    except UserError:
        raise
    except (OSError, ValueError, ImportError) as error:
        raise UserError(
            f"model.name: '{model.name}' cannot be loaded: {str(error).strip().splitlines()[0]}{HINT}"
        ) from error
    _keep_last_logits(loaded)
    for module in loaded.modules():
        # On CPUs with bfloat16 bitsandbytes packs weights anew to score, and back to save: each time others come out.
        if hasattr(module, "support_avx512bf16_for_cpu"):
            vars(module)["support_avx512bf16_for_cpu"] = False
    return Vlm(loaded, processor)


def empty(model: Model) -> Vlm:
    """The same without its weights (on torch's meta device): shapes and names, in seconds whatever its size."""
    from transformers import AutoModelForImageTextToText

    source, local = locate(model.name)
    try:
        processor = load_processor(source, local)
        with torch.device("meta"):
            return Vlm(AutoModelForImageTextToText.from_config(_config(source, local)), processor)
    except UserError:
        raise
    except (OSError, ValueError, ImportError) as error:
        raise UserError(
            f"model.name: '{model.name}' cannot be loaded: {str(error).strip().splitlines()[0]}{HINT}"
        ) from error


def load_processor(source: str, local: bool) -> Any:
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(source, local_files_only=local)
    tokenizer = getattr(processor, "tokenizer", None)
    if tokenizer is None or not getattr(processor, "chat_template", None):
        raise UserError(f"model.name: '{source}' has no processor with a chat template")
    # The answer must sit at the end of every row of a batch, in training, scoring and generation alike.
    tokenizer.padding_side = "left"
    # Where the template writes the begin-of-sequence (Gemma), the tokenizer would write a second one.
    if tokenizer.bos_token and _question(processor).startswith(tokenizer.bos_token):
        tokenizer.add_bos_token = False
    return processor


def probe(processor: Any) -> dict[str, torch.Tensor]:
    """A prompt with one picture, as small as the processor allows: for checks that need some input."""
    picture_CHW = torch.arange(3 * 56 * 56).reshape(3, 56, 56).remainder(251).to(torch.uint8)
    text = _question(processor, {"type": "image"})
    return dict(processor(text=[text], images=[[picture_CHW]], return_tensors="pt"))


def _question(processor: Any, *content: dict[str, str]) -> str:
    turn = {"role": "user", "content": [*content, {"type": "text", "text": "?"}]}
    return processor.apply_chat_template([turn], tokenize=False, add_generation_prompt=True)


def _four_bits(source: str, local: bool, dtype: torch.dtype) -> Any:
    """nf4 for the language model alone: the other parts are small, and lose more by it than they save."""
    from transformers import AutoModelForImageTextToText, BitsAndBytesConfig

    from emovlm.models.parts import roots

    with torch.device("meta"):
        by_part = roots(AutoModelForImageTextToText.from_config(_config(source, local)))
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=[*by_part["vision"], *by_part["projector"], "lm_head"],
    )


def _config(source: str, local: bool) -> Any:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(source, local_files_only=local)


def _keep_last_logits(model: Any) -> None:
    """Teach `logits_to_keep` to the few families that lack it (VideoLLaMA 3, MiniCPM-V).

    They would compute a row as wide as the vocabulary for every visual token.
    """
    plain, head = model.forward, model.get_output_embeddings()
    if "logits_to_keep" in inspect.signature(plain).parameters or head is None:
        return

    @functools.wraps(plain)
    def forward(*args: Any, logits_to_keep: int = 0, **kwargs: Any) -> Any:
        hook = head.register_forward_pre_hook(lambda _, inputs: (inputs[0][:, -logits_to_keep:],))
        try:
            return plain(*args, **kwargs)
        finally:
            hook.remove()

    model.forward = forward


def save(model: Any, processor: Any, folder: Path) -> None:
    """Write the whole model and its processor beside `folder`, then move them into place."""
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    model.save_pretrained(temporary)
    processor.save_pretrained(temporary)
    os.replace(temporary, folder)


def locate(name: str) -> tuple[str, bool]:
    """-> (what from_pretrained gets, whether it is a local folder)."""
    if name == "demo":
        from emovlm.demo import MODEL

        return str(MODEL), True
    if Path(name).is_dir():
        return name, True
    # `org/name` may be a hub name; anything that can only be a path must exist, or a typo becomes a hub call.
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise UserError(f"model.name: '{name}': no such folder")
    return name, False


def choose_dtype(name: str) -> torch.dtype:
    if name != "auto":
        return DTYPES[name]
    if torch.cuda.is_available() and torch.cuda.is_bf16_supported():
        return torch.bfloat16
    # bfloat16 on most CPUs is about a hundred times slower than float32.
    return torch.float32
