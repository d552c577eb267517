"""What is done with a finished model: predict, serve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emovlm import UserError
from emovlm.cli.arguments import Overrides
from emovlm.launch import quiet_libraries

RunPath = Annotated[
    Path, typer.Argument(metavar="RUN|RECIPE", help="A run folder; or a recipe, with train=none the model as it is.")
]


def predict(
    run: RunPath,
    clips: Annotated[
        list[str],
        typer.Argument(metavar="CLIP... [KEY=VALUE]...", help="Videos, pictures and folders of them; then overrides."),
    ],
    timeline: Annotated[bool, typer.Option("--timeline", help="A window that slides over each video.")] = False,
    window: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="With --timeline: length of the window, by default 2.")
    ] = None,
    step: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="With --timeline: from window to window, by default 0.5.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One line of JSON a clip (or a window).")] = False,
    out: Annotated[
        Path | None, typer.Option(help="A folder for answers.jsonl, or the .csv and .svg of each timeline.")
    ] = None,
) -> None:
    """Say which class each clip shows, and how sure the model is."""
    from emovlm.predict.clips import told_apart

    for name, value in (("--window", window), ("--step", step)):
        if value is not None and not timeline:
            raise UserError(f"{name}: goes with --timeline")
    files, overrides = told_apart(clips)
    quiet_libraries()
    from emovlm.predict import batch
    from emovlm.predict.predictor import load

    predictor = load(run, overrides)
    if timeline:
        times = {"window_s": 2.0 if window is None else window, "step_s": 0.5 if step is None else step}
        failed = batch.tell_timelines(predictor, files, **times, as_json=json, out=out)
    else:
        failed = batch.tell(predictor, files, as_json=json, out=out)
    if failed:
        raise typer.Exit(1)


def serve(
    run: RunPath,
    overrides: Overrides = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="On this machine alone.")] = 7860,
) -> None:
    """Show a page on this machine: drop a clip, see the frames, the texts, the scores, and a timeline."""
    quiet_libraries()
    from emovlm.predict.predictor import load
    from emovlm.predict.serve import serve as show

    show(load(run, overrides or []), port)
