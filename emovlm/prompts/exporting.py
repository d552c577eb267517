"""The training list of a recipe for other trainers: as it is, or in the order in which its sampler will draw it."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from emovlm import UserError, lookup, sample
from emovlm import run as runs
from emovlm.data import tables
from emovlm.data.sources.folder import VIDEOS
from emovlm.frames.look import look
from emovlm.lookup import Home
from emovlm.prompts.formats import Turn
from emovlm.prompts.messages import question_text, user_turn

if TYPE_CHECKING:
    from emovlm.recipe import Recipe

FORMAT = Home("--format", "prompts/formats.py", frozenset({"turn"}))
# Trainers know a kind of file by its suffix. Formats that are not named here are JSON lines.
SUFFIXES = {"llava": ".json", "sharegpt": ".json", "csv": ".csv"}
# What these read of a clip is what the row says: its span, and the frames that the recipe chooses.
WITH_SPANS = frozenset({"trl", "csv"})
# Beside a list of sharegpt: by it LLaMA-Factory knows the list.
DESCRIPTION = "dataset_info.json"

Row = dict[str, Any]


def export(recipe: Recipe, path: Path, kind: str, *, sampled: bool) -> list[str]:
    """Write the list. -> what there is to say of it, a line each. Raises UserError."""
    entry_of = lookup.resolve(FORMAT, kind)
    suffix = SUFFIXES.get(kind, ".jsonl")
    if path.suffix != suffix:
        raise UserError(
            f"{path}: a list of --format {kind} is a {suffix} file; name it {path.with_suffix(suffix).name}"
        )
    if path.exists():
        raise UserError(f"{path}: exists; name another file or remove it")
    rows, classes = _rows(recipe, sampled)
    learnt = [row for row in rows if row.get("answer") or row.get("label")]
    if not learnt:
        raise UserError("data: no training row has a label or an answer, so there is nothing to export")
    _check_spans(learnt, kind)
    question = question_text(recipe.prompt, classes)
    turns: Iterable[Turn] = (_turn(row, question) for row in learnt)
    if kind == "trl":
        turns = _with_frames(turns, recipe, path)
    entries = [entry_of(turn) for turn in turns]
    described = _described(path, learnt) if kind == "sharegpt" else None
    if suffix == ".csv":
        runs.write_text(path, _table(entries, path.parent))
    elif suffix == ".json":
        runs.write_json(path, entries)
    else:
        runs.write_jsonl(path, entries)
    if described is not None:
        runs.write_json(path.with_name(DESCRIPTION), described)
    how = f"as {recipe.sampler.strategy} draws them" if sampled else "each once"
    notes = [f"{len(learnt)} rows {how} written to {path}; the question: {question}"]
    if len(learnt) < len(rows):
        notes.append(f"left out: {len(rows) - len(learnt)} rows without label and answer")
    if kind == "csv" and any("soft_label" in row for row in learnt):
        notes.append(
            f"soft_label: shares in the order of data.classes: [{', '.join(classes)}]; name them where it is read"
        )
    if recipe.enrich is not None:
        notes.append("left out: the texts between frames (enrich), which no other trainer places")
    return notes


def _rows(recipe: Recipe, sampled: bool) -> tuple[list[Row], list[str]]:
    if sampled:
        found = sample.planned(recipe)
        return list(sample.drawn(found)), found.ledger["classes"]
    splits, classes = tables.load_rows(recipe.data)
    if "train" not in splits:
        raise UserError(f"data: there is no train split (found: {', '.join(splits)})")
    return splits["train"], classes


def _check_spans(rows: list[Row], kind: str) -> None:
    spans = [row for row in rows if "start_s" in row or "end_s" in row]
    if spans and kind not in WITH_SPANS:
        raise UserError(
            f"--format {kind}: {len(spans)} rows are parts of a file (start_s, end_s; the first: '{spans[0]['id']}'), "
            "and such a list names whole files; cut the files, or take --format trl, whose frames are chosen here"
        )


def _turn(row: Row, question: str) -> Turn:
    media = [os.path.abspath(path) for path in row["media"]]
    is_video = len(media) == 1 and os.path.splitext(media[0])[1].lower() in VIDEOS
    return Turn(row, media, is_video, question, row.get("answer") or row["label"])


def _with_frames(turns: Iterable[Turn], recipe: Recipe, path: Path) -> Iterator[Turn]:
    """The frames that the recipe's model would see, as pictures beside the list; a clip drawn again has them already.

    A random policy chooses as in the first epoch.
    """
    folder = path.absolute().with_name(f"{path.stem}_frames")
    done: dict[str, Turn] = {}
    for turn in turns:
        clip_key = json.dumps([turn.media, turn.row.get("start_s"), turn.row.get("end_s")])
        if clip_key not in done:
            name = turn.row["id"]
            clip = look(turn.row, recipe.frames, (recipe.seed, 0, name))
            asked = user_turn(clip, turn.question, as_video=False, time_marks=recipe.prompt.time_marks, gap_texts={})
            pictures = [folder / f"{len(done):06d}" / f"{k}.png" for k in range(len(clip.frames_THWC))]
            pictures[0].parent.mkdir(parents=True, exist_ok=True)
            for picture, frame_HWC in zip(pictures, clip.frames_THWC, strict=True):
                Image.fromarray(frame_HWC).save(picture)
            done[clip_key] = replace(turn, media=[str(picture) for picture in pictures], is_video=False, prompt=asked)
        yield replace(done[clip_key], row=turn.row, answer=turn.answer)


def _table(entries: list[dict[str, Any]], folder: Path) -> str:
    """Paths inside the table's folder are relative to it, as `data.source: folder` wants them."""
    columns = list(dict.fromkeys(column for entry in entries for column in entry))
    if "file_names" in columns:
        columns = ["file_names", *(column for column in columns if column not in ("file_names", "file_name"))]
        for entry in entries:
            entry.setdefault("file_names", json.dumps([entry.pop("file_name", "")]))
            entry["file_names"] = json.dumps([_near(path, folder) for path in json.loads(entry["file_names"])])
    else:
        for entry in entries:
            entry["file_name"] = _near(entry["file_name"], folder)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(entries)
    return text.getvalue()


def _near(path: str, folder: Path) -> str:
    inside = f"{os.path.abspath(folder)}/"
    return path.removeprefix(inside)


def _described(path: Path, rows: list[Row]) -> dict[str, Any]:
    """What DESCRIPTION will hold: the list's entry, and those of other lists as they are. Raises UserError."""
    info = path.with_name(DESCRIPTION)
    try:
        entries: Any = json.loads(info.read_text(encoding="utf-8")) if info.exists() else {}
    except ValueError as error:
        raise UserError(f"{info}: is no valid JSON ({error}); mend it or move it away") from None
    if not isinstance(entries, dict):
        raise UserError(f"{info}: must be an object; this is {type(entries).__name__}; mend it or move it away")
    files = sorted({name for row in rows for name in _turn(row, "").files()})
    columns = {"messages": "conversations"} | {name: name for name in files}
    return entries | {path.stem: {"file_name": path.name, "formatting": "sharegpt", "columns": columns}}
