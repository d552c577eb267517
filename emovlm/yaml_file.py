"""Read a YAML file strictly: a key given twice is an error, and every place knows its line and its text.

OmegaConf gives the values (`1e-4` is a number, `${oc.env:VAR}` is filled in); this module adds what its message to the
user needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from emovlm import UserError


@dataclass(frozen=True)
class YamlFile:
    """values: the parsed tree. lines: dotted place -> line, from 1. texts: dotted place -> the scalar as written."""

    path: Path
    values: dict[str, Any]
    lines: dict[str, int]
    texts: dict[str, str]

    def at(self, place: str) -> str:
        """`file:line: place`, with the line of the nearest enclosing place that has one (an override has none)."""
        outer = place
        while outer and outer not in self.lines:
            outer = outer.rpartition(".")[0]
        line = f":{self.lines[outer]}" if outer in self.lines else ""
        return f"{self.path}{line}: {place}"


def read(path: Path, overrides: list[str] | None = None) -> YamlFile:
    """Parse the file and lay the dotted overrides `a.b=value` over it; a whole section given replaces the section.

    Raises UserError: no such file, not YAML, a key twice, not a mapping, an unset environment variable, a bad override.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    lines: dict[str, int] = {}
    texts: dict[str, str] = {}
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        if node is None or not isinstance(node, yaml.MappingNode):
            raise UserError(f"{path}: a mapping of keys to values is expected, such as `seed: 0`")
        _walk(path, node, "", lines, texts)
        config = OmegaConf.load(path)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}" if mark else ""
        raise UserError(f"{path}{place}: not valid YAML: {getattr(error, 'problem', None) or error}") from error
    assert isinstance(config, DictConfig)
    for override in overrides or []:
        _lay_over(config, override, lines, texts)
    try:
        values = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        place = str(getattr(error, "full_key", "") or "")
        file = YamlFile(path, {}, lines, texts)
        raise UserError(f"{file.at(place)}: {str(error).splitlines()[0]}") from error
    assert isinstance(values, dict)
    return YamlFile(path, {str(key): value for key, value in values.items()}, lines, texts)


def _walk(path: Path, node: yaml.Node, place: str, lines: dict[str, int], texts: dict[str, str]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = f"{place}.{key.value}" if place else str(key.value)
            line = key.start_mark.line + 1
            if inner in lines:
                raise UserError(f"{path}:{line}: {inner}: given twice (first in line {lines[inner]}); remove one")
            lines[inner] = line
            _walk(path, value, inner, lines, texts)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[f"{place}.{index}"] = value.start_mark.line + 1
            _walk(path, value, f"{place}.{index}", lines, texts)
    elif isinstance(node, yaml.ScalarNode):
        texts[place] = str(node.value)


def _lay_over(config: DictConfig, override: str, lines: dict[str, int], texts: dict[str, str]) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key or any(not part for part in key.split(".")):
        raise UserError(f"override '{override}': expected a.b=value, such as sampler.strategy=square_root")
    try:
        value = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text}"]), resolve=False)
        assert isinstance(value, dict)
        OmegaConf.update(config, key, value["value"], merge=False, force_add=True)
    except (yaml.YAMLError, OmegaConfBaseException, ValueError) as error:
        raise UserError(f"override '{override}': {str(error).splitlines()[0]}") from error
    for known in [place for place in lines if place == key or place.startswith(key + ".")]:
        lines.pop(known)
        texts.pop(known, None)
    texts[key] = text
