"""Text, JSON and YAML from disk. What is missing or broken is named in one line, with the remedy."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from emovlm import UserError

AGAIN = "run the study (or the run) again: what is done already is not repeated"
Record = TypeVar("Record")


def field(content: Mapping[str, Any], name: str, place: Path | str, kind: type | UnionType) -> Any:
    if not isinstance(content, dict) or name not in content:
        raise UserError(f"{place}: '{name}' is missing; {AGAIN}")
    value = content[name]
    if not isinstance(value, kind):
        raise UserError(f"{place}: '{name}' is {value!r}, must be of type {getattr(kind, '__name__', kind)}; {AGAIN}")
    return value


def record(kind: type[Record], content: Any, place: str) -> Record:
    """The dataclass `kind` from JSON; further keys are passed over."""
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([place, *map(str, first["loc"])])
        fault = "is missing" if first["type"] == "missing" else f"is {first['input']!r}: {first['msg'].lower()}"
        raise UserError(f"{where} {fault}; {AGAIN}") from None


def read_text(path: Path) -> str:
    if not path.is_file():
        raise UserError(f"{path}: no such file; {AGAIN}")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as UTF-8 text ({error}); {AGAIN}") from error


def read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{error.lineno}: not JSON ({error.msg}); {AGAIN}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: must hold a JSON object; {AGAIN}")
    return content


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines."""
    lines = []
    # Not splitlines(): it also cuts at separators such as U+2028, which JSON allows inside a string.
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        try:
            if line.strip():
                lines.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise UserError(f"{path}:{number}: not JSON ({error.msg}); {AGAIN}") from error
    return lines


def write_whole(path: Path, text: str) -> None:
    """Never half a file, even where the process is killed. Errors: UserError where the place cannot be written."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(text, encoding="utf-8", newline="\n")
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written ({error.strerror}); name another file with --out") from error


def parse_yaml(text: str, path: Path) -> dict[str, Any]:
    """`path`: where the text is from, for the error."""
    try:
        content = yaml.safe_load(text) if text else {}
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML ({str(error).splitlines()[0]}); {AGAIN}") from error
    return content if isinstance(content, dict) else {}
