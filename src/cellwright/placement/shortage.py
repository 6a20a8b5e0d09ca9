"""What machines lack: the nearest miss of each site, which lacks the fewest resources, then comes first by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.estate.model import Arch, Demand
from cellwright.placement.pool_kinds import KIB, kind_of, memory_kib
from cellwright.placement.pool_lacks import ORDER
from cellwright.placement.shape import Shape
from cellwright.placement.wording import counted, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from cellwright.estate.model import Node
    from cellwright.placement.pool import Pool
    from cellwright.placement.terrain import Terrain

_NOTHING: Final = Demand(0, 0.0, 0, 0.0, frozenset(Arch))
_BOUNDLESS: Final = replace(_NOTHING, memory_gib=1e9)
_TRAITS: Final = frozenset({"arch", "execution", "dpu", "gpu-model", "gpus", "gpu-memory", "mig-profile"})
_NO_MACHINE: Final = np.iinfo(np.int32).max  # more lacks than any machine has


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """The kinds of machines of a terrain, and which sites have which: many sites are equipped alike."""

    examples: NDArray[np.intp]  # (n_kinds,) a machine of each kind
    kind: NDArray[np.intp]  # (n_machines,)
    reckoning: NDArray[np.intp]  # (n_machines,) machines of one number reckon what a shape needs alike
    rank: NDArray[np.intp]  # (n_machines,) by site, then by the node's name
    outfit: NDArray[np.intp]  # (n_sites,) sites of one number have the same kinds in the same order of names
    kinds: NDArray[np.intp]  # (n_outfits, most kinds) filled up with n_kinds, which is no kind


@dataclass(frozen=True, slots=True, eq=False)
class Shortage:
    """A resource of which some machines have too little for a shape."""

    resource: str
    limit: float | str
    unit: str
    short: NDArray[np.bool_]  # (m,)
    measured: NDArray[np.object_]  # (m,) a number or words

    def figure(self, value: float | str | None) -> str:
        """Return an amount in words; where it is None, what stands for one that differs from site to site."""
        return value if isinstance(value, str) else "{measured}" if value is None else counted(value, self.unit)


def catalogue(terrain: Terrain) -> Catalogue:
    """Return the catalogue of a terrain's machines, made once."""
    answers = terrain.answers()
    if catalogue not in answers:
        answers[catalogue] = _catalogue(terrain)
    found: Catalogue = answers[catalogue]
    return found


def _catalogue(terrain: Terrain) -> Catalogue:
    kinds: dict[object, int] = {}
    outfits: dict[tuple[int, ...], int] = {}
    reckonings: dict[int, tuple[bool, int]] = {}
    kind: list[int] = []
    outfit: list[int] = []
    names: list[tuple[int, str]] = []
    for index, site in enumerate(terrain.sites):
        racks = [(kinds.setdefault(kind_of(node), len(kinds)), node) for node in site.nodes if node.count > 0]
        for which, node in racks:
            kind += [which] * node.count
            names += [(index, node.name)] * node.count
            reckonings.setdefault(which, (node.unified_memory, node.threads_per_core))
        own = tuple(dict.fromkeys(which for which, _ in sorted(racks, key=lambda rack: rack[1].name)))
        outfit.append(outfits.setdefault(own, len(outfits)))
    of = np.array(kind, dtype=np.intp)
    ways = {way: place for place, way in enumerate(sorted(set(reckonings.values())))}
    width = max(1, max(map(len, outfits), default=0))
    table = np.full((len(outfits), width), len(kinds), dtype=np.intp)
    for own, row in zip(outfits, table, strict=True):
        row[: len(own)] = own
    return Catalogue(
        examples=np.unique(of, return_index=True)[1],
        kind=of,
        reckoning=np.array([ways[reckonings[each]] for each in range(len(kinds))], dtype=np.intp)[of],
        rank=np.argsort(np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.intp)),
        outfit=np.array(outfit, dtype=np.intp),
        kinds=table,
    )


def empty_shortages(terrain: Terrain, shape: Shape) -> tuple[Shortage, ...]:
    """Return everything of which some kind of machine has too little for a shape even when empty, each (n_kinds,).

    Shapes are many and amounts are few: unless all of it has to come out of one NUMA cell, each resource is asked for
    by itself, each amount of it once.
    """
    if not len(terrain.machines):
        return ()
    if shape.demand.single_cell:
        return shortages(terrain, terrain.machines, shape, catalogue(terrain).examples, empty=True)
    answers = terrain.answers()
    found = _memory(terrain, shape.demand)
    for part, resources in _parts(shape):
        question = empty_shortages, part
        if question not in answers:
            short = shortages(terrain, terrain.machines, part, catalogue(terrain).examples, empty=True)
            answers[question] = tuple(each for each in short if each.resource in resources)
        found += answers[question]
    return _ordered(found)


def _parts(shape: Shape) -> Iterator[tuple[Shape, frozenset[str]]]:
    """Yield shapes that ask for less each, and the resources of which they ask for as much as `shape`."""
    demand = shape.demand
    graphics = Demand(0, 0.0, demand.gpus, demand.gpu_memory_gib, demand.archs, demand.gpu_share, demand.mig_profile)
    yield Shape(replace(graphics, gpu_models=demand.gpu_models), shape.untrusted, shape.execution), _TRAITS
    yield Shape(replace(_NOTHING, cores=demand.cores, pinned=demand.pinned)), frozenset({"cores"})
    if demand.hugepages_gib:
        pages = replace(_NOTHING, hugepages_gib=demand.hugepages_gib, hugepage_mib=demand.hugepage_mib)
        yield Shape(pages), frozenset({"hugepages"})
    if demand.sriov:
        yield Shape(replace(_NOTHING, sriov=demand.sriov)), frozenset({"sriov"})
    if demand.nvme_gb:
        yield Shape(replace(_NOTHING, nvme_gb=demand.nvme_gb)), frozenset({"nvme"})


def _memory(terrain: Terrain, demand: Demand) -> list[Shortage]:
    """Return which kinds of machines have too little memory; where it is unified, the GPUs' part comes out of it."""
    known, answers = catalogue(terrain), terrain.answers()
    if _memory not in answers:
        (boundless,) = (
            each
            for each in shortages(terrain, terrain.machines, Shape(_BOUNDLESS), known.examples, empty=True)
            if each.resource == "memory"
        )
        answers[_memory] = boundless.measured.astype(np.float64)
    measured: NDArray[np.float64] = answers[_memory]
    needs = np.array([memory_kib(demand, terrain.machines.node(machine)) / KIB for machine in known.examples.tolist()])
    return [
        Shortage("memory", limit, "GiB", (needs == limit) & (measured < limit), measured.astype(np.object_))
        for limit in np.unique(needs[measured < needs]).tolist()
    ]


def shortages(
    terrain: Terrain, pool: Pool, shape: Shape, machines: NDArray[np.intp], *, empty: bool
) -> tuple[Shortage, ...]:
    """Return everything of which some of the machines have too little for a shape, when empty or as they are."""
    ways = catalogue(terrain).reckoning[machines]
    found: dict[tuple[str, float | str], Shortage] = {}
    for way in np.unique(ways).tolist():
        those = np.flatnonzero(ways == way)
        for lack in pool.lacks(shape, machines[those], empty=empty):
            into = found.get((lack.resource, lack.limit))
            if into is None:
                blank = np.zeros(len(machines), dtype=np.bool_), np.empty(len(machines), dtype=np.object_)
                into = found[lack.resource, lack.limit] = Shortage(lack.resource, lack.limit, lack.unit, *blank)
            into.short[those] = lack.short
            into.measured[those] = lack.measured
    return _ordered(found.values())


def _ordered(found: Iterable[Shortage]) -> tuple[Shortage, ...]:
    return tuple(sorted(found, key=lambda each: (ORDER.index(each.resource), each.limit)))


def counts(found: tuple[Shortage, ...], size: int) -> NDArray[np.int32]:
    """Return how many resources each of `size` machines is short of, (size + 1,) int32; the last stands for none."""
    short = np.zeros(size + 1, dtype=np.int32)
    for each in found:
        short[:-1] += each.short
    short[-1] = _NO_MACHINE
    return short


def worded(short: Shortage, shape: Shape, measured: float | str | None, machine: str) -> str:
    """Return the sentence that a machine has too little; `machine` is what it begins with."""
    if short.resource == "numa":
        part = number(round(measured * 100)) if isinstance(measured, float) else "?"
        return f"{machine} has no NUMA cell that holds all of it, the best has {part} % of what is scarcest there"
    demand = shape.demand
    pages = "1 GiB" if demand.hugepage_mib == 1024 else f"{demand.hugepage_mib} MiB"  # noqa: PLR2004 - MiB of a GiB
    kind = {"mig-profile": f" of {demand.mig_profile}", "hugepages": f" in pages of {pages}"}.get(short.resource, "")
    return f"{machine} has {short.figure(measured)}{kind}, {short.figure(short.limit)}{kind} needed"


def node_of(nodes: tuple[Node, ...], label: str) -> Node | None:
    """Return the node whose name, or the label of one of whose machines, is `label`."""
    return next((node for node in nodes if label == node.name or label.rpartition("#")[0] == node.name), None)
