"""The verbs. No logic: each calls one function. Heavy imports stay inside the functions, so that --help is instant."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from emovlm import UserError, __version__
from emovlm.cli import data, frames, results, training, use
from emovlm.launch import leave_processes, tell_failure, told

app = typer.Typer(
    help="Fine-tune vision-language models on long-tailed emotion data, and score them in a way that can be defended.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(data.app, name="data")
app.add_typer(frames.app, name="frames")
for verb in (
    training.train,
    results.evaluate,
    use.predict,
    use.serve,
    training.study,
    training.sample,
    training.enrich,
    results.report,
    results.compare,
    results.export,
):
    app.command()(verb)


@app.command()
def schema(
    output: Annotated[Path | None, typer.Argument(help="A file; by default the terminal.")] = None,
) -> None:
    """Write the JSON schema of a recipe, which editors use for completion."""
    from emovlm import run as runs
    from emovlm.recipe_schema import schema as schema_of_recipe

    found = schema_of_recipe()
    if output:
        runs.write_json(output, found)
    else:
        typer.echo(json.dumps(found, indent=1))


def version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[bool, typer.Option("--version", callback=version, is_eager=True, help="Print it.")] = False,
) -> None:
    pass


def main() -> None:
    """Exit codes: 0 done, 2 the user's mistake (one line, no traceback), 1 ours."""
    warnings.formatwarning = told
    try:
        app()
    except SystemExit as end:  # how typer ends, also where all is well
        if not end.code:
            leave_processes()
        raise
    except Exception as error:
        tell_failure(error)
        sys.exit(2 if isinstance(error, UserError) else 1)
