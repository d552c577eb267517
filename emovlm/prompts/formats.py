"""A training row as other trainers want it: each public function is a `--format` of `emovlm data export`. Pure.

`(turn) -> entry` of the list that is written. Paths are absolute: each trainer takes relative ones from another folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# In the text, where a picture or a video belongs.
PICTURE, VIDEO = "<image>", "<video>"
# A list that says no split would be dealt out where it comes back: rows that were learnt would become test rows.
SPLIT = {"split": "train"}
# In a csv these are the media, whatever columns of such names the rows have.
_NAMING = ("file_name", "file_names")


@dataclass(frozen=True)
class Turn:
    """One question about one clip and its answer.

    row: its columns, whose id and subject go along. media: one video, or pictures. prompt: the user's turn as the
    recipe's model is asked, with a placeholder a picture.
    """

    row: Mapping[str, Any]
    media: Sequence[str]
    is_video: bool
    question: str
    answer: str
    prompt: Sequence[Mapping[str, Any]] = field(default_factory=list)

    def names(self) -> dict[str, str]:
        """By these rows are told apart, and people kept in one split, where the list comes back: all of it is train."""
        return SPLIT | {name: self.row[name] for name in ("id", "subject", "source") if self.row.get(name)}

    def marked(self) -> str:
        """The question behind a mark for each of the media, as many as there are."""
        return (VIDEO if self.is_video else PICTURE) * len(self.media) + self.question

    def files(self) -> dict[str, list[str]]:
        return {"videos" if self.is_video else "images": list(self.media)}


def llava(turn: Turn) -> dict[str, Any]:
    """LLaVA and LLaVA-NeXT: a JSON list; one picture is a path, several are a list; `<image>` stands for a video too.

    Source: docs/Finetune_Custom_Data.md of haotian-liu/LLaVA; llava/train/train.py of LLaVA-VL/LLaVA-NeXT.
    """
    media: Any = turn.media[0] if len(turn.media) == 1 else list(turn.media)
    asked = (PICTURE + "\n") * len(turn.media) + turn.question
    return {**turn.names(), "video" if turn.is_video else "image": media, "conversations": _spoken(asked, turn.answer)}


def sharegpt(turn: Turn) -> dict[str, Any]:
    """LLaMA-Factory: a JSON list, as many marks in the text as files; dataset_info.json says which column is which.

    Source: data/README.md of hiyouga/LLaMA-Factory.
    """
    return {**turn.names(), "conversations": _spoken(turn.marked(), turn.answer), **turn.files()}


def swift(turn: Turn) -> dict[str, Any]:
    """ms-swift: JSON lines of `messages` with marks in the text. Its `label` is another thing and must not be there.

    Source: docs/source_en/Customization/Custom-dataset.md of modelscope/ms-swift.
    """
    messages = [{"role": "user", "content": turn.marked()}, {"role": "assistant", "content": turn.answer}]
    return {**turn.names(), "messages": messages, **turn.files()}


def messages(turn: Turn) -> dict[str, Any]:
    """What `processor.apply_chat_template` of transformers takes: JSON lines with a part for each file and text."""
    kind = "video" if turn.is_video else "image"
    asked = [*({"type": kind, "path": path} for path in turn.media), _text(turn.question)]
    said = {"role": "assistant", "content": [_text(turn.answer)]}
    return {**turn.names(), "messages": [{"role": "user", "content": asked}, said]}


def trl(turn: Turn) -> dict[str, Any]:
    """TRL's SFTTrainer: JSON lines, prompt and completion apart so that the answer alone is learnt; no videos.

    Source: docs/source/dataset_formats.md of huggingface/trl.
    """
    said = [{"role": "assistant", "content": [_text(turn.answer)]}]
    return {**turn.names(), "images": list(turn.media), "prompt": list(turn.prompt), "completion": said}


def csv(turn: Turn) -> dict[str, Any]:
    """A table as `data.source: folder` reads it as metadata.csv: every column of the rows that names no media."""
    files = {"file_name": turn.media[0]} if len(turn.media) == 1 else {"file_names": json.dumps(list(turn.media))}
    others = {name: _cell(value) for name, value in turn.row.items() if name not in ("media", *_NAMING)}
    return files | SPLIT | others


def _spoken(asked: str, answer: str) -> list[dict[str, str]]:
    return [{"from": "human", "value": asked}, {"from": "gpt", "value": answer}]


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(str(part) for part in value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
