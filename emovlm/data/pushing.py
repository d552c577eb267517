"""The rows of a recipe as a repository folder of the Hugging Face hub: parquet by split, and a card.

The media go into the parquet files, as bytes: a set of a hundred thousand clips, or of frames, is then a few files,
which the hub can serve, show and stream; paths beside a table would be found by nobody but us.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import yaml

from emovlm import UserError, __version__
from emovlm import run as runs
from emovlm.data import tables
from emovlm.data.columns import to_dataset
from emovlm.data.sources.folder import VIDEOS

if TYPE_CHECKING:
    from emovlm.recipe import Recipe

# Bytes of media in a file of the repository.
SHARD = 256 * 2**20
# Columns that are paths on this machine.
LOCAL = ("track",)

Row = dict[str, Any]
Splits = Mapping[str, list[Row]]


def push(recipe: Recipe, folder: Path) -> list[str]:
    """Write the folder. -> what there is to say of it, a line each. Raises UserError."""
    if folder.exists():
        raise UserError(f"{folder}: exists; name another folder or remove it")
    by_split, classes = tables.load_rows(recipe.data)
    left_out = sorted({name for part in by_split.values() for row in part for name in LOCAL if name in row})
    feature = _media_feature(by_split)
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        _make(unfinished / "data", folder)
        for split, part in to_dataset(by_split, classes).items():
            _write_split(unfinished / "data", split, part.remove_columns(left_out), feature)
        runs.write_text(unfinished / "README.md", _card(recipe, by_split, classes, isinstance(feature, datasets.Video)))
        os.replace(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    size_mb = sum(file.stat().st_size for file in (folder / "data").iterdir()) / 1e6
    counts = ", ".join(f"{split} {len(part)}" for split, part in by_split.items())
    notes = [f"{folder}: {counts} rows with their media inside, {size_mb:.1f} MB"]
    notes += [f"left out: the column {name}, a path on this machine" for name in left_out]
    return [*notes, f"fill in the licence in {folder / 'README.md'}, then: hf upload NAME {folder} --repo-type dataset"]


def _make(inner: Path, folder: Path) -> None:
    try:
        inner.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made ({error.strerror}); name a folder where you may write") from None


def _media_feature(by_split: Splits) -> datasets.Video | datasets.List:
    first: dict[bool, str] = {}
    for row in (row for part in by_split.values() for row in part):
        is_video = len(row["media"]) == 1 and os.path.splitext(row["media"][0])[1].lower() in VIDEOS
        first.setdefault(is_video, row["id"])
    if len(first) == 2:
        raise UserError(
            f"data: rows of videos (the first: '{first[True]}') and of pictures ('{first[False]}'); a set of the hub "
            "has one kind of media: make two recipes"
        )
    return datasets.Video() if True in first else datasets.List(datasets.Image())


def _write_split(folder: Path, split: str, part: datasets.Dataset, feature: datasets.Video | datasets.List) -> None:
    features = datasets.Features(dict(part.features) | {"media": feature})
    shards = list(_shards(part["media"]))
    for number, (start, end) in enumerate(shards):
        columns = part.select(range(start, end)).to_dict()
        assert isinstance(columns, dict), "no batches were asked for"
        media = [[_content(path) for path in paths] for paths in columns["media"]]
        columns["media"] = [files[0] for files in media] if isinstance(feature, datasets.Video) else media
        name = f"{split}-{number:05d}-of-{len(shards):05d}.parquet"
        datasets.Dataset.from_dict(columns, features=features).to_parquet(str(folder / name))


def _shards(media: Sequence[Sequence[str]]) -> Iterator[tuple[int, int]]:
    """(first row, row after the last) of each file."""
    start = size = 0
    for index, paths in enumerate(media):
        added = sum(os.path.getsize(path) for path in paths)
        if size and size + added > SHARD:
            yield start, index
            start, size = index, 0
        size += added
    yield start, len(media)


def _content(path: str) -> dict[str, Any]:
    try:
        return {"bytes": Path(path).read_bytes(), "path": os.path.basename(path)}
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def _card(recipe: Recipe, by_split: Splits, classes: Sequence[str], is_video: bool) -> str:
    files = [{"split": split, "path": f"data/{split}-*"} for split in by_split]
    header = {
        "task_categories": ["video-classification" if is_video else "image-classification"],
        "tags": ["emotion-recognition"],
        "configs": [{"config_name": "default", "data_files": files}],
    }
    # Where the set lies on this machine is nobody's business.
    made_of = _described(recipe)
    return "\n".join(
        [
            "---",
            "license:  # to be filled in by who publishes: https://huggingface.co/docs/hub/repositories-licenses",
            yaml.safe_dump(header, sort_keys=False).rstrip(),
            "---",
            "",
            "# (name of the set)",
            "",
            "(What it shows, where it comes from, who labelled it, and whether the people in it agreed to be shared.)",
            "",
            "## Rows",
            "",
            *_class_table(by_split, classes),
            "",
            _units(by_split),
            "",
            "`media` is " + ("one video" if is_video else "one picture or several") + " a row, as bytes in the table.",
            "",
            "## How it was made",
            "",
            f"By `emovlm data push` of emovlm {__version__}, from",
            "",
            "```yaml",
            yaml.safe_dump({"data": made_of}, sort_keys=False, allow_unicode=True).rstrip(),
            "```",
            "",
            "## How to read it",
            "",
            "`datasets.load_dataset(NAME)`, or in a recipe of emovlm `data: {source: hub, root: NAME}`.",
            "",
        ]
    )


def _described(recipe: Recipe) -> dict[str, Any]:
    """The recipe's data section without paths of this machine."""
    values = recipe.data.model_dump(mode="json", exclude_none=True)
    return {key: value for key, value in values.items() if key not in ("root", "quarantine")}


def _class_table(by_split: Splits, classes: Sequence[str]) -> list[str]:
    names: list[str | None] = [*classes]
    if any("label" not in row for part in by_split.values() for row in part):
        names.append(None)
    lines = [f"| class | {' | '.join(by_split)} |", "|---" * (len(by_split) + 1) + "|"]
    for name in names:
        counts = (sum(row.get("label") == name for row in part) for part in by_split.values())
        lines.append(f"| {name or '(no label)'} | {' | '.join(map(str, counts))} |")
    return [*lines, f"| all | {' | '.join(str(len(part)) for part in by_split.values())} |"]


def _units(by_split: Splits) -> str:
    subjects = {split: {row["subject"] for row in part if "subject" in row} for split, part in by_split.items()}
    if not any(subjects.values()):
        return "The rows name no subjects: whether a person is in two splits is not known."
    told = ", ".join(f"{len(names)} in {split}" for split, names in subjects.items())
    return f"No `subject` is in two splits ({told})."
