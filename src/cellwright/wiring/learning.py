"""From the lake's alarms to what they teach about causes, as a file."""

from __future__ import annotations

from itertools import combinations, product
from typing import TYPE_CHECKING

from cellwright.digest.alarms import alarms_of
from cellwright.digest.causes import ACCEPTED_NATS, CauseGraph, learn
from cellwright.digest.causes_artefact import to_bytes
from cellwright.digest.causes_onsets import columns_of
from cellwright.errors import CellwrightError
from cellwright.lake import open_lake
from cellwright.wiring.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from cellwright.digest.correlate_topology import Topology
    from cellwright.lake import Address


def learn_causes(place: Path | Address, out: Path, topology: Topology | None) -> CauseGraph:
    """Write the cause graph that a lake's alarms teach to `out`, and return it.

    With a topology, alarms on adjacent elements, and on objects of one element, count too. Raises UsageError where
    there is too little to learn from, and CellwrightError, with nothing written, where the graph foretells alarms no
    better than constant rates do.
    """
    with open_lake(place) as lake:
        columns, elements = columns_of(alarms_of(lake.read("alarm_events")))
    graph = learn(columns, topology=None if topology is None else list(_links(topology, elements)))
    if not graph.quality.accepted:
        raise CellwrightError.of(
            "not-accepted",
            f"what {place} teaches foretells its last alarms no better than constant rates do; nothing was written",
            expected=f"a gain above {ACCEPTED_NATS:.1f} nats in all",
            cause=f"{graph.quality.gain_nats * graph.quality.tested:.1f} nats over {graph.quality.tested} onsets",
            hint="learn from a longer time"
            if topology
            else "learn from a longer time, or name who is adjacent: --topology",
        )
    write_atomically(out, to_bytes(graph).decode())
    return graph


def _links(topology: Topology, elements: Mapping[str, tuple[int, ...]]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of codes that lie in one element of the topology or in two adjacent ones."""
    held: dict[str, list[int]] = {}
    for name, codes in elements.items():
        held.setdefault(topology.place(name).owner, []).extend(codes)
    for owner, within in held.items():
        yield from combinations(within, 2)
        for neighbour in topology.neighbours.get(owner, frozenset()):
            if neighbour > owner:
                yield from product(within, held.get(neighbour, ()))
