"""A reply in words -> the one class that it claims, or none. The rules are data; there is no default class.

Strict on purpose: a reply that cannot be read is counted as wrong and shown apart; one that is read too kindly
flatters. So two classes, a class that is said and denied, and a word inside the reasoning are no answer.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from emovlm.data.synonyms import plain

# "n't" is read as "not". A negator denies every name behind it in its clause; once it has met one, only names that are
# listed with that one: "not happy or sad", but "not happy, they look sad". After a verb and with no name behind it, it
# denies the names before: "happiness is not there".
NEGATORS = ("not", "no", "non", "never", "neither", "nor", "none", "nothing", "without", "hardly", "barely", "except")
NEGATORS += ("unlike", "rather than", "instead of", "other than", "anything but", "far from", "lack of", "lacks")
NEGATORS += ("lacking", "absence of", "free of", "opposite of", "rule out", "rules out", "ruling out")
NO_NEGATORS = ("not only", "not just", "no doubt", "without doubt", "without a doubt", "nothing but", "no,")
# After a verb these deny the names before: "happiness can be ruled out".
DENIALS = ("absent", "unlikely", "ruled out", "excluded", "missing", "wrong", "incorrect")
VERBS = (
    "is",
    "are",
    "was",
    "were",
    "be",
    "been",
    "do",
    "does",
    "did",
    "has",
    "have",
    "can",
    "could",
    "would",
    "should",
)
VERBS += ("will", "may", "might", "seem", "seems", "appear", "appears", "look", "looks", "ca", "wo")  # can't, won't
# These end a clause, as a semicolon and a dash do. Not "so", "yet" and "however": "not so happy", "not yet happy".
TURNS = (";", "—", "–", "but", "whereas", "while", "although", "though", "because", "therefore", "thus")
# What assistants say of themselves.
COURTESIES = (
    "happy to help",
    "glad to help",
    "i'm happy to",
    "i am happy to",
    "i'd be happy to",
    "i would be happy to",
)
COURTESIES += ("i'm glad to", "i'd be glad to", "i would be glad to", "i'm afraid", "i am afraid", "i fear")

_SENTENCE = re.compile(r"[^.!?\n]*[.!?\n]")
_CONTRACTED = re.compile(r"\b(is|are|was|were|do|does|did|has|have|could|would|should|ca|wo)n'?t\b")
_LIST_LEFT = re.compile(r",\s*(?!or\b|nor\b|and\b)\w")
_VERB_LAST = re.compile(rf"\b(?:{'|'.join(VERBS)})(?: \w+)? ?$")


class Reading(NamedTuple):
    """The class, or None and why: `no class named`, `several: a, b`, `only denied: a`, `said and denied: a`,
    `answer tag not closed`."""

    label: str | None
    reason: str | None


def parse(text: str, names: Mapping[str, Sequence[str]]) -> Reading:
    """names: class -> the words for it, as `data.synonyms.class_synonyms` gives them; no word is in two classes.

    Names count as whole words, in any case, the longest first ("happy surprise" is not "happy"). In a reply with
    <answer>..</answer> only the inside counts, and never what stands in <think>..</think>. Questions claim nothing.
    """
    part = _answer_part(unicodedata.normalize("NFKC", text).casefold().replace("’", "'"))
    if part is None:
        return Reading(None, "answer tag not closed")
    said = set(_statements(part, tuple((name, *words) for name, words in names.items())))
    claimed = sorted(name for name, denied in said if not denied)
    denied = sorted(name for name, denied in said if denied)
    if len(claimed) > 1:
        return Reading(None, f"several: {', '.join(claimed)}")
    if claimed and claimed[0] in denied:
        return Reading(None, f"said and denied: {claimed[0]}")
    if claimed:
        return Reading(claimed[0], None)
    return Reading(None, f"only denied: {', '.join(denied)}" if denied else "no class named")


def _answer_part(text: str) -> str | None:
    """What counts as the answer; None where its tag was opened and never closed."""
    # Some templates open the reasoning in the prompt, so that the reply holds only its end.
    text = re.sub(r"<think>.*", "", text.rpartition("</think>")[2], flags=re.DOTALL)
    if "<answer>" not in text:
        return text
    inside = re.findall(r"<answer>(.*?)</answer>", text, flags=re.DOTALL)
    return "\n".join(inside) if len(inside) == text.count("<answer>") else None


def _statements(text: str, names: tuple[tuple[str, ...], ...]) -> Iterator[tuple[str, bool]]:
    """(class, whether it is denied) for every name in a sentence that is no question."""
    scanner, meaning = _scanner(names)
    text = _CONTRACTED.sub(r"\1 not", text.replace("cannot", "can not"))
    text = re.sub(r"[_-]", " ", re.sub(r"\s-+\s", " — ", text))
    for sentence in _SENTENCE.findall(text + "\n"):
        if sentence.endswith("?"):
            continue
        clause: list[tuple[str, str, int, int]] = []
        for match in scanner.finditer(re.sub(r"\s+", " ", sentence)):
            kind, what = meaning[match[0]]
            if kind == "turn":
                yield from _clause(clause, match.string)
                clause = []
            elif kind != "nothing":
                clause.append((kind, what, *match.span()))
        yield from _clause(clause, re.sub(r"\s+", " ", sentence))


def _clause(tokens: Sequence[tuple[str, str, int, int]], sentence: str) -> list[tuple[str, bool]]:
    """The statements of one clause. tokens: (kind, word or class, start, end)."""
    said: list[tuple[str, bool]] = []
    negated = met = denies_back = False
    name_end = 0
    for kind, what, start, end in tokens:
        between = sentence[name_end:start]
        if kind == "name":
            negated = negated and not (met and _LIST_LEFT.search(between))
            said.append((what, negated))
            met, denies_back, name_end = True, False, end
            continue
        # "sad and is not smiling": behind an "and" the verb is not about the name.
        about_name = bool(_VERB_LAST.search(between)) and not re.search(r"\band\b", between)
        if kind == "negator":
            negated, met, denies_back = True, False, about_name
        elif about_name:
            said = [(name, True) for name, _ in said]
    return [(name, True) for name, _ in said] if denies_back else said


@functools.lru_cache
def _scanner(names: tuple[tuple[str, ...], ...]) -> tuple[re.Pattern[str], dict[str, tuple[str, str]]]:
    """A pattern for all phrases, and what each of them is: (kind, class or phrase). names: (class, its words...)."""
    meaning = {
        phrase: (kind, phrase)
        for kind, phrases in (
            ("negator", NEGATORS),
            ("denial", DENIALS),
            ("turn", TURNS),
            ("nothing", (*NO_NEGATORS, *COURTESIES)),
        )
        for phrase in phrases
    }
    owner: dict[str, str] = {}
    for name, *words in names:
        for word in map(plain, words):
            assert owner.setdefault(word, name) == name, f"'{word}' is a word of two classes"
    meaning |= {word: ("name", name) for word, name in owner.items()}
    longest_first = sorted(meaning, key=len, reverse=True)
    # A word ends where no letter goes on; a semicolon needs no such end.
    parts = [rf"(?<!\w){re.escape(p)}(?!\w)" if p[0].isalnum() else re.escape(p) for p in longest_first]
    return re.compile("|".join(parts)), meaning
