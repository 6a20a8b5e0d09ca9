"""Capacity: room that others have taken, and power that is spoken for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.estate.model import Spread
from cellwright.placement.changes import Change, from_to, with_site, with_workload
from cellwright.placement.plan import Dimension, Finding
from cellwright.placement.power import draw_kw
from cellwright.placement.reckoned import Reckoned
from cellwright.placement.seating import most_together
from cellwright.placement.shortage import catalogue, counts, shortages, worded
from cellwright.placement.upgrades import more_room
from cellwright.placement.wording import listing, number, round_up

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from numpy.typing import NDArray

    from cellwright.estate.model import Estate, Site
    from cellwright.placement.plan import Violation
    from cellwright.placement.pool import Pool
    from cellwright.placement.screening import Screening
    from cellwright.placement.seats import Seats
    from cellwright.placement.shortage import Shortage
    from cellwright.placement.terrain import Case

TAKEN: Final = "capacity.taken"  # the site could hold it, other workloads are there
SPREAD: Final = "capacity.spread"  # there is room, but only beside other replicas
GANG: Final = "capacity.gang"  # there is room for some replicas of a gang, but not for all of them together
POWER: Final = "capacity.power"
_DIGITS: Final = 9  # of a kilowatt


def taken(
    case: Case,
    pool: Pool,
    *,
    beside: Collection[int] = (),
    holders: Callable[[int], Sequence[str]] | None = None,
) -> tuple[Finding, ...]:
    """Return which sites of the scope could hold a replica but have no room now, and what their nearest machine lacks.

    Args:
        case: The replica; `pool` must not hold it.
        pool: The machines as all others fill them.
        beside: Machines that hold other replicas of the workload, where no two may be on one machine.
        holders: Returns who is on a machine, for the words.
    """
    span = _machines(case, pool)
    shape, first = case.variant.shape, case.scope.indices(len(case.terrain.sites))[0]
    machines = np.flatnonzero(pool.able(shape)[span]) + span.start
    site_of = pool.site_of[machines] - first
    short = shortages(case.terrain, pool, shape, machines, empty=False)
    lacking = counts(short, len(machines))[:-1]
    room = _any_at(case, site_of[lacking == 0])
    at = np.flatnonzero(~room[site_of])
    found: list[Finding] = []
    if len(at):
        order = at[np.lexsort((catalogue(case.terrain).rank[machines[at]], lacking[at], site_of[at]))]
        nearest = order[np.flatnonzero(np.diff(site_of[order], prepend=-1))]
        for each in short:
            those = nearest[each.short[nearest]]
            if len(those):
                kept = replace(each, short=each.short[those], measured=each.measured[those])
                found.append(_lacking(case, pool, kept, (site_of[those], machines[those]), holders))
    if len(beside):
        alone = (lacking == 0) & ~np.isin(machines, list(beside))
        found.append(_crowded(case, room & ~_any_at(case, site_of[alone])))
    return tuple(each for each in found if each.at.any())


def _machines(case: Case, pool: Pool) -> slice:
    """Return the machines of the sites of the scope."""
    first, end, _ = case.scope.indices(len(case.terrain.sites))
    return slice(pool.span(first).start, pool.span(end - 1).stop) if end > first else slice(0, 0)


def _any_at(case: Case, sites: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return which sites of the scope are among some, (n_sites,) bool."""
    at = np.zeros(len(case.sites), dtype=np.bool_)
    at[sites] = True
    return at


def _lacking(
    case: Case,
    pool: Pool,
    short: Shortage,
    rows: tuple[NDArray[np.int32], NDArray[np.intp]],
    holders: Callable[[int], Sequence[str]] | None,
) -> Reckoned:
    """Return where a resource is taken: what the nearest machines lack; `rows` are sites, ascending, and machines."""
    (sites, machines), measured = rows, short.measured
    sites_in, at = case.sites, _any_at(case, sites)
    shape = case.variant.shape

    def reckon(site: int) -> float | str | None:
        value: float | str | None = measured[np.searchsorted(sites, site)] if at[site] else None
        return value

    def detail(site: int) -> tuple[str, str]:
        machine = int(machines[np.searchsorted(sites, site)])
        label = pool.label(machine)
        begin = f"{sites_in[site].name} could hold it, but now its nearest machine {label}"
        by = listing(holders(machine)) if holders else "others"
        return f"{worded(short, shape, reckon(site), begin)}: {by} took the rest", label

    begin = "{site} could hold it, but now its nearest machine"
    return Reckoned(
        dimension=Dimension.CAPACITY,
        code=TAKEN,
        subject=short.resource,
        limit=short.limit,
        unit=short.unit,
        message=f"{worded(short, shape, None, begin)}: others took the rest",
        source="machines as they are filled",
        at=at,
        detail=detail,
        reckon=reckon,
    )


def _crowded(case: Case, at: NDArray[np.bool_]) -> Finding:
    """Return where only machines that hold another replica have room."""
    name = case.workload.name
    message = f"every machine at {{site}} with room holds a replica of {name} already, and no two may be on one machine"
    limit, source = "one replica a machine", f"spread of {name}"
    return Finding(Dimension.CAPACITY, SPREAD, name, limit, "", message, source, at, "only beside another replica")


def dispersed(case: Case, screening: Screening, seats: Seats, at: NDArray[np.bool_]) -> tuple[Finding, ...]:
    """Return where a gang does not fit as a whole though each of its replicas alone would.

    Args:
        case: A replica of the gang, none of which has a seat.
        screening: The gang in each of its forms.
        seats: Where all others are.
        at: (n_sites,) the sites of the scope to ask about: those that nothing else stands against.
    """
    if case.together == 1:
        return ()
    first = case.scope.indices(len(case.terrain.sites))[0]
    most = np.full(len(case.sites), case.together, dtype=np.int64)
    for place in np.flatnonzero(at).tolist():
        most[place] = most_together(seats, screening, first + place)
    short = most < case.together
    message = (
        f"only {{measured}} of the {case.together} replicas of {case.workload.name} find room together on one machine "
        "or one fabric at {site} now: others took the rest"
    )
    limit, source = float(case.together), "machines as they are filled"
    found = Finding(Dimension.CAPACITY, GANG, "gang", limit, "replicas", message, source, short, most.astype(float))
    return (found,) if short.any() else ()


def overloaded(case: Case, seats: Seats, beside: Collection[int] = ()) -> tuple[Finding, ...]:
    """Return the sites of the scope whose power budget does not bear one more replica, or a gang, on their machines.

    `seats` must not hold the replica, nor any other of its gang. Told of the machines that have room, other than those
    `beside`, or where none has of all that could. One whose power is unknown draws nothing that a budget could count.
    """
    first, last, _ = case.scope.indices(len(case.terrain.sites))
    budgets, pool, shape = seats.budgets_kw[first:last], seats.pool, case.variant.shape
    drawn = seats.power_kw[list(shape.periods), first:last].max(axis=0)
    total = np.full(len(budgets), np.nan)
    for place in np.flatnonzero(np.isfinite(budgets)).tolist():
        span = pool.span(first + place)
        room = pool.fits(shape, span)
        room[[machine - span.start for machine in beside if span.start <= machine < span.stop]] = False
        machines = np.flatnonzero(room if room.any() else pool.able(shape)[span]).tolist()
        nodes = dict.fromkeys(pool.node(span.start + machine) for machine in machines)
        if nodes:
            least = min(draw_kw(node, shape.demand) or 0.0 for node in nodes)
            total[place] = round(float(drawn[place]) + case.together * least, _DIGITS)
    over = total > budgets
    return over_power(case, over, total, budgets) if over.any() else ()


def over_power(
    case: Case, at: NDArray[np.bool_], measured_kw: NDArray[np.float64], limits_kw: NDArray[np.float64]
) -> tuple[Finding, ...]:
    """Return where one more replica draws more power than the site's budget, one finding for each budget.

    Args:
        case: The replica.
        at: (n_sites,) the sites of the scope where it would be too much.
        measured_kw: (n_sites,) what each would draw with it.
        limits_kw: (n_sites,) the budgets.
    """
    message = f"with {case.workload.name} the machines at {{site}} would draw {{measured}} kW, the site has "
    return tuple(
        Finding(
            dimension=Dimension.CAPACITY,
            code=POWER,
            subject="power",
            limit=budget,
            unit="kW",
            message=message + f"{number(budget)} kW",
            source="power budget of the site",
            at=at & (limits_kw == budget),
            measured=measured_kw,
        )
        for budget in np.unique(limits_kw[at]).tolist()
    )


def relax(case: Case, site: Site, violation: Violation) -> Change:
    """Return the larger or further machine that makes room, the larger budget, or replicas that may share machines."""
    if violation.code == POWER:
        return _more_power(site, violation)
    if violation.code == SPREAD:
        return _closer(case)
    return more_room(case, site, violation)


def _more_power(site: Site, violation: Violation) -> Change:
    before, after = float(violation.limit or 0), round_up(float(violation.measured or 0))

    def apply(estate: Estate) -> Estate:
        return with_site(estate, replace(estate.sites[site.name], power_budget_kw=after))

    text = from_to(f"power budget of site {site.name}", before, after, "kW")
    return Change(POWER, site.name, before, after, "kW", text, apply)


def _closer(case: Case) -> Change:
    name = case.workload.name

    def apply(estate: Estate) -> Estate:
        return with_workload(estate, replace(estate.workloads[name], spread=Spread.ANY))

    text = f"replicas of {name} may share a machine"
    return Change(SPREAD, name, Spread.NODE.value, Spread.ANY.value, "", text, apply)
