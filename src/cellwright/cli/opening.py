"""The command that fetches the originals of a digest: digest open."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cellwright.cli import console
from cellwright.cli.app import TopologyOption, app
from cellwright.wiring.incidents import load_topology
from cellwright.wiring.lakes import lake_at
from cellwright.wiring.opening import originals
from cellwright.wiring.settings import read_settings


@app.command("digest open")
def digest_open(
    name: Annotated[str, typer.Argument(metavar="HASH", help="The name of an incident or log, or its sha256.")],
    lake: Annotated[
        str,
        typer.Option(metavar="LAKE", envvar="CELLWRIGHT_LAKE", help="The lake it was made from."),
    ],
    topology: TopologyOption = None,
) -> None:
    """Print the originals that a digest stands for, one JSON object a line; they never left the lake."""
    beside = load_topology(topology, datetime.now(tz=UTC).date()) if topology else None
    for original in originals(lake_at(lake, read_settings(os.environ, Path.home())), name, beside):
        console.say_json_line(original)
