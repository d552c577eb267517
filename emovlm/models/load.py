"""A name -> model and processor: any `AutoModelForImageTextToText`, from the hub, a folder, or the demo's own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from emovlm import UserError

if TYPE_CHECKING:
    from emovlm.recipe import Model

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
    try:
        processor = load_processor(source, local)
        loaded = AutoModelForImageTextToText.from_pretrained(
            source,
            dtype=choose_dtype(model.dtype),
            attn_implementation=None if model.attention == "auto" else model.attention,
            local_files_only=local,
        )
    except (OSError, ValueError, ImportError) as error:
        raise UserError(f"model.name: '{model.name}' cannot be loaded: {str(error).strip().splitlines()[0]}") from error
    return Vlm(loaded, processor)


def load_processor(source: str, local: bool) -> Any:
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(source, local_files_only=local)
    if getattr(processor, "tokenizer", None) is None or not getattr(processor, "chat_template", None):
        raise UserError(f"model.name: '{source}' has no processor with a chat template")
    # The answer must sit at the end of every row of a batch, in training, scoring and generation alike.
    processor.tokenizer.padding_side = "left"
    return processor


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
