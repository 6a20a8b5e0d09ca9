"""From a lake to what it teaches about causes and about what tells most beside incidents, as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellwright.digest.alarms import alarms_of
from cellwright.digest.causes import ACCEPTED_NATS, learn
from cellwright.digest.causes_artefact import Learned, to_bytes
from cellwright.digest.causes_onsets import columns_of
from cellwright.digest.salience_fit import learn_salience
from cellwright.digest.tokens import token_counter
from cellwright.errors import CellwrightError
from cellwright.lake.delta_lake import open_lake
from cellwright.wiring.evidence import Evidence
from cellwright.wiring.files import write_atomically
from cellwright.wiring.incidents import learn as incidents_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from cellwright.digest.causes import CauseGraph
    from cellwright.digest.correlate_topology import Topology
    from cellwright.digest.salience import LearnedSalience
    from cellwright.lake.address import Address
    from cellwright.lake.folder import Lake


def learn_causes(place: Path | Address, out: Path, topology: Topology | None) -> Learned:
    """Write what a lake teaches to `out`, and return it: a cause graph, and the salience of counters and log lines.

    With a topology, alarms on adjacent elements, and on objects of one element, count too. Raises UsageError where
    there is too little to learn from, and CellwrightError, with nothing written, where the graph foretells alarms no
    better than constant rates do. Salience that keeps less than is kept without it is left out.
    """
    with open_lake(place) as lake:
        alarms = lake.read("alarm_events")
        columns, elements = columns_of(alarms_of(alarms))
        groups, links = (None, None) if topology is None else adjacency(topology, elements)
        graph = _accepted(learn(columns, topology=links, groups=groups), place, topology)
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


def adjacency(
    topology: Topology, elements: Mapping[str, tuple[int, ...]]
) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
    """Return the element of the topology that each code lies in, by number, and the pairs of adjacent ones.

    Cost: linear in codes and links, however many objects an element has.
    """
    owners: dict[str, int] = {}
    groups = np.zeros(1 + max((code for codes in elements.values() for code in codes), default=-1), np.int64)
    for name, codes in elements.items():
        groups[list(codes)] = owners.setdefault(topology.place(name).owner, len(owners))
    near = ((owner, other) for owner in owners for other in topology.neighbours.get(owner, ()) if other > owner)
    return groups, sorted((owners[owner], owners[other]) for owner, other in near if other in owners)
