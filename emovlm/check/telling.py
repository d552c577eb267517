"""The content of data_check.json on a terminal: a line a kind, what the set is like, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

LEVELS = {"unusable": "cannot be used", "wrong": "makes numbers wrong", "note": "good to know"}


def shown(found: Mapping[str, Any]) -> Iterator[Table | str]:
    """For a rich console, in order."""
    yield opening(found)
    if found["findings"]:
        for level, title in LEVELS.items():
            of_level = [one for one in found["findings"] if one["level"] == level]
            if of_level:
                yield _table(title, of_level)
    yield "\n".join(map(escape, likeness(found)))
    yield escape(verdict(found))


def _table(title: str, of_level: list[Any]) -> Table:
    table = Table("", "what", "remedy", "such as", title=title, title_justify="left", box=SIMPLE, expand=True)
    table.columns[0].justify = "right"
    for column, ratio in zip(table.columns[1:], (4, 5, 6), strict=True):
        column.ratio = ratio
    for one in of_level:
        table.add_row(*map(escape, (str(one["count"]), one["what"], one["remedy"], such_as(one))))
    return table


def opening(found: Mapping[str, Any]) -> str:
    known = f", {found['known_before']} of them known from before" if found["known_before"] else ""
    where = f" in {found['root']}" if found["root"] else ""
    return f"{found['source']}{where}: {found['rows']} rows, {found['clips']} clips decoded from end to end{known}"


def such_as(finding: Mapping[str, Any]) -> str:
    more = finding["count"] - len(finding["examples"])
    return "; ".join(finding["examples"]) + (f"; and {more} more" if more else "")


def likeness(found: Mapping[str, Any]) -> list[str]:
    """What the set is like, a line each."""
    lines = []
    if seconds := found["seconds"]:
        lines.append(
            f"seconds a clip: median {seconds['median']:.3g}, nine in ten from {seconds['low']:.3g} to "
            f"{seconds['high']:.3g}, all from {seconds['least']:.3g} to {seconds['most']:.3g}"
        )
    if frames := found["frames"]:
        lines.append(f"frames a clip: median {frames['median']:g}, from {frames['least']:g} to {frames['most']:g}")
    if found["stills"]:
        lines.append(f"pictures: {found['stills']} of the clips are made of them")
    if found["sizes"]:
        others = f", and {found['other_sizes']} other sizes" if found["other_sizes"] else ""
        lines.append(f"size: {', '.join(f'{size} ({n})' for size, n in found['sizes'].items())}{others}")
    lines.append(face_line(found["faces"]))
    if found["has_published"] and not any(one["kind"] == "published" for one in found["findings"]):
        lines.append("classes: every count is the published one")
    return lines


def face_line(faces: Mapping[str, Any] | None) -> str:
    if faces is None:
        return "faces: not looked for (pip install 'emovlm[face]')"
    part = ""
    if height := faces["height"]:
        part = f"; it takes {height['median']:.0%} of the height (median, {height['low']:.0%} to {height['high']:.0%})"
    return f"faces: in {faces['with_a_face']} of {faces['looked_at']} clips looked at (of {faces['of']}){part}"


def verdict(found: Mapping[str, Any]) -> str:
    if not found["unusable"]:
        return "every row can be used"
    return f"{found['unusable']} rows cannot be used; data.quarantine={found['quarantine']} leaves them out, counted"
