"""Lists of other trainers, tables and sets of `datasets` as rows of our own: `emovlm data import`."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from emovlm import UserError
from emovlm import run as runs
from emovlm.data import conversations, labels, mediacache
from emovlm.data.mediafiles import located
from emovlm.data.schema import KNOWN
from emovlm.data.sources import hub
from emovlm.data.sources.folder import SPLIT_FOLDERS
from emovlm.data.tablefile import read_csv, read_jsonl

Row = dict[str, Any]
# Answers are the names of classes where they are at most so many, of at most so many words, each given twice on
# average; else they are texts to be learnt as they are.
MOST_CLASSES, MOST_WORDS = 64, 4
MEDIA = ("media", "file_name", "file_names", *conversations.FILES)
# Of a conversation these go along: its other keys mean other things elsewhere (`label` of ms-swift, say).
ALONG = frozenset(KNOWN) - {"media", "label", "soft_label", "answer", "text"}


def bring_in(path: Path, out: Path, media: Path | None = None) -> list[str]:
    """Write the rows of `path` to `out`, for `data.source: jsonl`. -> what there is to say of it, a line each.

    path: .json, .jsonl, .csv, .parquet, or a folder that `datasets` reads. media: where relative paths start; by
    default the list's own folder. Raises UserError.
    """
    if out.suffix != ".jsonl":
        raise UserError(f"{out}: rows are written as JSON lines; name a .jsonl")
    if out.exists():
        raise UserError(f"{out}: exists; name another file or remove it")
    entries = list(_entries(path))
    if not entries:
        raise UserError(f"{path}: has no row")
    # Without `..`, which the source would refuse in what is written.
    root = os.path.abspath(media or (path if path.is_dir() else path.parent))
    files = _Files(root, Path(os.path.abspath(out)))
    rows, questions, answers = [], Counter[str](), []
    for values, place in entries:
        if any(key in values for key in conversations.TURNS):
            entry = conversations.read(values, place)
            row = {key: value for key, value in values.items() if key in ALONG and value is not None}
            row |= {"media": files.paths(entry.files, place), "question": entry.question, "answer": entry.answer}
            questions[entry.question] += 1
            answers.append(entry.answer)
        else:
            row = {key: value for key, value in values.items() if key not in MEDIA and value not in (None, "")}
            row["media"] = files.paths(_listed(values, place), place)
        if row.get("split"):
            row["split"] = SPLIT_FOLDERS.get(str(row["split"]).strip().lower(), row["split"])
        _check_storable(row, place)
        rows.append(row)
    notes = [_name(rows, path.stem), _answer_kind(rows, answers, str(path)), _question(rows, questions)]
    runs.write_jsonl(out, [_ordered(row) for row in rows])
    return [f"{len(rows)} rows written to {out} (data: {{source: jsonl, root: {out}}})", *filter(None, notes)]


def _entries(path: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    if not path.exists():
        raise UserError(f"{path}: no such file or folder (from {Path.cwd()})")
    if path.is_dir() or path.suffix == ".parquet":
        yield from _of_datasets(path)
    elif path.suffix == ".csv":
        yield from read_csv(path)
    elif path.suffix == ".jsonl":
        yield from read_jsonl(path)
    elif path.suffix == ".json":
        yield from _of_json(path)
    else:
        raise UserError(f"{path}: must be .json, .jsonl, .csv, .parquet or a folder that `datasets` reads")


def _of_json(path: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    try:
        found = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is no valid JSON ({error})") from None
    if not isinstance(found, list):
        raise UserError(f"{path}: must be a list of entries; this is {type(found).__name__}")
    for number, values in enumerate(found, start=1):
        if not isinstance(values, dict):
            raise UserError(f"{path}, entry {number}: must be an object; this is {type(values).__name__}")
        yield values, f"{path}, entry {number}"


def _of_datasets(path: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    import datasets

    splits = hub.open_set(str(path), None, None)
    for split, part in splits.items():
        named = hub.split_name(split, list(splits), str(path))
        for column in part.column_names:
            part = hub.undecoded(part, column)
        classes = {key: value for key, value in part.features.items() if isinstance(value, datasets.ClassLabel)}
        order = hub.class_names(part, "label")
        for index, values in enumerate(cast("Iterable[dict[str, Any]]", part)):
            for column, feature in classes.items():
                number = values[column]
                values[column] = None if number is None or number < 0 else feature.int2str(number)
            if "soft_label" in values:
                values["soft_label"] = hub.named_shares(values["soft_label"], order)
            # How tables made by pandas say that there is no number.
            values = {key: None if _is_nan(value) else value for key, value in values.items()}
            yield ({} if named is None else {"split": named}) | values, f"{path} [{split}], row {index}"


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _check_storable(row: Row, place: str) -> None:
    """Raises UserError for a value that a line of JSON in UTF-8 cannot hold."""
    for column, value in row.items():
        try:
            json.dumps({column: value}, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise UserError(
                f"{place}: the column {column!r} cannot be written as JSON ({error}); write it as text or a finite "
                "number, or remove it"
            ) from None


def _listed(values: Mapping[str, Any], place: str) -> list[Any]:
    """The files of a row of a table."""
    given = next((values[key] for key in MEDIA if values.get(key)), None)
    if given is None:
        raise UserError(
            f"{place}: no file ({', '.join(MEDIA)}) and no turns ({', '.join(conversations.TURNS)}) in its columns "
            f"{', '.join(values)}; rename them"
        )
    if isinstance(given, str) and given.startswith("["):
        try:
            given = json.loads(given)
        except ValueError:
            raise UserError(f"{place}: {given!r} is no JSON list of files") from None
    return given if isinstance(given, list) else [given]


class _Files:
    """Paths as `out` can write them: relative where they lie in its folder, else absolute. All must be there."""

    def __init__(self, root: str, out: Path):
        self.root, self.folder = root, str(out.parent)
        self.bytes_to = out.with_name(f"{out.stem}_media")

    def paths(self, files: Sequence[Any], place: str) -> list[str]:
        found = [self._path(file, place) for file in files]
        return [path.removeprefix(f"{self.folder}/") for path in found]

    def _path(self, file: Any, place: str) -> str:
        if isinstance(file, Mapping) and isinstance(file.get("bytes"), bytes):
            return mediacache.store(file["bytes"], file.get("path"), self.bytes_to)
        written = file.get("path") if isinstance(file, Mapping) else file
        if not isinstance(written, str) or not written.strip():
            raise UserError(f"{place}: a file is {type(file).__name__}; must be a path, or bytes")
        written = written.strip().removeprefix("file://")
        if written.startswith(("http://", "https://")):
            raise UserError(f"{place}: '{written}' is on the web; download it and name the file")
        _check_storable({"media": written}, place)
        path = os.path.normpath(located(self.root, written, place, self.root, absolute=True))
        if not os.path.isfile(path):
            raise UserError(
                f"{place}: names '{written}', but there is no file {path}; --media FOLDER says where paths start"
            )
        return path


def _name(rows: Sequence[Row], stem: str) -> str | None:
    """Rows without an id are numbered; an id that comes again gets a number behind it."""
    given = [str(row.get("id") or f"{stem}/{number}").strip() for number, row in enumerate(rows, start=1)]
    taken, times, again = set(given), Counter[str](), 0
    for row, name in zip(rows, given, strict=True):
        row["id"] = name
        times[name] += 1
        if times[name] == 1:
            continue
        # `a#2` may be another row's own id.
        while (numbered := f"{name}#{times[name]}") in taken:
            times[name] += 1
        taken.add(numbered)
        row["id"], again = numbered, again + 1
    return f"{again} rows had an id that was there before: a number stands behind it" if again else None


def _answer_kind(rows: Sequence[Row], answers: Sequence[str], place: str) -> str | None:
    """The assistant's answers become `label` or stay `answer`. Raises UserError for classes that differ in case."""
    if not answers:
        return None
    counts = Counter(answers)
    few = len(counts) <= MOST_CLASSES and 2 * len(counts) <= len(answers)
    if few and all(len(text.split()) <= MOST_WORDS and not labels.is_bare_number(text) for text in counts):
        labels.class_order(counts, place)
        for row in rows:
            if "answer" in row and "question" in row:
                row["label"] = row.pop("answer")
        told = ", ".join(f"{name} {count}" for name, count in counts.most_common(12))
        return f"label: the answers are {len(counts)} classes ({told}{', ...' * (len(counts) > 12)})"
    return f"answer: {len(answers)} answers, {len(counts)} different ones, are texts to be learnt as they are"


def _question(rows: Sequence[Row], questions: Counter[str]) -> str | None:
    """One question for all is the recipe's to ask; several stay in a column of their own."""
    if len(questions) == 1:
        for row in rows:
            row.pop("question", None)
        asked = json.dumps(*questions, ensure_ascii=False)
        return f"all rows ask the same; in the recipe: prompt: {{question: {asked}, list_classes: false}}"
    if questions:
        return f"{len(questions)} different questions are kept in the column `question`; a recipe asks one of all rows"
    return None


def _ordered(row: Row) -> Row:
    """Our own columns first. One file is written as a path, as in a table made by hand."""
    media = row["media"][0] if len(row["media"]) == 1 else row["media"]
    return {name: row[name] for name in KNOWN if name in row} | row | {"media": media}
