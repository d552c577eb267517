"""What there is: rows counted, checked, brought in and carried out."""

from __future__ import annotations

import sys

import typer

from emovlm.cli.arguments import Overrides, RecipePath

app = typer.Typer(help="What there is.", no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def data() -> None:
    pass


@app.command("count")
def data_count(recipe: RecipePath, overrides: Overrides = None) -> None:
    """Count the rows of each class in each split (and official fold), beside the numbers that the authors published."""
    from rich.console import Console

    from emovlm import recipe as recipes
    from emovlm.data.count import count, verdict

    counts = count(recipes.load(recipe, overrides).data)
    console = Console(width=None if sys.stdout.isatty() else 140)
    for one in counts:
        console.print(one.table())
    typer.echo(verdict(counts))
