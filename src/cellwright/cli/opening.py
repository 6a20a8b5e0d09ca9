"""The command that fetches the originals of a digest: digest open."""

from __future__ import annotations

from typing import Annotated

import typer

from cellwright.cli import console
from cellwright.cli.app import app
from cellwright.cli.places import place_of
from cellwright.cli.topologies import TopologyOption, covered, topology_of
from cellwright.lake.delta_lake import open_lake
from cellwright.wiring.opening import originals


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
    beside = topology_of(topology)
    place = place_of(lake)
    covered(place, beside)
    with open_lake(place) as opened:
        found = originals(opened, name, beside)
    for original in found:
        console.say_json_line(original)
