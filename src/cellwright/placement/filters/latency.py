"""Latency: the P99 of the full round trip of users, and of every call that sets a limit.

The network's part is the sum of the links' P99 along the path of least P99: an upper bound, since the links of a path
seldom have their worst moments together. What cannot be reached has no measured latency and is never admitted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cellwright.placement.changes import Change, from_to, new_link, with_workload
from cellwright.placement.filters import Filter
from cellwright.placement.plan import Dimension, Violation
from cellwright.placement.wording import number, round_up

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.estate.model import Call, Estate, Site, Workload
    from cellwright.placement.terrain import Case

P99: Final = "latency.p99"
UNREACHABLE: Final = "latency.unreachable"
CALL: Final = "latency.call"
_NEW_LINK_GBPS: Final = 1.0
_NEW_LINK_MS: Final = 10.0  # of a link that no limit asks to be faster
_DIGITS: Final = 6


def round_trip_ms(case: Case, site: Site) -> tuple[float | None, float | None]:
    """Return P50 and P99 of the users' full round trip to `site`, milliseconds; None where users cannot reach it."""
    workload = case.workload
    route = case.terrain.paths.route(workload.latency.users, site.name)
    if route is None:
        return None, None
    p50, p99 = route.p50_ms + workload.service_p50_ms, route.p99_ms + workload.service_p99_ms
    return round(p50, _DIGITS), round(p99, _DIGITS)


def judge(case: Case, site: Site) -> Iterator[Violation]:
    """Yield a violation for users who cannot reach `site` in time, and one for each call that takes too long."""
    yield from _users(case, site)
    for call in case.workload.calls:
        if call.p99_ms is not None:
            yield from _call(case, site, call, call.p99_ms)


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


def _users(case: Case, site: Site) -> Iterator[Violation]:
    """Yield what the path from the users violates."""
    target, service = case.workload.latency, case.workload.service_p99_ms
    route = case.terrain.paths.route(target.users, site.name)
    limit = None if target.p99_ms is None else float(target.p99_ms)
    if route is None:
        message = f"no path of links joins the users at {target.users} to {site.name}"
        yield _violation(UNREACHABLE, target.users, (None, limit), message, "links of the estate")
        return
    _, measured = round_trip_ms(case, site)
    if limit is not None and measured is not None and measured > limit:
        message = (
            f"round-trip P99 from {target.users} to {site.name} is {number(measured)} ms (network "
            f"{number(route.p99_ms)} + service {number(service)}), above {number(limit)} ms"
        )
        yield _violation(P99, target.users, (measured, limit), message, route.source)


def _call(case: Case, site: Site, call: Call, limit_ms: float) -> Iterator[Violation]:
    """Yield the violation of a call's limit; a callee that runs nowhere or cannot be reached is unknown, not near."""
    callee = case.callees.get(call.workload)
    route = case.terrain.paths.route(callee, site.name) if callee else None
    if route is not None and route.p99_ms <= limit_ms:
        return
    if callee is None:
        message = f"{call.workload}, which it calls within {number(limit_ms)} ms, has no site"
    elif route is None:
        message = f"no path of links joins {site.name} to {call.workload} at {callee}"
    else:
        message = (
            f"network P99 from {site.name} to {call.workload} at {callee} is {number(route.p99_ms)} ms, above "
            f"{number(limit_ms)} ms"
        )
    measured, source = (route.p99_ms, route.source) if route else (None, "links of the estate")
    yield _violation(CALL, call.workload, (measured, float(limit_ms)), message, source)


def _violation(
    code: str, subject: str, figures: tuple[float | None, float | None], message: str, source: str
) -> Violation:
    """Return the violation with its measured value and limit, milliseconds."""
    return Violation(Dimension.LATENCY, code, subject, *figures, "ms", message, source)


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
    spare = _NEW_LINK_MS if target.p99_ms is None else target.p99_ms - case.workload.service_p99_ms
    slowest = round(spare, _DIGITS) if spare > 0 else _NEW_LINK_MS  # no link helps where the service is too slow
    return new_link(UNREACHABLE, target.users, site.name, slowest, _NEW_LINK_GBPS)


def _needs(case: Case) -> tuple[object, ...]:
    workload = case.workload
    callees = tuple(case.callees.get(call.workload) for call in workload.calls)
    return workload.latency, workload.service_p99_ms, workload.calls, callees


FILTER: Final = Filter(Dimension.LATENCY, judge, relax, _needs)
