"""Who is beside whom, as commands are told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellwright.wiring.incidents import load_topology

if TYPE_CHECKING:
    from cellwright.digest.correlate_topology import Topology

TopologyOption = Annotated[
    Path | None, typer.Option(metavar="PATH", help="An estate, or a CSV of adjacent elements: who is beside whom.")
]


def topology_of(path: Path | None) -> Topology | None:
    """Return the topology in a file or an estate as of today, None where none is named."""
    return None if path is None else load_topology(path, datetime.now(tz=UTC).date())
