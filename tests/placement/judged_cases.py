"""Random cases rich in everything that filters look at, and the same filters once more: one site at a time, naively."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from random_estates import SITE_NAMES, estates

from cellwright.estate.model import OnCall, Spread
from cellwright.placement.terrain import Case, Held, Standing, Terrain
from cellwright.policy.residency import may_leave

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cellwright.estate.model import Estate, Site, Workload
    from cellwright.placement.plan import Violation

Told = tuple[str, str, object, object]  # code, subject, measured, limit


@st.composite
def edges(draw: Callable, built: Estate, job: Workload) -> Workload:
    """The workload with limits exactly at, or a nanosecond or microsecond below, what some site measures."""
    near, below = draw(st.sampled_from(sorted(built.sites))), draw(st.sampled_from([0.0, 1e-6]))
    limit = round(network_p99(built, job.latency.users)[near] + job.service_p99_ms - below, 6)
    if math.isfinite(limit) and limit > 0:
        job = replace(job, latency=replace(job.latency, p99_ms=limit))
    uses = []
    for use in job.consumes:
        gbps = widest_gbps(built, built.datasets[use.dataset].home)[near]
        within = round(use.transfer_gb * 8 / gbps - below, 6) * 1000 if gbps else 1000.0
        uses.append(replace(use, within_ms=within) if within > 0 else use)
    return replace(job, consumes=tuple(uses), readiness=replace(job.readiness, on_call=draw(st.sampled_from(OnCall))))


@st.composite
def cases(draw: Callable) -> Case:
    """One replica to place in one of its forms, others standing anywhere."""
    built = draw(estates)
    sites = {
        name: replace(each, operations=replace(each.operations, on_call=draw(st.sampled_from(OnCall))))
        for name, each in built.sites.items()
    }
    job = built.workloads[draw(st.sampled_from(sorted(built.workloads)))]
    if draw(st.booleans()):
        job = draw(edges(built, job))
    terrain = Terrain(replace(built, sites=sites, workloads={**built.workloads, job.name: job}))
    somewhere = st.one_of(st.none(), st.sampled_from(SITE_NAMES))
    places = st.dictionaries(st.sampled_from(sorted(built.workloads)), st.frozensets(st.integers(0, 3)))
    return Case(
        terrain,
        job,
        {call.workload: draw(somewhere) for call in job.calls},
        draw(st.sampled_from(terrain.variants(job))),
        Standing({"team": Held(draw(st.integers(0, 5)), 1.5, draw(st.integers(0, 2)), ("x",))}, draw(places)),
        pinned=draw(st.sampled_from([None, None, None, "b"])),
    )


def told(violations: list[Violation]) -> set[Told]:
    """What violations say, without the words."""
    return {(each.code, each.subject, each.measured, each.limit) for each in violations}


def naively(case: Case, site: Site) -> set[Told]:
    """What stands against one site."""
    parts = (_law, _latency, _gravity, _operations, _hardware, _quota, _affinity)
    return {found for part in parts for found in part(case, site)}


def _law(case: Case, site: Site) -> Iterator[Told]:
    for use in case.workload.consumes:
        for reason in may_leave(*case.data(use.dataset), site, case.estate.regulations.values()).reasons:
            yield reason.code, use.dataset, reason.measured, reason.limit


def network_p99(built: Estate, source: str) -> dict[str, float]:
    """Least sums of P99 by trying every link again and again."""
    best = dict.fromkeys(built.sites, math.inf) | {source: 0.0}
    for _, link, (a, b) in product(built.sites, built.links.values(), (("a", "b"), ("b", "a"))):
        near, far = getattr(link, a), getattr(link, b)
        best[far] = min(best[far], round(best[near] + link.rtt_p99_ms, 6))
    return best


def widest_gbps(built: Estate, source: str) -> dict[str, float]:
    """Widest bottlenecks, likewise."""
    best = dict.fromkeys(built.sites, 0.0) | {source: math.inf}
    for _, link, (a, b) in product(built.sites, built.links.values(), (("a", "b"), ("b", "a"))):
        near, far = getattr(link, a), getattr(link, b)
        best[far] = max(best[far], min(best[near], link.bandwidth_gbps))
    return best


def _latency(case: Case, site: Site) -> Iterator[Told]:
    target = case.workload.latency
    network = network_p99(case.estate, target.users)[site.name]
    seen = [each for each in case.terrain.measured(case.workload.name, target.users) if each.site == site.name]
    total = seen[-1].round_trip.p99_ms if seen else round(network + case.variant.service_p99_ms, 6)
    if math.isinf(total):
        yield "latency.unreachable", target.users, None, target.p99_ms
    elif target.p99_ms is not None and total > target.p99_ms:
        yield "latency.p99", target.users, total, target.p99_ms
    for call in case.workload.calls:
        callee = case.callees[call.workload]
        far = network_p99(case.estate, callee)[site.name] if callee else math.inf
        if call.p99_ms is not None and far > call.p99_ms:
            yield "latency.call", call.workload, None if math.isinf(far) else far, call.p99_ms


def _gravity(case: Case, site: Site) -> Iterator[Told]:
    for use in case.workload.consumes:
        dataset, home = case.data(use.dataset)
        if home.name != site.name and dataset.bound:
            yield "gravity.bound", dataset.name, site.name, home.name
        gbps = widest_gbps(case.estate, home.name)[site.name]
        needed = round(use.transfer_gb * 8 / gbps, 6) if gbps else math.inf
        limit = min(use.within_ms, use.every_ms) / 1000
        if use.transfer_gb and needed > limit:
            yield "gravity.transfer-time", dataset.name, None if math.isinf(needed) else needed, limit


def _operations(case: Case, site: Site) -> Iterator[Told]:
    there = site.operations.skills | ({"hardware", "firmware", "runtime"} if site.operations.managed else set())
    for skill in case.workload.readiness.skills - there:
        yield "operations.skill", skill, ", ".join(sorted(there)) or "none", skill
    order = ["none", "business_hours", "24x7"]
    asked, offered = case.workload.readiness.on_call, site.operations.on_call
    if order.index(offered) < order.index(asked):
        yield "operations.on-call", "on_call", offered, asked


def _hardware(case: Case, site: Site) -> Iterator[Told]:
    pool, shape, job = case.terrain.machines, case.variant.shape, case.workload
    span = pool.span(case.terrain.index[site.name])
    machines = range(span.start, span.stop)
    if not machines:
        yield "hardware.nodes", "nodes", 0.0, 1.0
        return
    lacks = [pool.lacks(shape, slice(at, at + 1), empty=True) for at in machines]
    nearest = min(zip(lacks, machines, strict=True), key=lambda pair: (len(pair[0]), pool.node(pair[1]).name))[0]
    for each in nearest:
        yield f"hardware.{each.resource}", each.resource, each.measured[0], each.limit
    if nearest or not job.gang or job.replicas.count == 1:
        return
    copies = [pool.copies(shape, at) for at in machines]
    held = copies if job.spread == "any" else [min(each, 1) for each in copies]
    fabrics = {pool.node(at).fabric for at in machines} - {None}
    sums = [sum(n for at, n in zip(machines, held, strict=True) if pool.node(at).fabric == name) for name in fabrics]
    if max([*sums, *held]) < job.replicas.count:
        yield "hardware.fabric", "fabric", float(max([*sums, *held])), float(job.replicas.count)


def _quota(case: Case, _: Site) -> Iterator[Told]:
    if case.tenant is None:
        return
    held = case.standing.tenants.get(case.tenant.name, Held())
    demand, quota = case.variant.shape.demand, case.tenant.quota
    many = case.workload.replicas.count if case.workload.gang else 1
    for resource, total, bound in (
        ("cores", held.cores + many * demand.cores, quota.cores),
        ("memory", round(held.memory_gib + many * demand.memory_gib, 9), quota.memory_gib),
        ("gpus", held.gpus + many * demand.gpus, quota.gpus),
    ):
        if bound is not None and total > bound:
            yield f"quota.{resource}", resource, total, bound


def _affinity(case: Case, site: Site) -> Iterator[Told]:
    job, index = case.workload, case.terrain.index[site.name]
    placed = {name: case.standing.sites.get(name, frozenset()) for name in case.estate.workloads}
    if case.pinned not in (None, site.name):
        yield "affinity.other-site", job.name, site.name, case.pinned
    for other in job.together_with:
        if index not in placed[other]:
            there = [case.terrain.names[each] for each in sorted(placed[other])]
            more = f" and {len(there) - 3} more" if len(there) > 3 else ""
            yield "affinity.together", other, site.name, ", ".join(there[:3]) + more or "no site"
    for name, other in case.estate.workloads.items():
        if (name in job.apart_from or job.name in other.apart_from) and index in placed[name]:
            yield "affinity.apart", name, site.name, f"without {name}"
    if job.spread is Spread.SITE and index in placed[job.name]:
        yield "affinity.spread", job.name, site.name, "one replica a site"
