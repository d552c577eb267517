"""Class names in texts: counted, and taken out where asked. "The captioner said *angry*" is no trajectory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from emovlm.prompts.arrangement import GapTexts, Texts

ENDINGS = "(?:ly|ness|ity|ing|ings|ingly|ed|edly|er|est|s|d|r|st|ful|fully)?"
# What is left around a word that was taken out: "looks , and" or "- ;".
_LOOSE = re.compile(r"\s+([,;.:!?])|([,;:])\s*(?=[,;.:!?]|$)")


def mentions(texts: Texts, labels: Mapping[str, str | None], words: Mapping[str, Sequence[str]]) -> dict[str, dict]:
    """How often the texts of a clip say a class: by class {clips, say_own, say_other, said_by_others}.

    labels: id -> class name, None for a clip without one, which is left out. words: class name -> its words.
    """
    patterns = {name: _any_of(found) for name, found in words.items()}
    counts = {name: {"clips": 0, "say_own": 0, "say_other": 0, "said_by_others": 0} for name in words}
    for row_id, gaps in texts.items():
        own = labels.get(row_id)
        if own is None:
            continue
        said = {name for name, pattern in patterns.items() if any(pattern.search(text) for text in _flat(gaps))}
        counts[own]["clips"] += 1
        counts[own]["say_own"] += own in said
        counts[own]["say_other"] += bool(said - {own})
        for name in said - {own}:
            counts[name]["said_by_others"] += 1
    return counts


def masked(texts: Texts, words: Mapping[str, Sequence[str]]) -> dict[str, dict[int, list[str]]]:
    """The texts without any class's words; a text of which nothing is left is left out."""
    pattern = _any_of(word for found in words.values() for word in found)
    return {
        row_id: {gap: found for gap, of_gap in gaps.items() if (found := _without(of_gap, pattern))}
        for row_id, gaps in texts.items()
    }


def _without(texts: Sequence[str], pattern: re.Pattern[str]) -> list[str]:
    found = []
    for text in texts:
        left = pattern.sub(" ", text)
        if left != text:
            left = _LOOSE.sub(r"\1", " ".join(left.split())).strip(" ,;:")
        if re.search(r"\w", left):
            found.append(left)
    return found


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """Whole words and their forms, whatever their case, with what a hyphen ties to them ("angry-looking").

    A blank, hyphen or underscore in a word stands for any of them.
    """
    longest_first = sorted(set(words), key=lambda word: (-len(word), word))
    parts = []
    for word in longest_first:
        *first, last = re.split(r"[\s_-]+", word)
        parts.append(r"[\s_-]+".join([*map(re.escape, first), _forms(last)]))
    return re.compile(rf"\b(?:{'|'.join(parts)})(?:-\w+)*\b", re.IGNORECASE)


def _forms(word: str) -> str:
    """Of sad: sadly, sadness, sadder, saddened; of angry: angrily, angrier; of surprise: surprised, surprisingly."""
    plain = re.escape(word)
    found = [plain + ENDINGS]
    if word[-1:] == "y":
        found.append(re.escape(word[:-1]) + "i(?:ly|ness|er|est|ed|es)")
    elif word[-1:] == "e":
        found.append(re.escape(word[:-1]) + "(?:ing|ingly|edly|y)")
    elif word[-1:].isalpha():
        found.append(plain + re.escape(word[-1]) + "(?:er|est|en|ens|ened|ening|ed|ing)")
    return f"(?:{'|'.join(found)})"


def _flat(gaps: GapTexts) -> list[str]:
    return [text for texts in gaps.values() for text in texts]
