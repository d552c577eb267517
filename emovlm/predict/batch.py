"""`emovlm predict`: many clips, of which a bad one is named and passed over."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from emovlm import UserError
from emovlm.console import stdout
from emovlm.enrich.progress import Progress
from emovlm.frames.clip import ClipError
from emovlm.predict import figure, shown, timeline
from emovlm.predict.clips import Answer, files, row
from emovlm.predict.predictor import Predictor
from emovlm.run import write_text


def predict(predictor: Predictor, clips: Sequence[str | Path]) -> list[Answer]:
    """The answer to each clip, or of a clip that cannot be read its `error`. A folder stands for the clips in it."""
    return [answer for answer, _ in predictor.answers([row(path) for path in files(clips)])]


def tell(predictor: Predictor, clips: Sequence[str | Path], *, as_json: bool, out: Path | None) -> int:
    """Print an answer a clip: JSON lines as they come, or a table at the end. -> how many clips could not be read.

    out: a folder for the JSON lines as well (answers.jsonl).
    """
    rows = [row(path) for path in files(clips)]
    answers: list[Answer] = []
    with ExitStack() as stack:
        lines = [sys.stdout] if as_json else []
        if out:
            _check_folder(out)
            out.mkdir(parents=True, exist_ok=True)
            lines.append(stack.enter_context(open(out / "answers.jsonl", "w", encoding="utf-8")))
        for answer in _followed(predictor, rows, bar=not (as_json and sys.stdout.isatty())):
            _write(lines, answer.record() | _changed(predictor))
            answers.append(answer)
    good = [answer for answer in answers if answer.error is None]
    if good and not as_json:
        _print(predictor, shown.of_one(good[0]) if len(answers) == 1 else shown.of_many(good))
    return len(answers) - len(good)


def tell_timelines(
    predictor: Predictor,
    clips: Sequence[str | Path],
    *,
    window_s: float,
    step_s: float,
    as_json: bool,
    out: Path | None,
) -> int:
    """A window over each video: <name>.csv and <name>.svg into `out` (by default here), what changes when as a table.

    as_json: a line a window in place of the table. -> how many videos could not be read.
    """
    if predictor.asked.evaluate.scorer == "generation":
        raise UserError("--timeline: needs the probabilities of the classes; give evaluate.scorer=likelihood")
    if out:
        _check_folder(out)
    found: dict[str, list[timeline.Segment]] = {}
    names: set[str] = set()
    num_failed = 0
    for path in files(clips):
        try:
            answers = _timeline(predictor, path, window_s, step_s, bar=not (as_json and sys.stdout.isatty()))
        except ClipError as error:
            num_failed += 1
            if as_json:
                _write([sys.stdout], {"media": path, "error": str(error)})
            continue
        if as_json:
            for answer in answers:
                _write([sys.stdout], {"media": path, **answer.record(), **_changed(predictor)})
        if len(answers) == 1:
            print(f"{path}: is no longer than the window of {window_s:g} s: one window", file=sys.stderr)
        name = _unused(Path(path).name, names)
        timeline.write_csv((out or Path()) / f"{name}.csv", answers)
        title = " ".join([Path(path).name, *(f"({change})" for change in predictor.changed)])
        write_text((out or Path()) / f"{name}.svg", figure.draw(answers, title))
        found[path] = timeline.segments(answers)
    if found:
        print(f"timelines written to {out or Path()}: {', '.join(sorted(names))} (.csv, .svg)", file=sys.stderr)
    if found and not as_json:
        _print(predictor, shown.of_timelines(found))
    return num_failed


def _timeline(predictor: Predictor, path: str, window_s: float, step_s: float, *, bar: bool) -> list[Answer]:
    """The answers to all windows. Raises ClipError, after it has been said, where one cannot be read.

    A gap would look like a steady answer.
    """
    try:
        rows = timeline.windows(path, window_s, step_s)
    except ClipError as error:
        _complain(path, str(error))
        raise
    answers = list(_followed(predictor, rows, bar=bar, title=Path(path).name))
    if errors := [answer.error for answer in answers if answer.error]:
        raise ClipError(errors[0])
    return answers


def _changed(predictor: Predictor) -> dict[str, Any]:
    """By what the clips are looked at otherwise than when the run was scored."""
    return {"changed": predictor.changed} if predictor.changed else {}


def _check_folder(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out}: is a file; name a folder")


def _followed(
    predictor: Predictor, rows: Sequence[dict[str, Any]], *, bar: bool, title: str = "predict"
) -> Iterator[Answer]:
    """The answers as they come, with a bar or lines on stderr; a clip that cannot be read is named there."""
    progress = Progress(title, len(rows)) if bar and len(rows) > 1 else None
    try:
        for answer, _ in predictor.answers(rows):
            if answer.error is not None:
                _complain(answer.id, answer.error)
            yield answer
            if progress:
                progress.add(1)
    finally:
        if progress:
            progress.close()


def _complain(clip: str, error: str) -> None:
    print(error if clip in error else f"{clip}: {error}", file=sys.stderr, flush=True)


def _write(files: Sequence[TextIO], record: dict[str, Any]) -> None:
    for file in files:
        print(json.dumps(record, ensure_ascii=False), file=file, flush=True)


def _unused(name: str, names: set[str]) -> str:
    """The name, with a number behind it where another folder had a clip of that name."""
    number, found = 1, name
    while found in names:
        number += 1
        found = f"{name}-{number}"
    names.add(found)
    return found


def _print(predictor: Predictor, content: Any) -> None:
    console = stdout(160)
    console.print(content, highlight=False)
    if predictor.changed:
        console.print(f"not as the run was scored: {', '.join(predictor.changed)}", markup=False, highlight=False)
