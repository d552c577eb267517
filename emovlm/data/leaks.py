"""What could tell a model the answer though no subject is in two splits: said and counted, not refused.

Many sets cut several clips from one film, and an utterance may well say "happy": whether that hurts is for the user to
judge, who must know it. Rows are dicts by split, as tables.load_rows gives them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_WORD = re.compile(r"[^\W_]+")


class LeakWarning(UserWarning):
    """One line of `leak_notes`."""


def leak_notes(by_split: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """One line for each way in which an answer may leak: a source in two splits, a text that spells its row's class."""
    return [note for note in (_shared_sources(by_split), _spelt_labels(by_split)) if note]


def spells(text: str, name: str) -> bool:
    """Whether `text` has `name` as whole words, whatever their case and what stands between them."""
    return f" {_words(name)} " in f" {_words(text)} "


def _words(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))


def _shared_sources(by_split: Mapping[str, Sequence[Mapping[str, Any]]]) -> str | None:
    splits_of: dict[str, list[str]] = {}
    for split, rows in by_split.items():
        for source in {row["source"] for row in rows if row.get("source")}:
            splits_of.setdefault(source, []).append(split)
    shared = sorted(source for source, splits in splits_of.items() if len(splits) > 1)
    if not shared:
        return None
    return (
        f"data: {len(shared)} of {len(splits_of)} sources are in more than one split (the first: '{shared[0]}', in "
        f"{', '.join(splits_of[shared[0]])}); clips of one source are alike: data.splits.unit=source keeps them apart"
    )


def _spelt_labels(by_split: Mapping[str, Sequence[Mapping[str, Any]]]) -> str | None:
    texts = {split: [row for row in rows if row.get("text") and row.get("label")] for split, rows in by_split.items()}
    spelt = {split: [row for row in rows if spells(row["text"], row["label"])] for split, rows in texts.items()}
    first = next((row for rows in spelt.values() for row in rows), None)
    if first is None:
        return None
    counts = ", ".join(f"{len(rows)} of {len(texts[split])} in {split}" for split, rows in spelt.items() if rows)
    return (
        f"data: the column text spells the class of its own row: {counts} (the first: '{first['id']}', "
        f"{first['label']}); a model that is given these texts is told the answer"
    )
