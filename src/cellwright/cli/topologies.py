"""Who is beside whom, as commands are told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellwright.cli import console
from cellwright.wiring.topologies import coverage, load_topology, warnings_of

if TYPE_CHECKING:
    from cellwright.digest.correlate_topology import Topology
    from cellwright.lake.address import Address
    from cellwright.wiring.topologies import Coverage

TopologyOption = Annotated[
    Path | None, typer.Option(metavar="PATH", help="An estate, or a CSV of adjacent elements: who is beside whom.")
]


def topology_of(path: Path | None) -> Topology | None:
    """Return the topology in a file or an estate as of today, None where none is named."""
    return None if path is None else load_topology(path, datetime.now(tz=UTC).date())


def covered(place: Path | Address, topology: Topology | None) -> Coverage | None:
    """Return how far a topology knows a lake's elements, and warn where it lacks many; None without a topology."""
    if topology is None:
        return None
    found = coverage(place, topology)
    console.tell(warnings_of(found))
    return found
