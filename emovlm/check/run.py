"""`emovlm data check`: rows and clips of a recipe -> what is wrong, data_check.json and the quarantine."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emovlm import run as runs
from emovlm.check import findings, leaking, survey
from emovlm.check.decoding import decode_all
from emovlm.check.findings import LEVELS, Checked, Finding
from emovlm.data import checked
from emovlm.data.dealing import class_notes
from emovlm.data.leftout import LeftOut
from emovlm.data.tables import gather

if TYPE_CHECKING:
    from emovlm.data.count import Count
    from emovlm.recipe import Recipe

Row = Mapping[str, Any]
SHOWN = 3
# Sources in which every file is meant to have a row, and whether the whole tree is the set's; official layouts differ.
PLAIN = {"folder": True, "jsonl": False}


def check(recipe: Recipe, out: Path, workers: int | None = None) -> dict[str, Any]:
    """Decode every clip, judge every row; into `out` go data_check.json and quarantine.jsonl. -> the former's content.

    workers: processes; by default one a core. Rows that the recipe cuts away or leaves out are checked too. What is
    found of each clip is remembered: a second check decodes what has changed. Raises UserError for whatever makes the
    rows no rows.
    """
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", LeftOut)
        everything = gather(recipe.data)
    rows, missing = everything.rows, everything.missing
    faults = [(row, "missing", str(missing[path])) for row in rows if (path := _lost(row, missing))]
    there = [row for row in rows if not _lost(row, missing)]
    records, num_known = decode_all(there, workers or len(os.sched_getaffinity(0)))
    clips = [(row, records[checked.clip_key(row)]) for row in there]
    faults += [(row, record["kind"], record["fault"]) for row, record in clips if record["fault"]]
    clips = [(row, record) for row, record in clips if not record["fault"]]
    count = survey.counted(recipe.data, rows, everything.classes)
    found = [*findings.unusable([fault[:2] for fault in faults]), *_judged(recipe, rows, clips)]
    found += [survey.differences(count), _absent(rows, everything.classes)]
    found += [_left_out([str(one.message) for one in told if issubclass(one.category, LeftOut)])]
    content = {
        "source": recipe.data.source,
        "root": recipe.data.args.get("root"),
        "rows": len(rows),
        "clips": len(records),
        "known_before": num_known,
        "unusable": len(faults),
        **_classes(count),
        **survey.shape(clips),
        "faces": survey.face_share(clips),
        "findings": [_told(one) for level in LEVELS for one in found if one.about and one.level == level],
        "quarantine": str(out / "quarantine.jsonl"),
    }
    runs.write_json(out / "data_check.json", content)
    lines = [{"id": row["id"], "media": row["media"], "reason": kind, "detail": why} for row, kind, why in faults]
    runs.write_jsonl(out / "quarantine.jsonl", lines)
    return content


def _lost(row: Row, missing: Mapping[str, Any]) -> str | None:
    """The first of the row's files that is not there."""
    return next((path for path in row["media"] if path in missing), None)


def _judged(recipe: Recipe, rows: Sequence[Row], clips: Sequence[Checked]) -> Iterator[Finding]:
    yield from findings.of_clips(clips)
    yield findings.gaps(rows)
    yield from leaking.copies(clips)
    yield leaking.near(clips)
    yield from leaking.units(rows)
    yield from leaking.spelt(rows)
    if recipe.data.source in PLAIN:
        root = Path(recipe.data.args["root"]).expanduser()
        root = root if root.is_dir() else root.parent
        yield findings.without_rows(rows, root, everywhere=PLAIN[recipe.data.source])


def _absent(rows: Sequence[Row], classes: Sequence[str]) -> Finding:
    by_split: dict[str, list[Row]] = {}
    for row in rows:
        by_split.setdefault(row["split"], []).append(row)
    remedy = "scores of a split are over the classes that it has"
    return Finding("absent_classes", "note", "splits that lack a class", remedy, class_notes(by_split, classes))


def _left_out(told: list[str]) -> Finding:
    return Finding("left_out", "note", "rows that the source leaves out", "nothing, if that is what you want", told)


def _classes(count: Count) -> dict[str, Any]:
    return {
        "classes": {name: {split: part[name] for split, part in count.found.items()} for name in count.classes},
        "unlabelled": {split: part[None] for split, part in count.found.items() if part[None]},
        "has_published": bool(count.published),
    }


def _told(one: Finding) -> dict[str, Any]:
    return {**asdict(one), "count": len(one.about), "examples": one.about[:SHOWN]}
