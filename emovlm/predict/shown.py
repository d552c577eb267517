"""Answers as a person reads them in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from emovlm.predict.clips import Answer
from emovlm.predict.timeline import Segment

BAR_WIDTH = 30


def of_one(answer: Answer) -> RenderableType:
    """Everything about one clip: its classes from the likeliest down, then what was looked at."""
    parts: list[RenderableType] = [f"[bold]{escape(answer.id)}[/bold]: {escape(answer.answer or 'unreadable')}"]
    if answer.text is not None:
        parts.append(escape(f"the model wrote: {answer.text}"))
    if answer.probabilities:
        table = Table("class", "probability", "", box=None, pad_edge=False)
        table.columns[1].justify = "right"
        for name, share in sorted(answer.probabilities.items(), key=lambda pair: -pair[1]):
            table.add_row(escape(name), f"{share:.3f}", "#" * round(share * BAR_WIDTH))
        parts.append(table)
    return Group(*parts, "looked at:", *(escape(line) for line in answer.storyboard))


def of_many(answers: Sequence[Answer]) -> RenderableType:
    """A line a clip, a column a class."""
    classes = list(answers[0].probabilities)
    table = Table("clip", "answer", *map(escape, classes), *(["text"] if answers[0].text is not None else []))
    for one in answers:
        shares = [f"{share:.3f}" for share in one.probabilities.values()]
        written = [escape(one.text)] if one.text is not None else []
        table.add_row(escape(one.id), escape(one.answer or "unreadable"), *shares, *written)
    return table


def of_timelines(found: Mapping[str, Iterable[Segment]]) -> RenderableType:
    """A line for each stretch of time with one answer."""
    table = Table("clip", "from", "to", "answer", "mean probability")
    for clip, segments in found.items():
        for one in segments:
            span = (f"{one.start_s:.2f} s", f"{one.end_s:.2f} s")
            table.add_row(escape(clip), *span, escape(one.answer), f"{one.probability:.3f}")
    return table
