"""What makes runs: train, study, and what comes before them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emovlm import UserError
from emovlm.cli.arguments import Launch, Overrides, RecipePath, named
from emovlm.launch import quiet_libraries, relaunch


def sample(
    recipe: RecipePath,
    overrides: Overrides = None,
    export: Annotated[
        Path | None, typer.Option(help="Write the rows in the order they will be drawn, as JSON lines.")
    ] = None,
) -> None:
    """Show what a training will draw of each class, without a model."""
    from emovlm import recipe as recipes
    from emovlm import sample as samples
    from emovlm.console import stdout

    found = samples.planned(recipes.load(recipe, overrides))
    if export:
        typer.echo(f"{samples.export(found, export)} rows written to {export}", err=True)
    stdout().print(samples.sampling_table(found))


def enrich(
    recipe: RecipePath,
    overrides: Overrides = None,
    part: Annotated[str, typer.Option(help="K/N: every N-th clip from the K-th, for arrays of jobs.")] = "1/1",
) -> None:
    """Make the texts between the frames that a recipe asks for and that are missing."""
    from emovlm import study as studies

    found = studies.recipes_with_texts(recipe, overrides)
    numbers = part.split("/")
    if len(numbers) != 2 or not all(number.isdigit() for number in numbers):
        raise UserError(f"--part {part}: expected K/N with K from 1 to N, such as 3/16")
    quiet_libraries()
    from emovlm.enrich.run import enrich as make_texts

    summaries = [make_texts(one, (int(numbers[0]), int(numbers[1]))) for one in found]
    for one, summary in zip(found, summaries, strict=True):
        asked = one.enrich
        assert asked, "recipes_with_texts gives recipes with texts"
        typer.echo(f"{asked.describer or asked.source or asked.control}: {summary.told()}")
    if any(summary.failed for summary in summaries):
        raise typer.Exit(1)


def train(
    recipe: RecipePath,
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option(help="Go on from the newest complete checkpoint.")] = False,
    allow_different_data: Annotated[
        bool, typer.Option(help="With --resume: go on though the rows or the sampler differ; stamped in report.json.")
    ] = False,
    dry_run: Annotated[bool, typer.Option(help="Show classes, prompt and trained parameters, then stop.")] = False,
    launch: Launch = None,
) -> None:
    """Train a recipe and evaluate the result."""
    from emovlm import recipe as recipes
    from emovlm import run as runs

    found = recipes.load(recipe, overrides)
    if found.train == "none":
        raise UserError("train: none: there is nothing to train; `emovlm evaluate` scores the model as it is")
    if allow_different_data and not resume:
        raise UserError("--allow-different-data: goes with --resume; a run that starts takes the data as they are")
    run = runs.folder_of(found, recipe)
    # A job that was stopped while it scored comes again, and goes on there.
    trained = resume and run.trained() and runs.stored_hash(run) == runs.recipe_hash(found)
    if not dry_run and not trained:
        runs.check_free(found, run, resume=resume)
    if launch is not None:
        relaunch(launch, found)
    quiet_libraries()
    if dry_run:
        from emovlm.train.dry_run import dry_run as show

        with named(recipe, overrides):
            return show(found)
    from emovlm.evaluate.evaluator import evaluate as evaluate_run
    from emovlm.evaluate.evaluator import validator
    from emovlm.report.folders import load as load_results
    from emovlm.report.tables import print_table
    from emovlm.train.sft import train as train_run

    with named(recipe, overrides):
        if not trained:
            train_run(found, run, resume=resume, allow_different_data=allow_different_data, validate=validator(found))
        evaluate_run(found, run)
    return print_table(load_results(run.folder))


def study(
    path: Annotated[Path, typer.Argument(metavar="STUDY", help="A study, such as recipes/demo/sampling.yaml.")],
    overrides: Overrides = None,
    only: Annotated[
        str | None,
        typer.Option(metavar="K/N", help="Only part K of N of the runs: one job of many. The last writes the report."),
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Show of each arm what `train --dry-run` shows, then stop.")] = False,
    launch: Launch = None,
) -> None:
    """Run the arms of a study that are not done yet, then write one report."""
    from emovlm import study as studies

    found = studies.load(path, overrides)
    planned = studies.plan(found, path)
    if only:
        studies.part(planned, only)
    if dry_run:
        quiet_libraries()
        from emovlm.train.dry_run import dry_run as show

        with named(path, overrides):
            for entry in studies.trainings(planned):
                typer.echo(f"\n== {entry.name}")
                show(entry.recipe)
        return None
    if launch is not None:
        relaunch(launch, *(entry.recipe for entry in planned if entry.recipe.train != "none"))
    quiet_libraries()
    from emovlm.evaluate.evaluator import evaluate as evaluate_run
    from emovlm.evaluate.evaluator import validator
    from emovlm.report.folders import load as load_results
    from emovlm.report.page import write_page
    from emovlm.report.tables import print_table
    from emovlm.train.sft import train as train_run

    def train_arm(entry: studies.Planned) -> None:
        typer.echo(f"== {entry.name}: training", err=True)
        train_run(entry.recipe, entry.run, resume=entry.run.env.exists(), validate=validator(entry.recipe))

    def evaluate_arm(entry: studies.Planned) -> None:
        typer.echo(f"== {entry.name}: scoring {entry.recipe.evaluate.split}", err=True)
        evaluate_run(entry.recipe, entry.run)

    with named(path, overrides):
        made, done = studies.conduct(found, path, train=train_arm, evaluate=evaluate_arm, only=only)
    folder = studies.folder_of(found, path)
    typer.echo(f"{made} runs made, {done} were done already", err=True)
    if left := studies.left(found, path):
        return typer.echo(f"{left} runs of other parts are not done yet; whoever ends last writes the report", err=True)
    print_table(load_results(folder))
    return typer.echo(f"report: {write_page(folder)}")
