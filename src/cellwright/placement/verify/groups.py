"""Rules about several replicas: gangs, spread, affinity, quotas and the power of a site."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from cellwright.estate.mig import geometry
from cellwright.estate.model import Spread
from cellwright.placement.verify.breach import EPSILON, Breach
from cellwright.placement.verify.machines import profile_of
from cellwright.placement.verify.seated import moments

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cellwright.estate.model import Estate, Site, Tenant, Workload
    from cellwright.placement.verify.seated import Seated


def group_breaches(estate: Estate, seats: Iterable[Seated], replicas: dict[str, int]) -> Iterator[Breach]:
    """Yield what replicas break together; `replicas` says how many each workload must have."""
    by_workload: dict[str, list[Seated]] = defaultdict(list)
    by_site: dict[str, list[Seated]] = defaultdict(list)
    by_tenant: dict[str, list[Seated]] = defaultdict(list)
    for seat in seats:
        by_workload[seat.workload.name].append(seat)
        by_site[seat.site.name].append(seat)
        by_tenant[seat.workload.tenant].append(seat)
    where = {name: {seat.site.name for seat in there} for name, there in by_workload.items()}
    for name in sorted(by_workload):
        workload = estate.workloads[name]
        if workload.gang:
            yield from _gang(workload, by_workload[name], replicas[name])
        yield from _spread(workload, by_workload[name])
        for seat in by_workload[name]:
            yield from _company(seat, where)
    for name in sorted(by_site):
        yield from _power(estate.sites[name], by_site[name])
    for name in sorted(by_tenant):
        if name in estate.tenants:
            yield from _quota(estate.tenants[name], by_tenant[name])


def _gang(workload: Workload, there: list[Seated], replicas: int) -> Iterator[Breach]:
    """Yield a gang that is not whole, not at one site, or on several machines that no fabric joins."""
    if len(there) != replicas:
        message = f"{workload.name}: {len(there)} of the {replicas} of a gang have a place"
        yield Breach("gang.partial", workload.name, None, len(there), replicas, message)
    sites = sorted({seat.site.name for seat in there})
    if len(sites) > 1:
        message = f"{workload.name}: a gang is at {', '.join(sites)}"
        yield Breach("gang.site", workload.name, sites[0], len(sites), 1, message)
    fabrics = {seat.node.fabric for seat in there}
    if len({seat.machine for seat in there}) > 1 and (len(fabrics) > 1 or None in fabrics):
        names = ", ".join(sorted(each or "none" for each in fabrics))
        message = f"{workload.name}: the machines of a gang are on the fabrics {names}"
        yield Breach("gang.fabric", workload.name, sites[0], names, "one fabric", message)


def _spread(workload: Workload, there: list[Seated]) -> Iterator[Breach]:
    """Yield replicas that are nearer to each other than they may be."""
    if workload.spread is Spread.ANY:
        return
    at_site = workload.spread is Spread.SITE
    counts = Counter((seat.site.name, "" if at_site else str(seat.placement.node)) for seat in there)
    for (site, node), times in sorted(counts.items()):
        if times > 1:
            place = f"{site}/{node}" if node else site
            message = f"{workload.name}: {times} replicas at {place}, spread by {workload.spread}"
            yield Breach(f"spread.{workload.spread}", workload.name, site, times, 1, message)


def _company(seat: Seated, where: dict[str, set[str]]) -> Iterator[Breach]:
    """Yield workloads that have to be at the same site and are not, and those that must not be and are."""
    for other in sorted(seat.workload.together_with):
        if seat.site.name not in where.get(other, set()):
            there = ", ".join(sorted(where.get(other, set()))) or "nowhere"
            yield seat.breach("affinity.together", seat.site.name, there, f"it must be with {other}, which is {there}")
    for other in sorted(seat.workload.apart_from):
        if seat.site.name in where.get(other, set()) and other != seat.workload.name:
            yield seat.breach("affinity.apart", seat.site.name, other, f"it must not be with {other}")


def _power(site: Site, there: list[Seated]) -> Iterator[Breach]:
    """Yield a site that draws more than its budget at some moment of the day."""
    if site.power_budget_kw is None:
        return
    unknown = sorted({seat.node.name for seat in there if seat.node.power_kw is None})
    if unknown:
        message = f"{site.name}: nobody knows what {', '.join(unknown)} draw, so nobody knows that the budget holds"
        yield Breach("power.unknown", "", site.name, None, site.power_budget_kw, message)
    peak = max(
        math.fsum(_draw_kw(seat) for seat in there if seat.runs_at(minute))
        for minute in moments([seat.workload for seat in there])
    )
    if peak > site.power_budget_kw + EPSILON:
        message = f"{site.name} draws {peak:g} kW, its budget is {site.power_budget_kw:g} kW"
        yield Breach("power.budget", "", site.name, peak, site.power_budget_kw, message)


def _draw_kw(seat: Seated) -> float:
    """Return the machine's power times the larger share that a replica has of its threads or of its GPUs."""
    node, demand = seat.node, seat.demand
    grain = node.threads_per_core if demand.pinned else 1
    shares = [math.ceil(demand.cores / grain) * grain / node.threads]
    if node.gpus:
        profile, cut = profile_of(seat), geometry(node.gpus.model)
        gpus = profile.compute_slices / cut.compute_slices if profile and cut else demand.gpus * demand.gpu_share
        shares.append(gpus / node.gpus.count)
    return (node.power_kw or 0.0) * max(shares)


def _quota(tenant: Tenant, there: list[Seated]) -> Iterator[Breach]:
    """Yield what the workloads of a tenant take beyond its quota."""
    for name, taken, limit in (
        ("cores", float(sum(seat.demand.cores for seat in there)), tenant.quota.cores),
        ("memory", math.fsum(seat.demand.memory_gib for seat in there), tenant.quota.memory_gib),
        ("gpus", float(sum(seat.demand.gpus for seat in there)), tenant.quota.gpus),
    ):
        if limit is not None and taken > limit + EPSILON:
            message = f"tenant {tenant.name} takes {taken:g} of its quota of {limit:g}, {name}"
            yield Breach(f"quota.{name}", "", None, taken, limit, message)
