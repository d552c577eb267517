"""What there is: rows counted, checked, brought in and carried out."""

from __future__ import annotations

import typer

app = typer.Typer(help="What there is.", no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def data() -> None:
    pass
