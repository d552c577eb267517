"""Arguments that several verbs share."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from emovlm import UserError

RecipePath = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe, such as recipes/demo/tiny_video.yaml.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Overrides, such as sampler.strategy=natural.")
]
Launch = Annotated[
    str | None,
    typer.Option(
        metavar="CONFIG",
        help="Start several processes by an accelerate config, such as accelerate_configs/ddp.yaml; further options of "
        "`accelerate launch` behind it, in the same quotes.",
    ),
]
Split = Annotated[str | None, typer.Option(help="train, validation or test; by default the recipe's.")]


@contextlib.contextmanager
def named(recipe: Path, overrides: list[str] | None) -> Iterator[None]:
    """An error that ends with a command for RECIPE names the one that the user gave."""
    try:
        yield
    except UserError as error:
        given = shlex.join([str(recipe), *(overrides or [])])
        raise type(error)(str(error).replace(" RECIPE`", f" {given}`")) from error
