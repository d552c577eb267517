"""What tells a model the answer, or tests it on what it has seen: copies and units in two splits, labels in names."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from emovlm.check.alike import near_copies
from emovlm.check.findings import Checked, Finding, Level
from emovlm.data.leaks import spells

Row = Mapping[str, Any]
ORDER = ("train", "validation", "test")


def copies(clips: Sequence[Checked]) -> Iterator[Finding]:
    """Rows of one content (and span): in two splits, of two labels, or twice in a split."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row, record in clips:
        groups[record["content"], row.get("start_s"), row.get("end_s")].append(row)
    several = [rows for rows in groups.values() if len(rows) > 1]
    across = [rows for rows in several if len({row["split"] for row in rows}) > 1]
    torn = [rows for rows in several if len({row.get("label") for row in rows}) > 1]
    within = [rows for rows in several if rows not in across and rows not in torn]
    what, remedy = "clips of the same content in two splits", "keep one of each: the test is on what was trained"
    yield Finding("copies_across", "wrong", what, remedy, [_listed(rows, "split") for rows in across])
    what, remedy = "clips of the same content with two labels", "decide for one label, or give a soft_label"
    yield Finding("two_labels", "wrong", what, remedy, [_listed(rows, "label") for rows in torn])
    what, remedy = "clips of the same content twice in a split", "they count twice; keep one of each"
    yield Finding("copies", "note", what, remedy, [_listed(rows, "split") for rows in within])


def near(clips: Sequence[Checked]) -> Finding:
    """Pairs across splits that look alike and are no exact copies; stills and films are not compared."""
    found = []
    for still in (True, False):
        parts = {name: [one for one in clips if one[0]["split"] == name and one[1]["still"] == still] for name in ORDER}
        for place, first in enumerate(ORDER):
            for second in ORDER[place + 1 :]:
                found += _near(parts[first], parts[second])
    remedy = "look at them: copies (coded anew, brightened, mirrored) and shots of one scene belong in one split"
    return Finding("near_copies", "wrong", "pairs that look the same in two splits", remedy, found)


def _near(a: Sequence[Checked], b: Sequence[Checked]) -> Iterator[str]:
    pairs = near_copies([record["looks"] for _, record in a], [record["looks"] for _, record in b])
    for left, right, mirrored in pairs:
        (one, first), (other, second) = a[left], b[right]
        if first["content"] != second["content"]:
            how = " (mirrored)" if mirrored else ""
            yield f"{one['id']} ({one['split']}) and {other['id']} ({other['split']}){how}"


def units(rows: Sequence[Row]) -> Iterator[Finding]:
    """Subjects and sources in more than one split."""
    remedies: dict[str, tuple[Level, str]] = {
        "subject": ("wrong", "keep each in one split: data.splits deals them so where rows name no split"),
        "source": ("note", "clips of one source are alike: data.splits.unit=source keeps them apart"),
    }
    for column, (level, remedy) in remedies.items():
        splits: dict[str, set[str]] = defaultdict(set)
        for row in rows:
            if row.get(column):
                splits[str(row[column])].add(row["split"])
        shared = {unit: found for unit, found in splits.items() if len(found) > 1}
        about = [f"{unit} ({', '.join(name for name in ORDER if name in shared[unit])})" for unit in sorted(shared)]
        yield Finding(f"{column}_across", level, f"{column}s in more than one split", remedy, about)


def spelt(rows: Sequence[Row]) -> Iterator[Finding]:
    """Rows whose path, or text, spells their own class."""
    folders = [os.path.dirname(path) for row in rows for path in row["media"][:1]]
    top = os.path.commonpath(folders) if folders else ""
    labelled = [row for row in rows if row.get("label")]
    paths = [row for row in labelled if spells(os.path.relpath(row["media"][0], top), row["label"])]
    remedy = "emovlm shows no path to a model; keep names out of prompts, texts and other tools"
    what = "rows whose file name spells their label"
    yield Finding("label_in_path", "note", what, remedy, [row["id"] for row in paths])
    texts = [
        f"{row['id']}: {row['label']}" for row in labelled if row.get("text") and spells(row["text"], row["label"])
    ]
    remedy = "a model that is given these texts is told the answer"
    yield Finding("label_in_text", "wrong", "rows whose text spells their label", remedy, texts)


def _listed(rows: Sequence[Row], column: str) -> str:
    return ", ".join(f"{row['id']} ({row.get(column)})" for row in rows)
