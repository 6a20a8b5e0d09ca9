"""Estates for benchmarks: operator networks of any size, grown from a seed or built on a published topology.

Nothing in them is measured: sizes, prices and demands are round figures. What matters is that data, law, latency, staff
and hardware all eliminate sites, and that no two workloads ask for the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.estate.model import (
    Arch,
    Boundary,
    Call,
    ComputePrices,
    Consumption,
    Control,
    Dataset,
    Demand,
    Effect,
    Estate,
    Gpus,
    LatencyTarget,
    Link,
    Location,
    Node,
    OnCall,
    Operations,
    Phase,
    PriceBook,
    Quota,
    Readiness,
    Regulation,
    Replicas,
    SensitivityClass,
    Site,
    Tenant,
    Tier,
    Workload,
)
from cellwright.inventory.formats.graphs import Graphs
from cellwright.inventory.model import Options, Source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CHECKED: Final = date(2026, 1, 1)
EXPIRES: Final = date(2027, 1, 1)
TIER_SHARES: Final = ((Tier.REGION, 0.01), (Tier.METRO, 0.07), (Tier.ONPREM, 0.2), (Tier.FAR_EDGE, 1.0))  # cumulative
MACHINE_SHARES: Final = {Tier.REGION: 0.35, Tier.METRO: 0.3, Tier.ONPREM: 0.12, Tier.FAR_EDGE: 0.23}
CORE_HOUR: Final = {Tier.REGION: 0.04, Tier.METRO: 0.05, Tier.ONPREM: 0.07, Tier.FAR_EDGE: 0.1}
GPU_HOUR: Final = {"L40S": 1.1, "H100-80GB": 2.8, "L4": 0.5}
COUNTRIES: Final = ("IT", "IT", "IT", "FR", "DE")
BOTH: Final = frozenset(Arch)
X86: Final = frozenset({Arch.X86_64})
_MS_PER_KM: Final = 0.015  # round trip: light in fibre at 200,000 km/s, half as long again as the straight line
_SKILLS: Final = frozenset({"ml-operations"})


@dataclass(frozen=True, slots=True)
class Size:
    """How large an estate is to be."""

    sites: int
    machines: int
    workloads: int
    replicas: int  # of all workloads together
    flavours: bool = True  # demands come in sizes that double, as clouds offer them; otherwise in any size

    @property
    def name(self) -> str:
        """What a row calls it."""
        demands = "" if self.flavours else ", no two of one size"
        counts = f"{self.workloads} workloads, {self.replicas} replicas"
        return f"{counts}, {self.sites} sites, {self.machines} machines{demands}"


def from_topology(path: Path) -> tuple[tuple[Site, ...], tuple[Link, ...]]:
    """Return the sites and links of a published topology as the importer reads them; raise where it cannot."""
    options = Options(jurisdiction="IT", location=Location(45.0, 9.0), control=Control.OPERATOR)
    read = Graphs().documents([Source(path.name, path.read_bytes())], options)
    if not read.sites:
        raise SystemExit("\n".join(str(each) for each in read.diagnostics))
    return read.sites, read.links


def grown_network(count: int, seed: int) -> tuple[tuple[Site, ...], tuple[Link, ...]]:
    """Return `count` sites of all tiers and links: regions meshed, everything else to its nearest larger neighbours."""
    chance = np.random.default_rng(seed)
    tiers = [next(tier for tier, share in TIER_SHARES if (index + 0.5) / count <= share) for index in range(count)]
    tiers[0] = Tier.REGION
    tiers[1 : min(3, count)] = [Tier.METRO] * (min(3, count) - 1)
    where = np.column_stack([chance.uniform(37.0, 54.0, count), chance.uniform(-4.0, 18.0, count)])
    sites = tuple(_site(f"s{index:05d}", tier, where[index], chance) for index, tier in enumerate(tiers))
    larger = {Tier.REGION: 0, Tier.METRO: 1, Tier.ONPREM: 2, Tier.FAR_EDGE: 3}
    rank = np.array([larger[tier] for tier in tiers])
    links: dict[tuple[int, int], Link] = {}
    for index, tier in enumerate(tiers):
        others = np.flatnonzero(rank == 0) if tier is Tier.REGION else np.flatnonzero(rank < min(rank[index], 2))
        if tier is Tier.METRO:
            others = np.flatnonzero((rank <= 1) & (np.arange(count) < index))
        km = _km(where[index], where[others])
        nearest = (
            others if tier is Tier.REGION else others[np.argsort(km, kind="stable")[: 2 if tier is Tier.METRO else 1]]
        )
        for other in (each for each in nearest.tolist() if each != index):
            pair = (min(index, other), max(index, other))
            links[pair] = _link(sites[pair[0]], sites[pair[1]], float(_km(where[index], where[[other]])[0]), tier)
    return sites, tuple(links.values())


def populated(sites: Sequence[Site], links: Sequence[Link], size: Size, seed: int) -> Estate:
    """Return an estate on these places with machines, data, law, prices and workloads."""
    chance = np.random.default_rng(seed + 1)
    placed = _tiered(sites, chance)
    equipped = _equipped(placed, size.machines)
    datasets = _datasets(equipped, chance)
    return Estate(
        sites={each.name: each for each in sorted(equipped, key=lambda each: each.name)},
        links={each.name: each for each in sorted(links, key=lambda each: each.name)},
        datasets=datasets,
        regulations={each.name: each for each in _regulations()},
        workloads=_workloads(equipped, datasets, size, chance),
        tenants={f"t{index}": Tenant(f"t{index}", f"Tenant {index}", Quota(None, None, None)) for index in range(8)},
        price_books={"list": _prices(equipped, chance)},
    )


def grown_estate(size: Size, seed: int) -> Estate:
    """Return an estate on a network of its own."""
    return populated(*grown_network(size.sites, seed), size, seed)


def _drawn(chance: np.random.Generator, share: float) -> bool:
    return bool(chance.random() < share)


def _km(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the distances on a plane that touches the globe there, good enough for a few hundred kilometres."""
    degrees = (others - one) * np.array([1.0, math.cos(math.radians(float(one[0])))])
    return 111.2 * np.hypot(degrees[:, 0], degrees[:, 1])


def _site(name: str, tier: Tier, where: np.ndarray, chance: np.random.Generator) -> Site:
    operator = tier in {Tier.ONPREM, Tier.FAR_EDGE} or _drawn(chance, 0.5)
    skilled = tier is not Tier.FAR_EDGE or _drawn(chance, 0.3)
    return Site(
        name=name,
        tier=tier,
        jurisdiction=str(chance.choice(COUNTRIES)),
        control=Control.OPERATOR if operator else Control.PROVIDER,
        isolated=False,
        location=Location(float(where[0]), float(where[1])),
        operations=Operations(not operator, _SKILLS if skilled else frozenset(), OnCall.ALWAYS),
        nodes=(),
    )


def _link(a: Site, b: Site, km: float, tier: Tier) -> Link:
    p50 = round(0.3 + km * _MS_PER_KM, 3)
    return Link(
        f"{a.name}-{b.name}", a.name, b.name, p50, round(1.4 * p50, 3), 10.0 if tier is Tier.FAR_EDGE else 100.0
    )


def _tiered(sites: Sequence[Site], chance: np.random.Generator) -> list[Site]:
    """Return the sites of a topology with tiers and staff; those of a grown network have them."""
    if len({site.tier for site in sites}) > 1:
        return list(sites)
    order = chance.permutation(len(sites)).tolist()
    found = []
    for place, site in zip(order, sites, strict=True):
        tier = next(tier for tier, share in TIER_SHARES if (place + 0.5) / len(sites) <= max(share, 1 / len(sites)))
        drawn = _site(site.name, tier, np.array([site.location.lat, site.location.lon]), chance)
        found.append(replace(drawn, jurisdiction=site.jurisdiction))
    return found


def _equipped(sites: Sequence[Site], machines: int) -> list[Site]:
    """Return the sites with about so many machines, spread over the tiers."""
    present = sorted({site.tier for site in sites})
    share = {tier: MACHINE_SHARES[tier] / sum(MACHINE_SHARES[each] for each in present) for tier in present}
    counts = {tier: sum(site.tier is tier for site in sites) for tier in present}
    taken = dict.fromkeys(present, 0.0)
    found = []
    for site in sites:
        before = round(taken[site.tier])
        taken[site.tier] += machines * share[site.tier] / counts[site.tier]
        found.append(replace(site, nodes=_racks(site.tier, max(1, round(taken[site.tier]) - before))))
    return found


def _racks(tier: Tier, machines: int) -> tuple[Node, ...]:
    """Return so many machines of the kinds that a tier has."""
    box = Node("box", 1, Arch.ARM64, 16, 64.0, Gpus("L4", 1, 24.0), unified_memory=False, power_kw=0.3)
    plain = Node("epyc", 1, Arch.X86_64, 64, 256.0, None, unified_memory=False, sockets=2, cells=2, power_kw=0.8)
    pod = Node(
        "pod", 1, Arch.X86_64, 64, 512.0, Gpus("L40S", 4, 48.0), unified_memory=False, sockets=2, cells=2, power_kw=2.0
    )
    cut = Node(
        "mig",
        1,
        Arch.X86_64,
        96,
        1024.0,
        Gpus("H100-80GB", 4, 80.0, mig=True),
        unified_memory=False,
        sockets=2,
        cells=2,
        power_kw=4.0,
    )
    kinds = {
        Tier.FAR_EDGE: (box,),
        Tier.ONPREM: (plain, pod),
        Tier.METRO: (plain, pod, cut),
        Tier.REGION: (plain, pod, cut),
    }[tier]
    parts = [machines // len(kinds) + (index < machines % len(kinds)) for index in range(len(kinds))]
    return tuple(replace(kind, count=part) for kind, part in zip(kinds, parts, strict=True) if part)


def _datasets(sites: Sequence[Site], chance: np.random.Generator) -> Mapping[str, Dataset]:
    """Return a dataset for every fifth site, of every class that the regulations name."""
    classes = (SensitivityClass.LOCATION, SensitivityClass.AGGREGATED_KPI, SensitivityClass.SIGNALLING)
    homes = [site.name for site in sites][:: 5 if len(sites) > 50 else 1]  # noqa: PLR2004 - a small network
    return {
        f"d{index:05d}": Dataset(
            f"d{index:05d}", classes[int(chance.integers(len(classes)))], home, 200.0, _drawn(chance, 0.02), ()
        )
        for index, home in enumerate(homes)
    }


def _regulations() -> tuple[Regulation, ...]:
    members = frozenset(COUNTRIES)

    def rule(name: str, sensitivity: SensitivityClass, boundary: Boundary) -> Regulation:
        return Regulation(
            name, members, frozenset({sensitivity}), boundary, Effect.DENY, members, "made up", None, CHECKED, EXPIRES
        )

    return (
        rule("free", SensitivityClass.AGGREGATED_KPI, Boundary.NONE),
        rule("home", SensitivityClass.LOCATION, Boundary.COUNTRY),
        rule("union", SensitivityClass.SIGNALLING, Boundary.BLOC),
    )


def _prices(sites: Sequence[Site], chance: np.random.Generator) -> PriceBook:
    """Return prices for each site, up to a fifth around those of its tier."""
    entries = []
    for site, factor in zip(sites, chance.uniform(0.8, 1.2, len(sites)).tolist(), strict=True):
        core = round(CORE_HOUR[site.tier] * factor, 5)
        gpus = {
            model: round(price * factor * (2 if site.tier is Tier.FAR_EDGE else 1), 5)
            for model, price in GPU_HOUR.items()
        }
        entries.append(ComputePrices(site.tier, site.name, core, 0.005, gpus, 0.01))
    return PriceBook("list", "EUR", "made up", CHECKED, EXPIRES, tuple(entries), ())


def _workloads(
    sites: Sequence[Site], datasets: Mapping[str, Dataset], size: Size, chance: np.random.Generator
) -> Mapping[str, Workload]:
    """Return distinct workloads: no two ask for the same."""
    names, homes = [site.name for site in sites], sorted(datasets)
    share = size.replicas / size.workloads
    counts = (
        np.maximum(1, np.rint(chance.gamma(2.0, share / 2.0, size.workloads))) if share > 1 else np.ones(size.workloads)
    )
    found: dict[str, Workload] = {}
    left = size.replicas
    for index in range(size.workloads):
        still = size.workloads - index - 1
        count = left if not still else max(1, min(int(counts[index]), left - still))
        left -= count
        name = f"w{index:05d}"
        found[name] = _workload(name, count, names[int(chance.integers(len(names)))], homes, chance)
        if size.flavours:
            found[name] = replace(found[name], demand=_flavour(found[name].demand))
        if index and _drawn(chance, 0.1):
            callee = f"w{int(chance.integers(index)):05d}"
            found[name] = replace(found[name], calls=(Call(callee, float(chance.integers(1, 5)), None),))
    return found


def _flavour(demand: Demand) -> Demand:
    """Return the smallest flavour that holds a demand: threads in powers of two, memory 2, 4 or 8 GiB a thread."""
    cores = 1 << (demand.cores - 1).bit_length()
    memory = next((cores * each for each in (2.0, 4.0, 8.0) if cores * each >= demand.memory_gib), cores * 8.0)
    return replace(demand, cores=cores, memory_gib=memory)


def _workload(name: str, count: int, users: str, homes: list[str], chance: np.random.Generator) -> Workload:
    kind = int(chance.integers(10))
    cores, memory = int(chance.integers(1, 9)), float(chance.integers(4, 65)) / 2
    demand, limit, phase = Demand(cores, memory, 0, 0.0, BOTH), None, Phase.DATA_PREPARATION
    if kind < 3:  # noqa: PLR2004 - three in ten serve users who wait
        limit, phase = float(chance.integers(30, 90)), Phase.REALTIME_INFERENCE
        if kind == 0:
            demand = Demand(cores, memory, 1, 20.0, BOTH)
    elif kind == 3:  # noqa: PLR2004 - one in ten trains
        demand, phase = Demand(2 * cores, 2 * memory, int(chance.integers(1, 3)), 40.0, X86), Phase.TRAINING
    elif kind == 4:  # noqa: PLR2004 - one in ten takes a slice
        demand = Demand(cores, memory, 0, 9.0, X86, mig_profile="1g.10gb")
    uses: tuple[Consumption, ...] = ()
    if _drawn(chance, 0.6):
        home = homes[int(chance.integers(len(homes)))]
        uses = (Consumption(home, float(chance.integers(1, 40)), 3.6e6, 1.8e6),)
    service = float(chance.integers(2, 20))
    readiness = Readiness(_SKILLS if _drawn(chance, 0.2) else frozenset(), OnCall.BUSINESS_HOURS)
    return Workload(
        name=name,
        phase=phase,
        tenant=f"t{int(chance.integers(8))}",
        description="",
        demand=demand,
        consumes=uses,
        latency=LatencyTarget(users, limit),
        service_p50_ms=service / 2,
        service_p99_ms=service,
        readiness=readiness,
        calls=(),
        replicas=Replicas(count),
    )
