"""One entry of another trainer's list -> its files, its question and its answer. Pure.

    conversations: [{from: human, value}, {from: gpt, value}]      LLaVA, ShareGPT, LLaMA-Factory
    messages: [{role: user, content}, {role: assistant, content}]  ms-swift, OpenAI, transformers (content in parts)
    conversation: [{human, assistant}]                             ms-swift
    prompt, completion                                             TRL
    query, response   or   instruction, input, output              ms-swift, Alpaca

with the files in image(s), video(s) or the parts, and a mark (`<image>`, `<video>`) in the text for each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emovlm import UserError

# Where the turns of one entry stand.
TURNS = ("conversations", "messages", "conversation", "prompt", "query", "instruction")
FILES = {"image": "image", "images": "image", "video": "video", "videos": "video"}
_ASKS = frozenset({"user", "human"})
_ANSWERS = frozenset({"assistant", "gpt", "bot", "model"})
_MARK = re.compile(r"\s*<(?:image|video)>\s*")


@dataclass(frozen=True)
class Entry:
    """files: as they are written (texts, or bytes with a name). question: without its marks."""

    files: list[Any]
    question: str
    answer: str


def read(values: Mapping[str, Any], place: str) -> Entry:
    """Raises UserError for an entry that is not one question about one clip with one answer."""
    said: dict[str, list[str]] = {"ask": [], "answer": []}
    files: dict[str, list[Any]] = {"image": [], "video": []}
    for role, content in _turns(values, place):
        kind = "ask" if role in _ASKS else "answer" if role in _ANSWERS else None
        if kind is None and role != "system":
            raise UserError(f"{place}: a turn of {role!r}; only a user, an assistant and a system can be read")
        text = _text(content, files, place)
        if kind is not None:
            said[kind].append(text)
    if len(said["answer"]) != 1 or not said["answer"][0]:
        raise UserError(
            f"{place}: {len(said['answer'])} answers of the assistant; a row has one: make a row of each turn"
            if said["answer"] != [""]
            else f"{place}: the answer of the assistant is empty; fill it or remove the row"
        )
    for key, kind in FILES.items():
        given = values.get(key)
        files[kind] += given if isinstance(given, list) else [] if given is None else [given]
    if bool(files["image"]) == bool(files["video"]) or len(files["video"]) > 1:
        raise UserError(
            f"{place}: {len(files['image'])} pictures and {len(files['video'])} videos; a row is one video, or pictures"
        )
    return Entry(files["image"] or files["video"], "\n".join(filter(None, said["ask"])), said["answer"][0])


def _turns(values: Mapping[str, Any], place: str) -> list[tuple[str, Any]]:
    """(role, content) in order."""
    if "prompt" in values:
        return [*_spoken(values["prompt"], "user", place), *_spoken(values.get("completion"), "assistant", place)]
    if "query" in values:
        return [("user", values["query"]), ("assistant", values.get("response"))]
    if "instruction" in values:
        asked = [("user", values["instruction"]), ("user", values.get("input"))]
        return [*asked, ("assistant", values.get("output"))]
    key = next(key for key in TURNS if key in values)
    return _spoken(values[key], "user", place)


def _spoken(turns: Any, role: str, place: str) -> list[tuple[str, Any]]:
    if isinstance(turns, str):
        return [(role, turns)]
    if not isinstance(turns, list) or not all(isinstance(turn, Mapping) for turn in turns):
        raise UserError(f"{place}: the turns are no list of objects")
    found: list[tuple[str, Any]] = []
    for turn in turns:
        if "from" in turn or "role" in turn:
            found.append((str(turn.get("from") or turn.get("role")), turn.get("value") or turn.get("content")))
        else:
            found += [(name, turn[name]) for name in ("human", "assistant") if turn.get(name)]
    return found


def _text(content: Any, files: dict[str, list[Any]], place: str) -> str:
    """The text of a turn without marks; the files of its parts go into `files`."""
    if content is None or isinstance(content, str):
        return _MARK.sub(" ", content or "").strip()
    if not isinstance(content, list) or not all(isinstance(part, Mapping) for part in content):
        raise UserError(f"{place}: the content of a turn is {type(content).__name__}; must be text or a list of parts")
    texts = []
    for part in content:
        kind = part.get("type")
        if kind == "text":
            texts.append(str(part.get("text") or "").strip())
        elif isinstance(kind, str) and kind in files:
            given = next((part[key] for key in ("path", "url", kind) if part.get(key)), None)
            # A bare place: the file stands in the entry's own list.
            files[kind] += [] if given is None else [given]
        else:
            raise UserError(f"{place}: a part of type {kind!r}; only text, image and video can be read")
    return " ".join(text for text in texts if text)
