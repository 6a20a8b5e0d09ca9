"""The command tree; each module adds its commands to `app`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

import cellwright

app = typer.Typer(
    name="cellwright",
    help="The open control plane of a telco AI factory.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Output(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How to print the result.")]


@app.callback(invoke_without_command=True)
def root(*, version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    """Decide where AI functions run, turn telemetry into digests, answer incidents."""
    if version:
        typer.echo(f"cellwright {cellwright.__version__}")
        raise typer.Exit
