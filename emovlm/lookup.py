"""A short name is a place: `sampler.strategy: square_root` is the function of that name in `longtail/strategies.py`.

Signatures are read from the source text with `ast`, so that a typo in a recipe is answered without importing the module
it names (torch and transformers cost seconds). `module.path:function` names the user's own.
"""

from __future__ import annotations

import ast
import difflib
import functools
import importlib
import importlib.util
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emovlm import UserError

PACKAGE = Path(__file__).parent


@dataclass(frozen=True)
class Home:
    """Where the short names of one recipe key live.

    key: the dotted place in a recipe. where: a file (its public functions are the names) or a folder (its files are the
    names, each with a function `load`). supplied: arguments that the caller gives, so that a recipe cannot.
    """

    key: str
    where: str
    supplied: frozenset[str] = frozenset()

    @property
    def path(self) -> Path:
        return PACKAGE / self.where

    def names(self) -> list[str]:
        if self.path.is_dir():
            return sorted(file.stem for file in self.path.glob("*.py") if not file.stem.startswith("_"))
        return sorted(name for name in _functions(self.path) if not name.startswith("_"))


STRATEGY = Home("sampler.strategy", "longtail/strategies.py", frozenset({"counts_C", "progress"}))
CLASS_LOSS = Home("loss.over_classes", "longtail/class_losses.py", frozenset({"scores_BC", "targets_BC", "prior_C"}))
POLICY = Home("frames.pick", "frames/policy.py", frozenset({"times_s_T", "span_s", "annotations", "key", "thumbnails"}))
SOURCE = Home("data.source", "data/sources")
DESCRIBER = Home("enrich.describer", "enrich/describers", frozenset({"stage", "max_words"}))
TEXT_SOURCE = Home("enrich.source", "enrich/sources.py", frozenset({"row", "seen"}))
CONTROL = Home("enrich.control", "prompts/controls.py", frozenset({"given"}))


@dataclass(frozen=True)
class Parameter:
    """One argument that a recipe may give: `annotation` is its source text, such as `float`, or an empty string."""

    name: str
    required: bool
    annotation: str


def near_miss(word: str, allowed: Collection[str]) -> str:
    """`did you mean 'keep'?`, or the allowed words where nothing is close."""
    close = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"allowed: {', '.join(sorted(allowed)) or 'none'}"


def parameters(home: Home, name: str) -> dict[str, Parameter]:
    """What a recipe may pass to the function `name`, read without importing it. UserError for an unknown name."""
    path, function = _locate(home, name)
    found = _functions(path).get(function)
    if found is None:
        raise UserError(f"{home.key}: '{name}': there is no function '{function}' in {path}")
    spec = found.args
    plain = [*spec.posonlyargs, *spec.args]
    no_default = len(plain) - len(spec.defaults)
    pairs = [(arg, index < no_default) for index, arg in enumerate(plain)]
    pairs += [(arg, default is None) for arg, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True)]
    return {
        arg.arg: Parameter(arg.arg, required, ast.unparse(arg.annotation) if arg.annotation else "")
        for arg, required in pairs
        if arg.arg not in home.supplied
    }


def resolve(home: Home, name: str) -> Callable[..., Any]:
    """Import the function that `name` stands for."""
    path, function = _locate(home, name)
    if ":" in name:
        module = importlib.import_module(name.partition(":")[0])
    else:
        module = importlib.import_module(".".join(["emovlm", *path.relative_to(PACKAGE).with_suffix("").parts]))
    return getattr(module, function)


def dataclass_fields(module: str, relative: str, name: str) -> set[str]:
    """Field names of the class `name` in an installed file, without importing it (`trainer:` keys, in milliseconds)."""
    spec = importlib.util.find_spec(module)
    locations = spec.submodule_search_locations if spec else None
    assert locations, f"{module} is not installed"
    tree = ast.parse((Path(locations[0]) / relative).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return {
                item.target.id
                for item in node.body
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
            }
    raise AssertionError(f"no class {name} in {relative} of {module}")


def _locate(home: Home, name: str) -> tuple[Path, str]:
    if ":" in name:
        module, _, function = name.partition(":")
        try:
            spec = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            spec = None
        if spec is None or not spec.origin:
            raise UserError(f"{home.key}: '{name}': no module '{module}' can be found; is it on PYTHONPATH?")
        return Path(spec.origin), function
    if name not in home.names():
        raise UserError(f"{home.key}: unknown name '{name}'; {near_miss(name, home.names())}")
    return (home.path / f"{name}.py", "load") if home.path.is_dir() else (home.path, name)


@functools.cache
def _functions(path: Path) -> dict[str, ast.FunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
