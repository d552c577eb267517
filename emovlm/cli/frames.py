"""What is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emovlm.cli.arguments import Overrides, RecipePath, Split

app = typer.Typer(help="What is looked at.", no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def frames() -> None:
    pass


@app.command("report")
def frames_report(
    recipe: RecipePath,
    overrides: Overrides = None,
    split: Split = None,
    out: Annotated[Path | None, typer.Option(help="A folder for coverage.json and coverage.svg.")] = None,
) -> None:
    """Show how much of the clips a recipe's frame policy sees, and what it can miss."""
    from emovlm import recipe as recipes
    from emovlm.console import stdout
    from emovlm.frames.report import frames_report as survey

    _, tables = survey(recipes.load(recipe, overrides), split, out)
    console = stdout()
    for table in tables:
        console.print(table)
    if out:
        typer.echo(f"written to {out}", err=True)
