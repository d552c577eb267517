"""The run folder: the names of its files, its identity, its provenance. Nothing in it is half-written."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from emovlm import UserError, __version__
from emovlm.recipe import Evaluate, Recipe, load, resolved

PACKAGES = ("torch", "transformers", "peft", "accelerate", "datasets", "av", "numpy", "scikit-learn")


@dataclass(frozen=True)
class RunFolder:
    """Every tool reads only these files."""

    folder: Path

    @property
    def recipe(self) -> Path:
        return self.folder / "recipe.yaml"

    @property
    def env(self) -> Path:
        return self.folder / "env.json"

    @property
    def log(self) -> Path:
        return self.folder / "log.jsonl"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.json"

    @property
    def adapter(self) -> Path:
        return self.folder / "adapter"

    @property
    def model(self) -> Path:
        """The whole model, where all of it was trained (`train: full`)."""
        return self.folder / "model"

    @property
    def head(self) -> Path:
        """The linear layer behind a frozen model (`train: head`)."""
        return self.folder / "head"

    @property
    def selected(self) -> Path:
        """The best model so far, while the training goes on (`select:`)."""
        return self.folder / "selected"

    @property
    def selection(self) -> Path:
        return self.folder / "selection.json"

    @property
    def report(self) -> Path:
        return self.folder / "report.json"

    @property
    def page(self) -> Path:
        return self.folder / "report.html"

    def predictions(self, key: str) -> Path:
        """key: see `evaluation_key`."""
        return self.folder / "eval" / key / "predictions.jsonl"

    def checkpoints(self) -> list[Path]:
        """Folders of checkpoints by step, whole or not: train/checkpoints.py tells which are complete."""
        found = [path for path in self.folder.glob("checkpoint-*") if path.name.rpartition("-")[2].isdigit()]
        return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))

    def trained(self) -> bool:
        return any(folder.is_dir() for folder in (self.adapter, self.model, self.head))

    def learnt(self, train: str) -> Path:
        """Where the result of the recipe's `train:` lies."""
        return {"full": self.model, "head": self.head}.get(train, self.adapter)


def existing(folder: Path) -> RunFolder:
    """Raises UserError where there is no run."""
    run = RunFolder(folder)
    if not run.recipe.is_file():
        raise UserError(
            f"{folder}: is no run folder; give one, such as runs/mine (of a study runs/<study>/<arm>/seed0)"
        )
    return run


def folder_of(recipe: Recipe, path: Path) -> RunFolder:
    """`output:` of the recipe, or runs/<name of the recipe file>."""
    return RunFolder(recipe.output or Path("runs") / path.stem)


def evaluation_key(asked: Evaluate, split: str) -> str:
    """`test-likelihood`, and behind it whatever is not the default: `test-likelihood-trie-blank_prior`."""
    parts = [split, asked.scorer]
    parts += [asked.score] if asked.score != "sum" else []
    parts += ["synonyms"] if asked.synonyms else []
    parts += [f"{asked.prior}_prior"] if asked.prior != "none" else []
    parts += [f"tau_{asked.tau}"] if asked.tau != 1.0 else []
    parts += ["temperature"] if asked.temperature == "fit" else []
    parts += [f"orders_{asked.orders}"] if asked.orders > 1 else []
    parts += [name for name in ("look", "words") if getattr(asked, name)]
    parts += [f"tokens_{asked.max_new_tokens}"] if asked.max_new_tokens != type(asked)().max_new_tokens else []
    return "-".join(parts)


def recipe_hash(recipe: Recipe) -> str:
    """Identity of a run: 16 hex digits over the resolved recipe. Where the run and its caches lie is not part of it."""
    values = resolved(recipe)
    values.pop("output", None)
    for section, key in (("frames", "cache"), ("frames", "cache_gb"), ("model", "cache_visual_tokens")):
        values[section].pop(key, None)
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def training_hash(recipe: Recipe) -> str:
    """Identity of what is trained: whatever only says how the result is scored is no part of it."""
    default = type(recipe.evaluate)(during_training=recipe.evaluate.during_training)
    return recipe_hash(recipe.model_copy(update={"evaluate": default}))


def check_trained_as(recipe: Recipe, run: RunFolder) -> None:
    """Raises UserError where the folder holds a run that was trained otherwise: its scores would be another model's."""
    if run.recipe.is_file() and training_hash(load(run.recipe)) != training_hash(recipe):
        raise UserError(
            f"{run.folder}: holds a run of another recipe ({stored_hash(run)}); give another output= or remove it"
        )


def begin(recipe: Recipe, run: RunFolder, *, world_size: int = 1, device: str = "cpu") -> None:
    """Claim the folder for this recipe: write recipe.yaml and env.json."""
    run.folder.mkdir(parents=True, exist_ok=True)
    # The identity first: a kill between the two must not leave a folder that looks like a stranger's.
    write_json(run.env, provenance(recipe, world_size, device))
    write_text(run.recipe, yaml.safe_dump(resolved(recipe), sort_keys=False, allow_unicode=True))


def check_free(recipe: Recipe, run: RunFolder, *, resume: bool) -> None:
    """Raises UserError where the folder is another recipe's, or holds a run and `resume` is not asked for."""
    if not run.folder.exists():
        return
    if run.folder.is_file():
        raise UserError(f"{run.folder}: is a file; give another output=")
    if not any(run.folder.iterdir()):
        return
    known = stored_hash(run)
    if known is None:
        raise UserError(f"{run.folder}: is not empty and is no run of emovlm; give another output=")
    if known != recipe_hash(recipe):
        raise UserError(f"{run.folder}: holds a run of another recipe ({known}); give another output= or remove it")
    if run.trained():
        raise UserError(f"{run.folder}: this recipe is trained already; evaluate it, or give another output=")
    if not resume:
        raise UserError(f"{run.folder}: holds an unfinished run of this recipe; add --resume to go on, or remove it")


def stored_hash(run: RunFolder) -> str | None:
    """The identity of the run that lies in the folder, or None."""
    try:
        return json.loads(run.env.read_text(encoding="utf-8"))["recipe_hash"]
    except (OSError, ValueError, KeyError):
        return None


def update_report(
    run: RunFolder,
    recipe: Recipe,
    *,
    train: dict[str, Any] | None = None,
    evaluation: tuple[str, dict[str, Any]] | None = None,
    selected_on: str | None = None,
) -> None:
    """Put the training's or one evaluation's part (`test-likelihood`, ...) into report.json; the rest stays.

    selected_on: the split on which the checkpoint was chosen.
    """
    empty = {"name": run.folder.name, "recipe_hash": recipe_hash(recipe), "train": None, "evaluations": {}}
    content = json.loads(run.report.read_text(encoding="utf-8")) if run.report.exists() else empty
    if train is not None:
        content["train"] = train
        content["selected_on"] = selected_on
    if evaluation is not None:
        content["evaluations"][evaluation[0]] = evaluation[1]
    write_json(run.report, content)


def provenance(recipe: Recipe, world_size: int, device: str) -> dict[str, Any]:
    """What it takes to repeat the run."""
    versions = {"python": platform.python_version(), "emovlm": __version__}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "recipe_hash": recipe_hash(recipe),
        "versions": versions,
        "commit": _commit(),
        "device": device,
        "world_size": world_size,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write_text(path: Path, text: str) -> None:
    """Write under a temporary name, then rename: a reader sees the old file or the new one.

    Raises UserError where a part of the way to it is a file, or may not be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path}: {path.parent} cannot be made ({error.strerror}); name another place") from error
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_jsonl(path: Path, values: Iterable[Any]) -> None:
    lines = [json.dumps(value, ensure_ascii=False, allow_nan=False) for value in values]
    write_text(path, "\n".join(lines) + "\n")


def _commit() -> str | None:
    """Commit of the checkout that emovlm runs from, marked where it has changes; None for an installed package."""
    here = Path(__file__).parent
    git = ["git", "-C", str(here)]
    found = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if found.returncode:
        return None
    changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=False)
    return found.stdout.strip()[:12] + ("+changes" if changed.stdout.strip() else "")
