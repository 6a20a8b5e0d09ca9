"""From a lake to what it teaches about causes and about what tells most beside incidents, as a file."""

from __future__ import annotations

from itertools import combinations, product
from typing import TYPE_CHECKING

from cellwright.digest.alarms import alarms_of
from cellwright.digest.causes import ACCEPTED_NATS, learn
from cellwright.digest.causes_artefact import Learned, to_bytes
from cellwright.digest.causes_onsets import columns_of
from cellwright.digest.salience_fit import learn_salience
from cellwright.digest.tokens import token_counter
from cellwright.errors import CellwrightError
from cellwright.lake import open_lake
from cellwright.wiring.evidence import Evidence
from cellwright.wiring.files import write_atomically
from cellwright.wiring.incidents import learn as incidents_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from cellwright.digest.causes import CauseGraph
    from cellwright.digest.correlate_topology import Topology
    from cellwright.digest.salience import LearnedSalience
    from cellwright.lake import Address, Lake


def learn_causes(place: Path | Address, out: Path, topology: Topology | None) -> Learned:
    """Write what a lake teaches to `out`, and return it: a cause graph, and the salience of counters and log lines.

    With a topology, alarms on adjacent elements, and on objects of one element, count too. Raises UsageError where
    there is too little to learn from, and CellwrightError, with nothing written, where the graph foretells alarms no
    better than constant rates do. Salience that keeps less than is kept without it is left out.
    """
    with open_lake(place) as lake:
        alarms = lake.read("alarm_events")
        columns, elements = columns_of(alarms_of(alarms))
        links = None if topology is None else list(_links(topology, elements))
        graph = _accepted(learn(columns, topology=links), place, topology)
        salience = _salience(lake, alarms, topology)
    learned = Learned(graph, salience if salience and salience.quality.accepted else None)
    write_atomically(out, to_bytes(learned).decode())
    return learned


def _accepted(graph: CauseGraph, place: Path | Address, topology: Topology | None) -> CauseGraph:
    """Return a graph that foretells alarms; raise CellwrightError for one that does not."""
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
    return graph


def _salience(lake: Lake, alarms: pa.Table, topology: Topology | None) -> LearnedSalience | None:
    """Return what stands beside the incidents of a lake teaches, judged by what it keeps."""
    counter = token_counter()
    _, found = incidents_of(alarms, topology, counter)
    evidence = Evidence(lake, found)
    companies = map(evidence.company, (each for each in found if each.alarms[0].ts is not None))
    return learn_salience(companies, evidence.breaks(), evidence.lines(), counter)


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
