"""Emotions and the words for them. A word belongs to one emotion only, so that classes of two sets can be matched.

A word that often means something else in a reply is left out: "content" (of the video), "blank", "down", "upset".
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from emovlm import UserError
from emovlm.lookup import near_miss

# Emotion: its other words, the plainer ones first.
_WORDS = {
    "happy": "happiness joy joyful cheerful glad delighted joyous delight pleased gladness cheerfulness elated elation "
    "enjoyment",
    "sad": "sadness unhappy sorrowful sorrow grief gloomy miserable mournful melancholy unhappiness grieving "
    "heartbroken dejected depressed",
    "neutral": "expressionless emotionless impassive neutrality unemotional",
    "angry": "anger furious mad enraged rage annoyed irritated fury annoyance irritation irate outraged outrage wrath",
    "surprise": "surprised astonished amazed shocked startled astonishment amazement shock",
    "disgust": "disgusted revulsion repulsed revolted repulsion distaste",
    "fear": "fearful afraid scared frightened terrified terror fright horror horrified panic panicked dread",
    "contempt": "contemptuous scorn scornful disdain disdainful",
    "anxiety": "anxious worried nervous worry uneasy nervousness apprehensive apprehension",
    "helplessness": "helpless powerless powerlessness",
    "disappointment": "disappointed disillusioned disillusionment",
    "calm": "calmness relaxed peaceful serene serenity tranquil composed",
    "amusement": "amused entertained mirth",
    "awe": "awed awestruck wonderment",
    "contentment": "contented satisfied satisfaction",
    "excitement": "excited thrilled exhilarated exhilaration enthusiastic enthusiasm",
    "repression": "repressed",
    "positive": "",
    "negative": "",
}
SYNONYMS = {concept: (concept, *words.split()) for concept, words in _WORDS.items()}

# What the micro-expression challenges (MEGC 2019) join into one class; "positive" beyond "happy" as in EmoSet.
BROADER = {
    "positive": ("happy", "amusement", "awe", "contentment", "excitement"),
    "negative": (
        "sad",
        "angry",
        "disgust",
        "fear",
        "contempt",
        "anxiety",
        "helplessness",
        "disappointment",
        "repression",
    ),
}

_CONCEPT_OF = {word: concept for concept, words in SYNONYMS.items() for word in words}
_BROADER_OF = {concept: broader for broader, concepts in BROADER.items() for concept in concepts}


def plain(name: str) -> str:
    """A name as it is compared: small letters (NFKC), and blanks for hyphens and underscores."""
    return " ".join(re.sub(r"[_-]", " ", unicodedata.normalize("NFKC", name).casefold()).split())


def concept_of(name: str) -> str | None:
    """The emotion that a word stands for; None for a word that is not in the table."""
    return _CONCEPT_OF.get(plain(name))


def class_synonyms(classes: Sequence[str]) -> dict[str, list[str]]:
    """class -> its words, its own name first. No word is in two classes.

    Where two classes are one emotion ("happy", "joy"), or the table does not know the class, the name stands alone: any
    other word would be a guess.
    """
    concepts = [concept_of(name) for name in classes]
    own = {plain(name) for name in classes}
    found = {}
    for name, concept in zip(classes, concepts, strict=True):
        words = SYNONYMS[concept] if concept and concepts.count(concept) == 1 else ()
        found[name] = [name, *(word for word in words if word not in own)]
    return found


def class_mapping(classes: Sequence[str], onto: Sequence[str]) -> dict[str, str]:
    """Each of `classes` -> the class of another set that is spelled alike, or is the same emotion, or a broader one.

    Raises UserError naming every class without one such counterpart.
    """
    found, missing = {}, []
    for name in classes:
        concept = concept_of(name)
        alike = [other for other in onto if plain(other) == plain(name)]
        same = [other for other in onto if concept and concept_of(other) == concept]
        broader = [other for other in onto if concept and concept_of(other) == _BROADER_OF.get(concept, "")]
        match = next((others for others in (alike, same, broader) if others), [])
        if len(match) == 1:
            found[name] = match[0]
        else:
            missing.append(f"{name} ({' or '.join(match)}?)" if match else name)
    if missing:
        raise UserError(
            f"data.map: {', '.join(missing)} cannot be matched with one of {', '.join(onto)}; give each a line "
            "there, a class or null to leave its clips out"
        )
    return found


def rows_in_classes(
    rows: Sequence[Mapping[str, Any]],
    classes: Sequence[str],
    table: Mapping[str, str | None],
    onto: Sequence[str] | None = None,
) -> tuple[list[dict[str, Any]], list[str], Counter[str]]:
    """Rows of one set under the classes of another. -> (rows, the other classes in the table's order, rows left out).

    table: every one of `classes` -> a class of the other set, or None to leave its rows out. onto: the other set's
    classes; what `class_mapping` finds among them needs no line. The shares of a soft_label (a list in the order of
    `classes`) are added up, by name; without those of classes left out they sum to 1 again. Raises UserError for a
    class that the table does not have, or has and is none.
    """
    unknown = [name for name in table if name not in classes]
    if unknown:
        raise UserError(f"data.map: '{unknown[0]}' is no class of these rows; {near_miss(unknown[0], classes)}")
    if onto is not None:
        table = {**table, **class_mapping([name for name in classes if name not in table], onto)}
    unmapped = [name for name in classes if name not in table]
    if unmapped:
        raise UserError(
            f"data.map: has no line for {', '.join(unmapped)}; give each a class, or null to leave its clips out"
        )
    order = list(dict.fromkeys(name for name in table.values() if name is not None))
    kept, left = [], Counter[str]()
    for row in rows:
        label, shares = row.get("label"), row.get("soft_label")
        summed = dict.fromkeys(order, 0.0)
        for name, share in zip(classes, shares or (), strict=shares is not None):
            if (other := table[name]) is not None:
                summed[other] += share
        if (label is not None and table[label] is None) or (shares is not None and not any(summed.values())):
            left[label or "no one class"] += 1
            continue
        new = dict(row) | ({} if label is None else {"label": table[label]})
        if shares is not None:
            new["soft_label"] = {name: share / sum(summed.values()) for name, share in summed.items()}
        kept.append(new)
    return kept, order, left
