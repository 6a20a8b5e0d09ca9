"""Which workload holds what on which machine, and what each tenant has taken of its quota."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cellwright.estate.model import Demand, Estate, Node, Site, Workload

_DIGITS = 9  # of a GiB: sums of decimal sizes stay decimal


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine of a node: what is free on it and who holds the rest."""

    node: Node
    index: int  # from 1
    cores: int
    memory_gib: float
    gpus: int
    holders: tuple[str, ...]

    @property
    def label(self) -> str:
        """The node's name; with "#2" behind it where the node stands for several machines."""
        return self.node.name if self.node.count == 1 else f"{self.node.name}#{self.index}"


def memory_taken_gib(demand: Demand, node: Node) -> float:
    """Return what a workload takes of a node's memory: with unified memory, that of its GPUs comes out of it."""
    shared = demand.gpus * demand.gpu_memory_gib if node.unified_memory else 0.0
    return round(demand.memory_gib + shared, _DIGITS)


class Occupancy:
    """The machines of an estate as workloads fill them; grows and shrinks, one workload at a time."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._held: dict[tuple[str, str], dict[int, dict[str, Demand]]] = defaultdict(dict)
        self._seats: dict[str, tuple[tuple[str, str], int]] = {}
        self._tenants: dict[str, dict[str, Demand]] = defaultdict(dict)

    def machines(self, site: Site, node: Node) -> Iterator[Machine]:
        """Yield the machines somebody is on, then one of the empty ones, which are all alike."""
        held = self._held.get((site.name, node.name), {})
        for index in sorted(held):
            yield _machine(node, index, held[index])
        empty = next((index for index in range(1, node.count + 1) if index not in held), None)
        if empty is not None:
            yield _machine(node, empty, {})

    def held_by_tenant(self, tenant: str) -> Mapping[str, Demand]:
        """Return the demand of every placed workload of a tenant."""
        return self._tenants[tenant]

    def take(self, workload: Workload, site: str, label: str) -> None:
        """Seat a workload on the machine `label` of a site."""
        node, index = self._parse(site, label)
        self._held[site, node].setdefault(index, {})[workload.name] = workload.demand
        self._seats[workload.name] = ((site, node), index)
        self._tenants[workload.tenant][workload.name] = workload.demand

    def release(self, workload: Workload) -> None:
        """Unseat a workload; one that has no seat is left alone."""
        if workload.name not in self._seats:
            return
        place, index = self._seats.pop(workload.name)
        machine = self._held[place][index]
        del machine[workload.name]
        if not machine:
            del self._held[place][index]
        del self._tenants[workload.tenant][workload.name]

    def _parse(self, site: str, label: str) -> tuple[str, int]:
        """Return the node's name and the machine's index behind a label."""
        name, mark, index = label.rpartition("#")
        several = any(node.name == name and node.count > 1 for node in self._estate.sites[site].nodes)
        return (name, int(index)) if mark and several else (label, 1)


def _machine(node: Node, index: int, held: Mapping[str, Demand]) -> Machine:
    """Return what `held` leaves free on a machine."""
    taken = math.fsum(memory_taken_gib(demand, node) for demand in held.values())
    return Machine(
        node=node,
        index=index,
        cores=node.cores - _total(demand.cores for demand in held.values()),
        memory_gib=round(node.memory_gib - taken, _DIGITS),
        gpus=(node.gpus.count if node.gpus else 0) - _total(demand.gpus for demand in held.values()),
        holders=tuple(sorted(held)),
    )


def _total(counts: Iterable[int]) -> int:
    return sum(counts)
