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


def _print_version(wanted: bool | None) -> None:  # noqa: FBT001 - Typer's callback signature
    if wanted:
        typer.echo(f"cellwright {cellwright.__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool | None, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = None,
) -> None:
    """Decide where AI functions run, turn telemetry into digests, answer incidents."""


# The commands register themselves when their modules are imported.
from cellwright.cli import estates, incidents, serving, telemetry  # noqa: E402, F401 - after app exists
