"""Capacity: a machine that can hold the workload, room left on it, and room left in the tenant's quota."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cellwright.estate.model import Gpus, Node
from cellwright.placement.changes import Change, from_to, unused, with_site, with_tenant
from cellwright.placement.occupancy import Machine, memory_taken_gib
from cellwright.placement.plan import Dimension, Violation
from cellwright.placement.wording import counted, listing, number
from cellwright.units import MEMORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cellwright.estate.model import Demand, Estate, Site, Workload
    from cellwright.placement.occupancy import Occupancy
    from cellwright.placement.terrain import Case

NODES: Final = "capacity.nodes"
TAKEN: Final = "capacity.taken"  # the site could hold it, other workloads are there
QUOTA: Final = "capacity.quota"


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A resource of which a machine has too little."""

    resource: str  # arch, gpus, gpu-memory, cores or memory
    measured: float | str
    limit: float | str
    unit: str


def shortfalls(demand: Demand, machine: Machine) -> tuple[Shortfall, ...]:
    """Return every resource of which `machine` has less left than `demand` needs."""
    node, found = machine.node, []
    if node.arch not in demand.archs:
        found.append(Shortfall("arch", node.arch.value, " or ".join(sorted(demand.archs)), ""))
    if demand.gpus > machine.gpus:
        found.append(Shortfall("gpus", float(machine.gpus), float(demand.gpus), "GPUs"))
    if demand.gpus and node.gpus and demand.gpu_memory_gib > node.gpus.memory_gib:
        found.append(Shortfall("gpu-memory", float(node.gpus.memory_gib), float(demand.gpu_memory_gib), "GiB"))
    if demand.cores > machine.cores:
        found.append(Shortfall("cores", float(machine.cores), float(demand.cores), "cores"))
    needed = memory_taken_gib(demand, node)
    if needed > machine.memory_gib:
        found.append(Shortfall("memory", float(machine.memory_gib), float(needed), "GiB"))
    return tuple(found)


def empty_machine(node: Node) -> Machine:
    """Return a machine of `node` that nobody is on."""
    return Machine(node, 1, node.cores, node.memory_gib, node.gpus.count if node.gpus else 0, ())


def can_hold(node: Node, demand: Demand) -> bool:
    """Return whether an empty machine of `node` holds the workload."""
    return node.count > 0 and not shortfalls(demand, empty_machine(node))


def best_fit(occupancy: Occupancy, site: Site, node: Node, demand: Demand) -> Machine | None:
    """Return the machine of `node` with room and the fewest GPUs, then cores, then GiB free; None if none has room."""
    fitting = (machine for machine in occupancy.machines(site, node) if not shortfalls(demand, machine))
    return min(fitting, key=lambda each: (each.gpus, each.cores, each.memory_gib, each.index), default=None)


def quota_violations(occupancy: Occupancy, case: Case) -> tuple[Violation, ...]:
    """Return what the workload would take beyond its tenant's quota, on whatever site."""
    workload = case.workload
    tenant = case.estate.tenants.get(workload.tenant)
    if tenant is None:
        return ()
    held = occupancy.held_by_tenant(tenant.name)
    demands = [*held.values(), workload.demand]
    wanted = (
        ("cores", float(sum(demand.cores for demand in demands)), tenant.quota.cores, "cores"),
        ("memory", round(math.fsum(demand.memory_gib for demand in demands), 9), tenant.quota.memory_gib, "GiB"),
        ("gpus", float(sum(demand.gpus for demand in demands)), tenant.quota.gpus, "GPUs"),
    )
    holders = listing(sorted(held))
    return tuple(
        Violation(
            dimension=Dimension.CAPACITY,
            code=QUOTA,
            subject=resource,
            measured=total,
            limit=float(quota),
            unit=unit,
            message=(
                f"with {workload.name} tenant {tenant.name} would take {number(total)} {unit}, its quota is "
                f"{number(quota)} (already placed: {holders})"
            ),
            source=f"tenant {tenant.name}",
        )
        for resource, total, quota, unit in wanted
        if quota is not None and total > quota
    )


def able_nodes(case: Case, sites: Iterable[Site]) -> Mapping[str, tuple[Node, ...]]:
    """Return by site the nodes that can hold the workload when empty."""
    demand = case.workload.demand
    known = case.terrain.answers(("able nodes", demand))
    for site in sites:
        if site.name not in known:
            known[site.name] = tuple(node for node in site.nodes if can_hold(node, demand))
    return known


def too_small(case: Case, sites: Iterable[Site]) -> Mapping[str, tuple[Violation, ...]]:
    """Return by site what the machine that lacks the fewest resources lacks even when empty; sites without able nodes.

    Kept like `able_nodes` for all workloads of the same demand.
    """
    demand = case.workload.demand
    known = case.terrain.answers(("too small", demand))
    for site in sites:
        if site.name not in known:
            known[site.name] = _too_small(demand, site)
    return known


def taken(occupancy: Occupancy, demand: Demand, site: Site, nodes: Iterable[Node]) -> tuple[Violation, ...]:
    """Return what the machine of `nodes` that lacks the fewest resources lacks now; each could hold it when empty."""
    machines = [machine for node in nodes for machine in occupancy.machines(site, node)]
    return tuple(_taken(site, machine, lack) for machine, lack in _nearest_miss(demand, machines))


def _too_small(demand: Demand, site: Site) -> tuple[Violation, ...]:
    empty = [empty_machine(node) for node in site.nodes if node.count > 0]
    if not empty:
        message = f"{site.name} has no machines"
        return (Violation(Dimension.CAPACITY, NODES, "nodes", 0.0, 1.0, "nodes", message, "site nodes"),)
    return tuple(_lacking(site, machine, lack) for machine, lack in _nearest_miss(demand, empty))


def _nearest_miss(demand: Demand, machines: list[Machine]) -> Iterator[tuple[Machine, Shortfall]]:
    """Yield the shortfalls of the machine that has the fewest, then the first by name."""
    lacks = {machine.label: (machine, shortfalls(demand, machine)) for machine in machines}
    machine, found = min(lacks.values(), key=lambda pair: (len(pair[1]), pair[0].node.name, pair[0].index))
    yield from ((machine, lack) for lack in found)


def _taken(site: Site, machine: Machine, lack: Shortfall) -> Violation:
    """Return the violation of a machine that others have filled."""
    message = (
        f"{site.name} could hold it, but its nearest machine {machine.label} has {_figure(lack.measured, lack)} left "
        f"and {_figure(lack.limit, lack)} are needed: {listing(machine.holders)} took the rest"
    )
    return Violation(
        Dimension.CAPACITY, TAKEN, lack.resource, lack.measured, lack.limit, lack.unit, message, machine.label
    )


def _lacking(site: Site, machine: Machine, lack: Shortfall) -> Violation:
    """Return the violation of a machine that is too small even when empty."""
    message = (
        f"{lack.resource} at {site.name}: its nearest machine {machine.node.name} has {_figure(lack.measured, lack)}, "
        f"{_figure(lack.limit, lack)} needed"
    )
    code = f"capacity.{lack.resource}"
    return Violation(
        Dimension.CAPACITY, code, lack.resource, lack.measured, lack.limit, lack.unit, message, machine.node.name
    )


def _figure(value: float | str, lack: Shortfall) -> str:
    return value if isinstance(value, str) else counted(value, lack.unit)


def relax(case: Case, site: Site, violation: Violation) -> Change:
    """Return the larger quota or machine, or the further machine, that makes room."""
    if violation.code == QUOTA:
        return _larger_quota(case.workload, violation)
    node = next((node for node in site.nodes if node.name == violation.source and node.count == 1), None)
    numeric = isinstance(violation.measured, float) and violation.subject != "gpu-memory"
    if node is not None and numeric and (violation.subject != "gpus" or _suits(node, case.workload.demand)):
        return _larger_machine(site, node, violation)
    return _further_machine(case, site, violation)


def _suits(node: Node, demand: Demand) -> bool:
    """Return whether more GPUs of the kind in `node` would serve the demand."""
    return node.gpus is not None and node.gpus.memory_gib >= demand.gpu_memory_gib


def _larger_quota(workload: Workload, violation: Violation) -> Change:
    """Return the change that raises one bound of the tenant's quota."""
    needed = float(violation.measured or 0)

    def apply(estate: Estate) -> Estate:
        tenant = estate.tenants[workload.tenant]
        quota = tenant.quota
        raised = {
            "cores": replace(quota, cores=math.ceil(needed)),
            "gpus": replace(quota, gpus=math.ceil(needed)),
            "memory": replace(quota, memory_gib=needed),
        }
        return with_tenant(estate, replace(tenant, quota=raised[violation.subject]))

    before = float(violation.limit or 0)
    text = from_to(f"quota of tenant {workload.tenant}", before, needed, violation.unit)
    return Change(QUOTA, workload.tenant, before, needed, violation.unit, text, apply)


def _larger_machine(site: Site, node: Node, violation: Violation) -> Change:
    """Return the change that adds to a single machine what is missing of one resource."""
    more = float(violation.limit or 0) - float(violation.measured or 0)

    def apply(estate: Estate) -> Estate:
        current = estate.sites[site.name]
        nodes = tuple(
            _grown(each, violation.subject, more) if each.name == node.name else each for each in current.nodes
        )
        return with_site(estate, replace(current, nodes=nodes))

    kind = f" of {MEMORY.format(node.gpus.memory_gib)}" if violation.subject == "gpus" and node.gpus else ""
    text = f"{counted(more, violation.unit)}{kind} more in machine {node.name} at {site.name}"
    return Change(
        violation.code, f"{site.name}/{node.name}", violation.measured, violation.limit, violation.unit, text, apply
    )


def _grown(node: Node, resource: str, more: float) -> Node:
    """Return `node` with more of one resource."""
    if resource == "gpus" and node.gpus:
        return replace(node, gpus=replace(node.gpus, count=node.gpus.count + math.ceil(more)))
    if resource == "cores":
        return replace(node, cores=node.cores + math.ceil(more))
    return replace(node, memory_gib=round(node.memory_gib + more, 9))


def _further_machine(case: Case, site: Site, violation: Violation) -> Change:
    """Return the change that adds one machine of exactly the workload's size."""
    demand = case.workload.demand
    arch = min(demand.archs)
    gpus = Gpus(_gpu_model(case, demand), demand.gpus, demand.gpu_memory_gib) if demand.gpus else None

    def apply(estate: Estate) -> Estate:
        current = estate.sites[site.name]
        name = unused("further", {node.name: node for node in current.nodes})
        node = Node(name, 1, arch, demand.cores, demand.memory_gib, gpus, unified_memory=False)
        return with_site(estate, replace(current, nodes=(*current.nodes, node)))

    size = f"{counted(demand.cores, 'cores')}, {MEMORY.format(demand.memory_gib)}"
    graphics = f", {counted(demand.gpus, 'GPUs')} of {MEMORY.format(demand.gpu_memory_gib)}" if demand.gpus else ""
    text = f"one further machine at {site.name} with {size}{graphics} ({arch})"
    return Change(violation.code, site.name, violation.measured, violation.limit, violation.unit, text, apply)


def _gpu_model(case: Case, demand: Demand) -> str:
    """Return the smallest GPU model of the estate that is large enough."""
    known = {
        (node.gpus.memory_gib, node.gpus.model)
        for site in case.terrain.sites
        for node in site.nodes
        if node.gpus and not node.unified_memory and node.gpus.memory_gib >= demand.gpu_memory_gib
    }
    return min(known)[1] if known else f"gpu-{number(demand.gpu_memory_gib)}-gib"
