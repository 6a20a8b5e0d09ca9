"""Topologies beside a lake: from their files, and how far they know the elements in alarm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow.compute as pc

from cellwright.digest.correlate_topology import estate_topology, pairs_topology
from cellwright.errors import Diagnostic, Severity
from cellwright.lake.delta_lake import open_lake
from cellwright.wiring.estates import load_estate
from cellwright.wiring.files import read_text

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from cellwright.digest.correlate_topology import Topology
    from cellwright.lake.address import Address

_ESTATES: Final = frozenset({".yaml", ".yml"})
_FEW: Final = 0.05  # of the elements; a topology that lacks no more is told of in the incidents alone
_MOST_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many elements are in alarm, and which of them a topology lacks."""

    elements: int
    unknown: tuple[str, ...]  # by name
    known: str  # an element of the topology, to compare names with


def load_topology(path: Path, today: date) -> Topology:
    """Return the adjacency of network elements in an estate (a folder, a YAML file) or in a CSV of adjacent pairs.

    Raises EstateError, UsageError or StorageError.
    """
    if path.is_dir() or path.suffix.lower() in _ESTATES:
        return estate_topology(load_estate(path, today))
    return pairs_topology(read_text(path), str(path))


def coverage(place: Path | Address, topology: Topology) -> Coverage:
    """Return how far a topology knows the elements of a lake's alarms; raise StorageError where there is no lake."""
    with open_lake(place) as lake:
        names = pc.unique(lake.read("alarm_events", ["object_dn"])["object_dn"]).drop_null().to_pylist()
    places = {topology.place(name) for name in names}
    unknown = {each.owner for each in places if topology.lacks(each)}
    return Coverage(len({each.owner for each in places}), tuple(sorted(unknown)), min(topology.neighbours, default=""))


def warnings_of(found: Coverage) -> tuple[Diagnostic, ...]:
    """Return what to know of a topology that lacks many of the elements, or all."""
    missing = len(found.unknown)
    if not missing or missing <= _FEW * found.elements:
        return ()
    some = ", ".join(map(repr, found.unknown[:_MOST_NAMED]))
    if missing == found.elements:
        message = f"the topology has none of the {found.elements} elements in alarm, such as {some}"
        hint = f"it names elements like {found.known!r}; names are those of managed elements, whole or RDNs of them"
        return (Diagnostic("topology-fits-nothing", message, hint=hint, severity=Severity.WARNING),)
    share = f"{missing} of {found.elements} elements in alarm ({missing / found.elements:.0%})"
    message = f"the topology lacks {share}, such as {some}"
    hint = "what happens there is joined by name, and by alarm type and time, alone"
    return (Diagnostic("topology-lacks", message, hint=hint, severity=Severity.WARNING),)
