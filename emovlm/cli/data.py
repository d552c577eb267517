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
    from emovlm import recipe as recipes
    from emovlm.check.run import check
    from emovlm.check.telling import shown
    from emovlm.console import stdout
    from emovlm.report.data_check import write_page

    folder = out or Path("runs") / f"{recipe.stem}-data"
    found = check(recipes.load(recipe, overrides), folder, workers)
    console = stdout()
    for part in shown(found):
        console.print(part, highlight=False)
    typer.echo(f"written to {write_page(folder)}", err=True)


@app.command("import")
def data_import(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .json, .jsonl, .csv, .parquet, or a folder that `datasets` reads.")
    ],
    out: Annotated[Path, typer.Argument(help="A .jsonl that does not exist yet.")],
    media: Annotated[
        Path | None, typer.Option(help="Where relative paths start; by default the list's folder.")
    ] = None,
) -> None:
    """Make rows of another trainer's list (LLaVA, ShareGPT, ms-swift, TRL), a table, or a set of `datasets`."""
    from emovlm.data.importing import bring_in

    for note in bring_in(path, out, media):
        typer.echo(note, err=True)


@app.command("export")
def data_export(
    recipe: RecipePath,
    out: Annotated[Path, typer.Argument(help="A file that does not exist yet.")],
    format: Annotated[str, typer.Option(help="llava, sharegpt, swift, messages, trl or csv.")],
    overrides: Overrides = None,
    sampled: Annotated[bool, typer.Option(help="Every row as often, and in the order, as it will be drawn.")] = False,
) -> None:
    """Write the training rows for another trainer: as they are, or resampled as the recipe's sampler draws them."""
    from emovlm import recipe as recipes
    from emovlm.prompts.exporting import export

    for note in export(recipes.load(recipe, overrides), out, format, sampled=sampled):
        typer.echo(note, err=True)


@app.command("push")
def data_push(
    recipe: RecipePath,
    folder: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")],
    overrides: Overrides = None,
) -> None:
    """Write a folder for the Hugging Face hub, parquet with the media inside and a card; `hf upload` sends it."""
    import datasets

    from emovlm import recipe as recipes
    from emovlm.data.pushing import push

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    for note in push(recipes.load(recipe, overrides), folder):
        typer.echo(note, err=True)


@app.command("count")
def data_count(recipe: RecipePath, overrides: Overrides = None) -> None:
    """Count the rows of each class in each split (and official fold), beside the numbers that the authors published."""
    from emovlm import recipe as recipes
    from emovlm.console import stdout
    from emovlm.data.count import count, verdict

    counts = count(recipes.load(recipe, overrides).data)
    console = stdout()
    for one in counts:
        console.print(one.table())
    typer.echo(verdict(counts))
