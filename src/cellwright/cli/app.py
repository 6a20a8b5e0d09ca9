"""The command tree; each module adds its commands to `app`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
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
LakeArgument = Annotated[
    str, typer.Argument(metavar="LAKE", help="A lake's folder, or its s3://, gs:// or abfss:// address.")
]
TopologyOption = Annotated[
    Path | None, typer.Option(metavar="PATH", help="An estate, or a CSV of adjacent elements: who is beside whom.")
]


@app.callback(invoke_without_command=True)
def root(*, version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    """Decide where AI functions run, turn telemetry into digests, answer incidents."""
    if version:
        typer.echo(f"cellwright {cellwright.__version__}")
        raise typer.Exit
