"""From pydantic's errors to the one line that the user reads: file and line, dotted place, value, near miss."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from emovlm import UserError, lookup, yaml_file

AnyModel = TypeVar("AnyModel", bound=BaseModel)


def validate(model: type[AnyModel], file: yaml_file.YamlFile) -> AnyModel:
    """Build `model` from the file's values, or raise the first fault as one line."""
    try:
        return model.model_validate(file.values)
    except ValidationError as error:
        faults = error.errors()
        # In a union (`order`) the fault that the user can see is the unquoted name, not the member tried first.
        first = next((fault for fault in faults if _unquoted(fault)), faults[0])
        place = ".".join(str(part) for part in first["loc"] if not _is_branch(part))
        more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
        at = file.at(place) if place else str(file.path)
        raise UserError(f"{at}: {explain(model, first, file, place)}{more}") from None


def _is_branch(part: int | str) -> bool:
    """pydantic puts the tried member of a union into the place: `order.list[str].0`."""
    return isinstance(part, str) and ("[" in part or part in ("str", "int", "float", "bool"))


def explain(model: type[BaseModel], fault: Any, file: yaml_file.YamlFile, place: str) -> str:
    kind, value = fault["type"], fault["input"]
    if kind == "extra_forbidden":
        return f"unknown key; {lookup.near_miss(str(fault['loc'][-1]), _keys_at(model, fault['loc'][:-1]))}"
    if kind == "missing":
        return "is missing; it has no default"
    if _unquoted(fault):
        written = file.texts.get(place, str(value))
        return f"YAML reads {written} as {value!r}; a text is expected: write it in quotes, '{written}'"
    message = fault["msg"].removeprefix("Value error, ")
    return message if kind == "value_error" else f"got {value!r}: {message[:1].lower()}{message[1:]}"


def _unquoted(fault: Any) -> bool:
    return fault["type"] == "string_type" and isinstance(fault["input"], bool | int | float)


def _keys_at(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    for part in place:
        field = model.model_fields.get(str(part))
        inner = field.annotation if field else None
        options = [inner, *getattr(inner, "__args__", ())]
        nested = [option for option in options if isinstance(option, type) and issubclass(option, BaseModel)]
        if not nested:
            return []
        model = nested[0]
    return list(model.model_fields)
