"""What is made of runs: evaluate, report, compare, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from emovlm import UserError
from emovlm.cli.arguments import Launch, Overrides, Split, named
from emovlm.launch import quiet_libraries, relaunch


def evaluate(
    recipe: Annotated[Path, typer.Argument(metavar="RUN|RECIPE", help="A run folder, or a recipe.")],
    overrides: Overrides = None,
    split: Split = None,
    launch: Launch = None,
) -> None:
    """Score a run's checkpoint on a split, or the model as it is (train=none)."""
    from emovlm import recipe as recipes
    from emovlm import run as runs

    if recipe.is_dir():
        foreign = [override for override in overrides or [] if not override.startswith("evaluate.")]
        if foreign:
            raise UserError(
                f"{foreign[0]}: a run folder is scored as it was trained, or its numbers would change their meaning; "
                "with a recipe and another output= anything can be varied"
            )
        run = runs.existing(recipe)
        found = recipes.load(run.recipe, overrides)
    else:
        found = recipes.load(recipe, overrides)
        run = runs.folder_of(found, recipe)
    if launch is not None:
        relaunch(launch)
    quiet_libraries()
    from emovlm.evaluate.evaluator import evaluate as evaluate_run
    from emovlm.report.folders import load as load_results
    from emovlm.report.tables import print_table

    with named(run.recipe if recipe.is_dir() else recipe, overrides):
        evaluate_run(found, run, split=split)
    print_table(load_results(run.folder), key=runs.evaluation_key(found.evaluate, split or found.evaluate.split))


def report(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="A run or study folder; or runs, the control first.")
    ],
    form: Annotated[
        Literal["html", "md", "tex", "csv"], typer.Option("--format", help="A page, or the main table for a paper.")
    ] = "html",
    out: Annotated[
        Path | None,
        typer.Option(
            help="A file. By default report.html in the folder, of several runs compared.html beside them; a table "
            "goes to the terminal."
        ),
    ] = None,
) -> None:
    """Write the page of a run, of a study, or of several runs on the same clips; or its table for a paper."""
    from emovlm.report import side_by_side
    from emovlm.report.files import write_whole

    study = side_by_side.load(folders)
    if form == "html":
        from emovlm.report.page import write

        typer.echo(f"report: {write(study, out or side_by_side.page_of(study))}")
        return
    from emovlm.report.papers import table

    if out is None:
        typer.echo(table(study, form), nl=False)
    else:
        write_whole(out, table(study, form))
        typer.echo(f"table: {out}")


def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Run folders, or folders of seeds.")],
    key: Annotated[str | None, typer.Option(help="The evaluation, such as test-likelihood.")] = None,
) -> None:
    """Compare runs on the same clips with the first one, by tests that know who is in the clips."""
    from emovlm.console import stdout
    from emovlm.report.compare import compare as compare_runs

    table, notes = compare_runs(folders, key)
    console = stdout(160)
    console.print(table)
    for note in notes:
        console.print(note, markup=False, highlight=False)


def export(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder that does not exist yet.")],
    merge: Annotated[bool, typer.Option(help="One model, with the adapter merged into its weights.")] = False,
    clips: Annotated[int, typer.Option(min=1, help="With --merge: clips that must score alike before and after.")] = 16,
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"], typer.Option(help="With --merge: of the weights that are written.")
    ] = "float32",
) -> None:
    """Write a run's adapter, or one merged model, with its model card, as a folder for plain transformers and peft."""
    from emovlm import recipe as recipes
    from emovlm import run as runs

    run = runs.existing(folder)
    found = recipes.load(run.recipe)
    quiet_libraries()
    from emovlm.evaluate.clip_scores import clip_scores
    from emovlm.models.export import export as export_run
    from emovlm.report.card import card

    # Written at the end, but asked for first: what it lacks is said before anything is there.
    text = card(run.folder, out.name, merged=merge)
    difference = export_run(found, run, out, merge=merge, score=clip_scores(found, clips), dtype=dtype)
    # In place of peft's empty form.
    runs.write_text(out / "README.md", text)
    if difference is not None:
        typer.echo(f"label scores of {clips} clips before and after the merge: at most {difference:.2g} nats apart")
    typer.echo(f"exported to {out}")
