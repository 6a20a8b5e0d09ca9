"""May each replica be at its site: law, latency, calls, data and people."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from typing import TYPE_CHECKING

from cellwright.estate.model import Boundary, Control, OnCall
from cellwright.placement.verify.breach import EPSILON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.estate.model import Call, Consumption, Dataset, Estate, Link, Measurement, Regulation, Site
    from cellwright.placement.verify.breach import Breach
    from cellwright.placement.verify.seated import Seated


class Roads:
    """Round trips and bandwidths over the links of an estate, by Dijkstra, and what users measured instead."""

    def __init__(self, estate: Estate) -> None:
        self._links: dict[str, list[tuple[str, Link]]] = defaultdict(list)
        for link in estate.links.values():
            self._links[link.a].append((link.b, link))
            self._links[link.b].append((link.a, link))
        self._delays: dict[str, dict[str, tuple[float, float]]] = {}
        self._widths: dict[str, dict[str, float]] = {}
        self.measured: dict[tuple[str, str, str], list[Measurement]] = defaultdict(list)
        for each in estate.measurements.values():
            self.measured[each.workload, each.users, each.site].append(each)

    def delay_ms(self, source: str, target: str) -> tuple[float, float]:
        """Return P99 and P50 of the round trip along the path of least P99, then P50; infinite where there is none."""
        if source not in self._delays:
            known: dict[str, tuple[float, float]] = {}
            queue = [(0.0, 0.0, source)]
            while queue:
                p99, p50, site = heapq.heappop(queue)
                if site in known:
                    continue
                known[site] = p99, p50
                for other, link in self._links[site]:
                    step = round(p99 + link.rtt_p99_ms, 6), round(p50 + link.rtt_p50_ms, 6), other
                    heapq.heappush(queue, step)
            self._delays[source] = known
        return self._delays[source].get(target, (math.inf, math.inf))

    def width_gbps(self, source: str, target: str) -> float:
        """Return the bandwidth of the widest path; 0 where there is none."""
        if source not in self._widths:
            known: dict[str, float] = {}
            queue = [(-math.inf, source)]
            while queue:
                narrow, site = heapq.heappop(queue)
                if site in known:
                    continue
                known[site] = -narrow
                for other, link in self._links[site]:
                    heapq.heappush(queue, (max(narrow, -link.bandwidth_gbps), other))
            self._widths[source] = known
        return self._widths[source].get(target, 0.0)


def site_breaches(estate: Estate, roads: Roads, seat: Seated, where: dict[str, set[str]]) -> Iterator[Breach]:
    """Yield every reason for which a replica may not be at its site; `where` are the sites of each workload."""
    for use in seat.consumes:
        data = estate.datasets[use.dataset]
        home = estate.sites[data.home]
        if home.name != seat.site.name:
            yield from _law(estate, seat, data, home)
            yield from _gravity(roads, seat, data, use)
    yield from _latency(roads, seat)
    yield from _calls(roads, seat, where)
    yield from _people(seat)


def _law(estate: Estate, seat: Seated, data: Dataset, home: Site) -> Iterator[Breach]:
    """Yield every regulation of the data's home that its class may not cross; no regulation at all means premises."""
    rules = [
        rule
        for rule in estate.regulations.values()
        if home.jurisdiction in rule.jurisdictions and data.sensitivity in rule.classes
    ]
    if not rules and not _inside(Boundary.PREMISES, None, home, seat.site):
        message = f"no regulation names {data.sensitivity} of {home.jurisdiction}, so {data.name} stays on the premises"
        yield seat.breach("law.unclassified", seat.site.jurisdiction, Boundary.PREMISES, message)
    for rule in rules:
        if not _inside(rule.boundary, rule, home, seat.site):
            message = f"{data.name} ({data.sensitivity}, {home.jurisdiction}) crosses {rule.boundary} of {rule.name}"
            yield seat.breach("law.boundary", seat.site.jurisdiction, rule.boundary, message)


def _inside(boundary: Boundary, rule: Regulation | None, home: Site, site: Site) -> bool:
    """Return whether a site lies within a boundary around `home`."""
    if boundary is Boundary.NONE:
        return True
    if site.jurisdiction == home.jurisdiction:
        return boundary is not Boundary.PREMISES or site.control is Control.OPERATOR
    return boundary is Boundary.BLOC and rule is not None and site.jurisdiction in rule.members


def _gravity(roads: Roads, seat: Seated, data: Dataset, use: Consumption) -> Iterator[Breach]:
    """Yield data that cannot leave its home, or cannot arrive before it is needed or before the next is due."""
    if data.bound:
        yield seat.breach("gravity.bound", seat.site.name, data.home, f"{data.name} is bound to {data.home}")
    if use.transfer_gb <= 0:
        return
    gbps, limit_s = roads.width_gbps(data.home, seat.site.name), min(use.within_ms, use.every_ms) / 1000
    needed_s = use.transfer_gb * 8 / gbps if gbps > 0 else math.inf
    if needed_s > limit_s + EPSILON:
        message = f"{data.name} needs {needed_s:.6g} s from {data.home} over {gbps:g} Gbit/s, limit {limit_s:.6g} s"
        yield seat.breach("gravity.transfer", needed_s, limit_s, message)


def _latency(roads: Roads, seat: Seated) -> Iterator[Breach]:
    """Yield users who cannot reach the replica in time, and figures in the plan that are not so."""
    p50: float | None
    p99: float
    found = roads.measured[seat.workload.name, seat.users, seat.site.name]
    if found:
        latest = max(found, key=lambda each: (each.checked, each.name))
        p99, p50 = latest.round_trip.p99_ms, latest.round_trip.p50_ms
    else:
        network99, network50 = roads.delay_ms(seat.users, seat.site.name)
        p99, p50 = network99 + seat.service_p99_ms, network50 + seat.service_p50_ms
        if math.isinf(p99):
            yield seat.breach("latency.unreachable", None, None, f"no path joins it to its users at {seat.users}")
            return
    limit = seat.workload.latency.p99_ms
    if limit is not None and p99 > limit + EPSILON:
        basis = "measured" if found else "reckoned"
        yield seat.breach("latency.p99", p99, limit, f"round trip P99 is {p99:.6g} ms ({basis}), limit {limit:g} ms")
    for name, said, true in (
        ("P50", seat.placement.latency_p50_ms, p50),
        ("P99", seat.placement.latency_p99_ms, p99),
    ):
        if (said is None) != (true is None) or (said is not None and true is not None and abs(said - true) > EPSILON):
            yield seat.breach("latency.figure", said, true, f"the plan says {name} {said} ms, it is {true} ms")
    if bool(found) != seat.placement.latency_source.startswith("measured"):
        true_source = "measured" if found else "reckoned from links"
        message = f"the plan's latency is called {seat.placement.latency_source!r}; it is {true_source}"
        yield seat.breach("latency.source", seat.placement.latency_source, true_source, message)


def _calls(roads: Roads, seat: Seated, where: dict[str, set[str]]) -> Iterator[Breach]:
    """Yield calls that go where the callee is not, or take too long."""
    answered = {name: site for name, site, _ in seat.placement.calls}
    for call in seat.workload.calls:
        site = answered.get(call.workload)
        if site not in where[call.workload] if site is not None else where[call.workload]:
            message = f"it calls {call.workload} at {site}, which is at {sorted(where[call.workload])}"
            yield seat.breach("call.site", site, ", ".join(sorted(where[call.workload])), message)
        elif call.p99_ms is not None:
            yield from _call(roads, seat, call, site)


def _call(roads: Roads, seat: Seated, call: Call, site: str | None) -> Iterator[Breach]:
    """Yield a call that takes longer than its limit; a callee that is nowhere never answers."""
    p99 = roads.delay_ms(site, seat.site.name)[0] if site else math.inf
    if call.p99_ms is not None and p99 > call.p99_ms + EPSILON:
        message = f"the round trip to {call.workload} at {site} is {p99:g} ms, limit {call.p99_ms:g} ms"
        yield seat.breach("call.p99", p99, call.p99_ms, message)


def _people(seat: Seated) -> Iterator[Breach]:
    """Yield skills and cover that the site lacks; a provider brings hardware, firmware and runtime."""
    there = seat.site.operations.skills | (
        {"hardware", "firmware", "runtime"} if seat.site.operations.managed else set()
    )
    for skill in sorted(seat.workload.readiness.skills - there):
        yield seat.breach("operations.skill", ", ".join(sorted(there)), skill, f"nobody has the skill {skill}")
    rising = (OnCall.NONE, OnCall.BUSINESS_HOURS, OnCall.ALWAYS)
    offered, asked = seat.site.operations.on_call, seat.workload.readiness.on_call
    if rising.index(offered) < rising.index(asked):
        yield seat.breach("operations.on-call", offered, asked, f"on call {offered}, {asked} is asked for")
