"""A folder of clips, as ImageFolder and VideoFolder have it.

    root/happy/a.mp4  root/sad/b.mp4                   a folder per class
    root/metadata.csv  root/clips/a.mp4                a table beside the files: file_name,label,subject,...
    root/train/...  root/validation/...  root/test/... either of them, per split (also val, valid, dev)

In a table `file_name` (one video or picture) or `file_names` (pictures of one clip: a JSON list, names separated by
semicolons, or a folder of frames, taken in the order of their numbers) is relative to the table. `metadata.jsonl` is as
good as `metadata.csv`. A folder per class says no subject: give a table, or split by `data.splits.unit: id`. Paths of a
table stay inside the root (data/mediafiles.py); `data.outside: true` allows others.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from emovlm import UserError
from emovlm.data import labels
from emovlm.data.mediafiles import located, missing_file
from emovlm.data.schema import PLACE
from emovlm.data.tablefile import read_csv, read_jsonl

SPLIT_FOLDERS = {"train": "train", "validation": "validation", "val": "validation", "valid": "validation"}
SPLIT_FOLDERS |= {"dev": "validation", "test": "test"}
PICTURES = frozenset(
    (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".jp2", ".avif")
)
VIDEOS = frozenset(
    (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".mts", ".m2ts", ".3gp")
) | {".ogv", ".asf", ".vob"}
# What file managers leave behind; hidden files (a leading dot) are ignored everywhere.
LITTER = frozenset({"thumbs.db", "desktop.ini"})


def load(root: str, names: dict[str, str] | None = None, outside: bool = False) -> list[dict]:
    """The rows. names: folder name or label code -> class name, where classes are numbered. Raises UserError."""
    top, table = Path(root).expanduser(), labels.name_table(names)
    if not top.is_dir():
        raise UserError(f"data.root: '{root}': no such folder (from {Path.cwd()})")
    if _metadata(top) is not None:
        return _rows(top, top, None, table, outside)
    folders = [path for path in _visible(top) if path.is_dir()]
    splits = [path for path in folders if path.name.lower() in SPLIT_FOLDERS]
    if not splits:
        return _rows(top, top, None, table, outside)
    others = [path.name for path in folders if path not in splits]
    if others:
        raise UserError(f"{top}: folders of splits ({splits[0].name}) beside others ({others[0]}); move one kind away")
    meant: dict[str, str] = {}
    for path in splits:
        split = SPLIT_FOLDERS[path.name.lower()]
        if split in meant:
            raise UserError(f"{top}: '{meant[split]}' and '{path.name}' both mean the split '{split}'; keep one")
        meant[split] = path.name
    return [row for path in splits for row in _rows(top, path, SPLIT_FOLDERS[path.name.lower()], table, outside)]


def _rows(top: Path, folder: Path, split: str | None, names: dict[str, str] | None, outside: bool) -> list[dict]:
    """The rows of one split (or of all, split None) whose table or class folders lie in `folder`."""
    metadata = _metadata(folder)
    rows = _table_rows(top, metadata, outside) if metadata is not None else _class_rows(top, folder, outside)
    if not rows:
        raise UserError(f"{folder}: no clip found; looked for metadata.csv, metadata.jsonl and a folder per class")
    for row in rows:
        row["label"] = labels.class_name(row.get("label"), row[PLACE], names)
        if split is not None:
            if (row.get("split") or split) != split:
                raise UserError(f"{row[PLACE]}: split '{row['split']}' in the folder of '{split}'")
            row["split"] = split
    return rows


def _metadata(folder: Path) -> Path | None:
    found = [path for path in (folder / "metadata.csv", folder / "metadata.jsonl") if path.is_file()]
    if len(found) > 1:
        raise UserError(f"{folder}: has metadata.csv and metadata.jsonl; keep one of them")
    return found[0] if found else None


def _class_rows(top: Path, folder: Path, outside: bool) -> list[dict]:
    rows = []
    for entry in _visible(folder):
        if entry.is_file():
            if _is_clip(entry):
                raise UserError(
                    f"{entry}: a clip outside the class folders; move it, or write a metadata.csv beside it"
                )
            continue
        files = [file for file in _visible(entry) if _is_class_file(file, entry)]
        if not files:
            raise UserError(f"{entry}: this folder holds no clip, so it is no class; fill it or move it away")
        for file in files:
            path = located(str(entry.absolute()), file.name, str(file), str(top.absolute()), outside=outside)
            row = {"id": file.relative_to(top).as_posix(), "media": [path]}
            rows.append(row | {"label": entry.name, PLACE: str(file)})
    return rows


def _is_class_file(file: Path, folder: Path) -> bool:
    if file.is_dir():
        raise UserError(
            f"{file}: a folder inside the class folder '{folder.name}'; name the files of such clips in a metadata.csv "
            "(column file_names)"
        )
    if not _is_clip(file):
        raise UserError(f"{file}: is no known kind of picture or video; move it away, or write a metadata.csv")
    return True


def _table_rows(top: Path, metadata: Path, outside: bool) -> list[dict]:
    rows = []
    root, folder = str(top.absolute()), str(metadata.parent.absolute())
    pairs = read_csv(metadata) if metadata.suffix == ".csv" else read_jsonl(metadata)
    for values, place in pairs:
        written = _file_names(values, place)
        paths = [located(folder, name, place, root, outside=outside) for name in written]
        media: list[str] = []
        for path, name in zip(paths, written, strict=True):
            media += _expand(path, name, place, root, several="file_names" in values, outside=outside)
        row: dict[str, Any] = {key: value for key, value in values.items() if key not in ("file_name", "file_names")}
        if not row.get("id"):
            row["id"] = written[0] if os.path.isabs(written[0]) else os.path.relpath(paths[0], root)
        if row.get("track"):
            row["track"] = located(folder, str(row["track"]).strip(), place, root, outside=outside)
        rows.append(row | {"media": media, PLACE: place})
    return rows


def _file_names(values: dict[str, Any], place: str) -> list[str]:
    name, several = values.get("file_name"), values.get("file_names")
    if isinstance(several, str):
        try:
            several = json.loads(several) if several.startswith("[") else several.split(";")
        except ValueError:
            raise UserError(f"{place}: file_names {several!r} is no JSON list") from None
    found = several if several else [name] if name else []
    if not isinstance(found, list) or not all(isinstance(part, str) for part in found):
        raise UserError(f"{place}: file_name(s) {found!r} must be text")
    found = [part.strip() for part in found if part.strip()]
    if not found:
        raise UserError(f"{place}: no file_name (columns: {', '.join(values)})")
    return found


def _expand(path: str, written: str, place: str, root: str, *, several: bool, outside: bool) -> list[str]:
    if several and os.path.isdir(path):
        frames = [file.name for file in _visible(Path(path)) if file.suffix.lower() in PICTURES]
        if not frames:
            raise UserError(f"{place}: the folder '{written}' holds no picture")
        return [located(path, name, place, root, outside=outside) for name in frames]
    if not os.path.isfile(path):
        missing_file(path, written, place)
    return [path]


def _visible(folder: Path) -> list[Path]:
    """Entries that are neither hidden nor litter, img2 before img10."""
    entries = [path for path in folder.iterdir() if not path.name.startswith(".") and path.name.lower() not in LITTER]
    return sorted(entries, key=lambda path: by_number(path.name))


def by_number(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """A sort key by which numbers inside names count as numbers; the name itself breaks ties (01 and 1)."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part) for part in parts if part], name


def _is_clip(file: Path) -> bool:
    return file.suffix.lower() in PICTURES | VIDEOS
