"""Latency: the P99 of the full round trip of users, and of every call that sets a limit.

What the users measured goes before any reckoning. Otherwise the network's part is the sum of the links' P99 along the
path of least P99: an upper bound, since the links of a path seldom have their worst moments together. The service time
of the workload's form comes on top. What cannot be reached has no latency and is never admitted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.placement.changes import Change, from_to, new_link, with_workload
from cellwright.placement.filters import Filter
from cellwright.placement.plan import Dimension, Finding
from cellwright.placement.reckoned import Reckoned
from cellwright.placement.wording import number, round_up

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from cellwright.estate.model import Call, Estate, Measurement, Site, Workload
    from cellwright.placement.paths import Route
    from cellwright.placement.plan import Violation
    from cellwright.placement.terrain import Case

P99: Final = "latency.p99"
UNREACHABLE: Final = "latency.unreachable"
CALL: Final = "latency.call"
LINKS: Final = "links of the estate"
RECKONED: Final = "links of the estate + service time"
_ESTIMATED: Final = " (estimated from distance)"
_NEW_LINK_GBPS: Final = 1.0
_NEW_LINK_MS: Final = 10.0  # of a link that no limit asks to be faster
_DIGITS: Final = 6
_HALF_NS: Final = 5e-7  # milliseconds: sums are rounded to the nanosecond


def round_trip_ms(case: Case, site: int) -> tuple[float | None, float | None, str]:
    """Return P50 and P99 of the users' full round trip to a site of the scope, and what they come from.

    Milliseconds; None where users cannot reach it or where a percentile was not measured.
    """
    users, name = case.workload.latency.users, case.sites[site].name
    told = _measured(case).get(site)
    if told:
        return told.round_trip.p50_ms, told.round_trip.p99_ms, _source(told)
    p50, p99 = (float(delays[site]) for delays in case.delays_ms(users))
    if np.isinf(p99):
        return None, None, LINKS
    form = case.variant
    route = _route(case, users, name) if case.terrain.paths.estimated else None
    source = RECKONED + _ESTIMATED * bool(route and route.estimated)
    return round(p50 + form.service_p50_ms, _DIGITS), round(p99 + form.service_p99_ms, _DIGITS), source


def judge(case: Case) -> Iterator[Finding]:
    """Yield where users cannot be served at all, where not in time, and where each call takes too long."""
    measured = _measured(case)
    lost = _lost(case, case.workload.latency.users)
    if measured and lost.any():
        lost = lost.copy()
        lost[list(measured)] = False  # whoever measured it has reached it
    if lost.any():
        yield _unreachable(case, lost)
    if case.workload.latency.p99_ms is not None:
        yield _late(case, case.workload.latency.p99_ms, lost, measured)
    for call in case.workload.calls:
        if call.p99_ms is not None:
            yield _call(case, call, call.p99_ms)


def _measured(case: Case) -> Mapping[int, Measurement]:
    """Return the latest measurement at each site of the scope that has one."""
    found: dict[int, Measurement] = {}
    for site, _, each in case.measured():
        known = found.get(site)
        if known is None or (each.checked, each.name) > (known.checked, known.name):
            found[site] = each
    return found


def _source(measurement: Measurement) -> str:
    return f"measured: {measurement.source}, {measurement.checked.isoformat()}"


def _lost(case: Case, source: str) -> NDArray[np.bool_]:
    """Return which sites of the scope no path joins to a source, (n_sites,) bool."""
    answers = case.terrain.answers()
    if (_lost, source) not in answers:
        answers[_lost, source] = np.isinf(case.terrain.reach.delays_ms(source)[1])
    found: NDArray[np.bool_] = answers[_lost, source]
    return found[case.scope]


def _route(case: Case, source: str, target: str) -> Route | None:
    """Return the path from a source to a site with its links."""
    p50, p99 = case.terrain.reach.delays_ms(source)
    index = case.terrain.index
    return case.terrain.paths.route(source, target, lambda name: (float(p50[index[name]]), float(p99[index[name]])))


def _unreachable(case: Case, lost: NDArray[np.bool_]) -> Finding:
    users, limit = case.workload.latency.users, case.workload.latency.p99_ms
    message = f"no path of links joins the users at {users} to {{site}}"
    return _unknown(UNREACHABLE, users, limit, message, lost)


def _late(case: Case, limit_ms: float, lost: NDArray[np.bool_], measured: Mapping[int, Measurement]) -> Finding:
    """Return where the round trip of users takes too long."""
    users, service, above = case.workload.latency.users, case.variant.service_p99_ms, f"above {number(limit_ms)} ms"
    _, network = case.delays_ms(users)
    late = network > limit_ms - service + _HALF_NS
    if lost.any():
        late &= ~lost
    for site, each in measured.items():
        late[site] = each.round_trip.p99_ms > limit_ms

    def reckon(site: int) -> float:
        told = measured.get(site)
        return told.round_trip.p99_ms if told else round(float(network[site]) + service, _DIGITS)

    def detail(site: int) -> tuple[str, str]:
        name, told = case.sites[site].name, measured.get(site)
        route = None if told else _route(case, users, name)
        parts = f" (network {number(route.p99_ms)} + service {number(service)})" if route else ""
        message = f"round-trip P99 from {users} to {name} is {number(reckon(site))} ms{parts}, {above}"
        return message, _source(told) if told else route.source if route else LINKS

    message = f"round-trip P99 from {users} to {{site}} is {{measured}} ms, {above}"
    return Reckoned(
        Dimension.LATENCY, P99, users, float(limit_ms), "ms", message, RECKONED, late, detail=detail, reckon=reckon
    )


def _call(case: Case, call: Call, limit_ms: float) -> Finding:
    """Return where a call takes too long; a callee that runs nowhere or cannot be reached is unknown, not near."""
    callee = case.callees.get(call.workload)
    if callee is None:
        message = f"{call.workload}, which it calls within {number(limit_ms)} ms, has no site"
        return _unknown(CALL, call.workload, limit_ms, message, np.ones(len(case.sites), dtype=np.bool_))
    _, network = case.delays_ms(callee)
    there, above = f"{call.workload} at {callee}", f"above {number(limit_ms)} ms"

    def reckon(site: int) -> float | None:
        return None if np.isinf(network[site]) else float(network[site])

    def detail(site: int) -> tuple[str, str]:
        name = case.sites[site].name
        route = _route(case, callee, name)
        if route is None:
            return f"no path of links joins {name} to {there}", LINKS
        return f"network P99 from {name} to {there} is {number(route.p99_ms)} ms, {above}", route.source

    message, limit = f"network P99 from {{site}} to {there} is {{measured}} ms, {above}", float(limit_ms)
    return Reckoned(
        Dimension.LATENCY,
        CALL,
        call.workload,
        limit,
        "ms",
        message,
        LINKS,
        network > limit_ms,
        detail=detail,
        reckon=reckon,
    )


def _unknown(code: str, subject: str, limit_ms: float | None, message: str, at: NDArray[np.bool_]) -> Finding:
    """Return where nothing could be measured."""
    limit = None if limit_ms is None else float(limit_ms)
    return Finding(Dimension.LATENCY, code, subject, limit, "ms", message, LINKS, at)


def relax(case: Case, site: Site, violation: Violation) -> Change | None:
    """Return the raised limit, or the link that is missing."""
    if violation.code == CALL:
        return _relaxed_call(case, site, violation)
    if violation.code == UNREACHABLE:
        return _link_for_users(case, site)
    before, after = violation.limit, round_up(float(violation.measured or 0))
    if not isinstance(before, float):
        return None

    def apply(estate: Estate) -> Estate:
        workload = estate.workloads[case.workload.name]
        return with_workload(estate, replace(workload, latency=replace(workload.latency, p99_ms=after)))

    text = from_to(f"latency.p99 limit of {case.workload.name}", before, after, "ms")
    return Change(P99, case.workload.name, before, after, "ms", text, apply)


def _relaxed_call(case: Case, site: Site, violation: Violation) -> Change:
    """Return the raised limit of a call; where nothing could be measured, a link, or no limit at all."""
    callee = case.callees.get(violation.subject)
    limit = float(violation.limit or 0)
    if violation.measured is None and callee:
        return new_link(CALL, callee, site.name, limit, _NEW_LINK_GBPS)
    after = None if violation.measured is None else round_up(float(violation.measured))

    def apply(estate: Estate) -> Estate:
        workload = estate.workloads[case.workload.name]
        return with_workload(estate, _with_call_limit(workload, violation.subject, after))

    what = f"limit of the call from {case.workload.name} to {violation.subject}"
    text = f"{what} dropped" if after is None else from_to(what, limit, after, "ms")
    return Change(CALL, violation.subject, limit, after, "ms", text, apply)


def _with_call_limit(workload: Workload, callee: str, p99_ms: float | None) -> Workload:
    calls = tuple(replace(call, p99_ms=p99_ms) if call.workload == callee else call for call in workload.calls)
    return replace(workload, calls=calls)


def _link_for_users(case: Case, site: Site) -> Change:
    """Return the slowest link that lets the users reach `site` in time."""
    target = case.workload.latency
    spare = _NEW_LINK_MS if target.p99_ms is None else target.p99_ms - case.variant.service_p99_ms
    slowest = round(spare, _DIGITS) if spare > 0 else _NEW_LINK_MS  # no link helps where the service is too slow
    return new_link(UNREACHABLE, target.users, site.name, slowest, _NEW_LINK_GBPS)


def _needs(case: Case) -> tuple[object, ...]:
    workload = case.workload
    callees = tuple(case.callees.get(call.workload) for call in workload.calls)
    told = workload.name if any(True for _ in case.terrain.measured(workload.name, workload.latency.users)) else None
    return workload.latency, case.variant.service_p99_ms, workload.calls, callees, told


FILTER: Final = Filter(Dimension.LATENCY, judge, relax, _needs)
