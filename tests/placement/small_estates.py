"""Small estates for tests, built from what a test cares about."""

from __future__ import annotations

from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING

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
    Latencies,
    LatencyTarget,
    Link,
    Location,
    Measurement,
    Node,
    OnCall,
    Operations,
    Phase,
    PriceBook,
    Quantisation,
    Quota,
    Readiness,
    Regulation,
    SensitivityClass,
    Site,
    Tenant,
    Tier,
    Workload,
)
from cellwright.placement.terrain import Case, Terrain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CHECKED, EXPIRES = date(2026, 1, 1), date(2027, 1, 1)
CORE_HOUR = {Tier.REGION: 0.1, Tier.METRO: 0.2, Tier.ONPREM: 0.3, Tier.AI_FACTORY: 0.4, Tier.FAR_EDGE: 0.5}
X86 = frozenset({Arch.X86_64})


def node(  # noqa: PLR0913 - a builder of test data
    name: str = "rack",
    *,
    count: int = 1,
    cores: int = 32,
    memory: float = 128.0,
    gpus: int = 0,
    gpu_memory: float = 48.0,
    model: str = "L40S",
    arch: Arch = Arch.X86_64,
    unified: bool = False,
    mig: bool = False,
    **more: object,  # of the node, by the names of its fields
) -> Node:
    graphics = Gpus(model, gpus, gpu_memory, mig) if gpus else None
    return Node(name, count, arch, cores, memory, graphics, unified, **more)


def site(  # noqa: PLR0913 - a builder of test data
    name: str,
    tier: Tier = Tier.ONPREM,
    *,
    jurisdiction: str = "IT",
    control: Control = Control.OPERATOR,
    nodes: tuple[Node, ...] = (node(),),
    skills: Iterable[str] = (),
    on_call: OnCall = OnCall.ALWAYS,
    managed: bool = True,
    **more: object,  # of the site, by the names of its fields
) -> Site:
    operations = Operations(managed, frozenset(skills), on_call)
    place = Location(45.0, 9.0)
    return Site(name, tier, jurisdiction, control, False, place, operations, nodes, **more)  # noqa: FBT003 - a field


def link(a: str, b: str, p99: float, gbps: float = 10.0, *, estimated: bool = False) -> Link:
    return Link(f"{a}-{b}", a, b, p99 / 2, p99, gbps, estimated)


def measurement(workload: str, users: str, site: str, p99: float, p50: float | None = None) -> Measurement:
    seen = Latencies(p50, None, p99)
    return Measurement(f"{workload}-{users}-{site}", workload, users, site, seen, None, "a probe", CHECKED)


def form(name: str, gib: float, accuracy: float, p99: float = 1.0, profile: str | None = None) -> Quantisation:
    return Quantisation(name, gib, accuracy, p99 / 2, p99, profile)


def dataset(
    name: str, home: str, sensitivity: SensitivityClass = SensitivityClass.AGGREGATED_KPI, *, bound: bool = False
) -> Dataset:
    return Dataset(name, sensitivity, home, 100.0, bound, ())


def regulation(
    name: str,
    *classes: SensitivityClass,
    boundary: Boundary = Boundary.NONE,
    effect: Effect = Effect.DENY,
    members: Iterable[str] = (),
    jurisdictions: Iterable[str] = ("IT",),
) -> Regulation:
    return Regulation(
        name,
        frozenset(jurisdictions),
        frozenset(classes),
        boundary,
        effect,
        frozenset(members),
        f"source of {name}",
        None,
        CHECKED,
        EXPIRES,
    )


def use(dataset: str, gb: float = 1.0, *, within_ms: float = 3.6e6, every_ms: float = 3.6e6) -> Consumption:
    return Consumption(dataset, gb, every_ms, within_ms)


def workload(  # noqa: PLR0913 - a builder of test data
    name: str,
    users: str,
    *,
    p99: float | None = None,
    service: float = 1.0,
    cores: int = 1,
    memory: float = 1.0,
    gpus: int = 0,
    gpu_memory: float = 0.0,
    archs: frozenset[Arch] = X86,
    consumes: tuple[Consumption, ...] = (),
    calls: tuple[Call, ...] = (),
    skills: Iterable[str] = (),
    on_call: OnCall = OnCall.NONE,
    tenant: str = "team",
    phase: Phase = Phase.BATCH_INFERENCE,
    needs: Mapping[str, object] = MappingProxyType({}),  # more of the demand, by the names of its fields
    **more: object,  # of the workload, by the names of its fields
) -> Workload:
    return Workload(
        name,
        phase,
        tenant,
        name,
        Demand(cores, memory, gpus, gpu_memory, archs, **needs),
        consumes,
        LatencyTarget(users, p99),
        service / 2,
        service,
        Readiness(frozenset(skills), on_call),
        calls,
        **more,
    )


def prices(*extra: ComputePrices, gpu_hour: Mapping[str, float] | None = None) -> PriceBook:
    gpus = {"L40S": 2.0, "H100": 4.0} if gpu_hour is None else gpu_hour
    tiers = tuple(ComputePrices(tier, None, core, 0.01, gpus, 0.01) for tier, core in CORE_HOUR.items())
    return PriceBook("list", "EUR", "price list", CHECKED, EXPIRES, (*extra, *tiers), ())


def tenant(
    name: str = "team", cores: int | None = None, memory: float | None = None, gpus: int | None = None
) -> Tenant:
    return Tenant(name, name, Quota(cores, memory, gpus))


def estate(*things: object, book: PriceBook | None = None) -> Estate:
    """An estate of `things` in their order; free movement of aggregates and a boundless tenant are there by default."""
    everything = (*things, book or prices())
    order = (Site, Link, Dataset, Regulation, Workload, Tenant, PriceBook, Measurement)
    kinds: dict[type, dict[str, object]] = {kind: {} for kind in order}
    for thing in everything:
        kinds[type(thing)][thing.name] = thing
    kinds[Tenant].setdefault("team", tenant())
    if not kinds[Regulation]:
        free = regulation("free", SensitivityClass.AGGREGATED_KPI, SensitivityClass.ANONYMISED)
        kinds[Regulation]["free"] = free
    return Estate(*kinds.values())


def case(built: Estate, name: str, **callees: str | None) -> Case:
    terrain, job = Terrain(built), built.workloads[name]
    return Case(terrain, job, callees, terrain.variants(job)[0])
