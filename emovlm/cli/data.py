"""What there is: rows counted, checked, brought in and carried out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from emovlm.cli.arguments import Overrides, RecipePath

app = typer.Typer(help="What there is.", no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def data() -> None:
    pass


@app.command("check")
def data_check(
    recipe: RecipePath,
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="A folder; by default runs/<name of the recipe>-data.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; by default one a core.")] = None,
) -> None:
    """Decode every clip and judge every row: what is broken, doubled, leaking or odd, with a remedy each.

    Writes data_check.json, the page data_check.html, and quarantine.jsonl for `data.quarantine`. It goes on where a
    killed check had stopped.
    """
    from rich.console import Console

    from emovlm import recipe as recipes
    from emovlm.check.run import check
    from emovlm.check.telling import shown
    from emovlm.report.data_check import write_page

    folder = out or Path("runs") / f"{recipe.stem}-data"
    found = check(recipes.load(recipe, overrides), folder, workers)
    console = Console(width=None if sys.stdout.isatty() else 140)
    for part in shown(found):
        console.print(part, highlight=False)
    typer.echo(f"written to {write_page(folder)}", err=True)


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
