"""Commands about estates: check, schema."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cellwright.cli import console, plans
from cellwright.cli.app import Output, OutputOption, app
from cellwright.errors import ExitCode, Severity
from cellwright.estate.schema import json_schema
from cellwright.wiring.estates import check_estate

EstateArgument = Annotated[Path, typer.Argument(metavar="ESTATE", help="A YAML file, or a folder of them.")]


def _today() -> datetime:
    return datetime.now(tz=UTC)


@app.command()
def check(estate: EstateArgument, output: OutputOption = Output.TABLE) -> None:
    """Report every problem of an estate with file, line and column; exit 1 if there is an error."""
    found, diagnostics = check_estate(estate, _today().date())
    if output is Output.JSON:
        console.say_json(
            {"valid": found is not None, "diagnostics": [console.diagnostic_json(item) for item in diagnostics]}
        )
    else:
        console.tell(diagnostics)
    if found is None:
        errors = sum(item.severity is Severity.ERROR for item in diagnostics)
        console.note(f"{errors} error(s) in {estate}; nothing was written")
        raise console.Finish(ExitCode.ERROR)
    if output is Output.TABLE:
        console.say(plans.estate_sentence(found))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the estate documents, for editors."""
    console.say_json(json_schema())
