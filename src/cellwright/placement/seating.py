"""Seats for the replicas of one cohort: the cheapest offer of a site with room, quota, power and the right company."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellwright.estate.model import Spread
from cellwright.placement.seats import Seat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cellwright.placement.cohorts import Cohort
    from cellwright.placement.screening import Offer, Screening
    from cellwright.placement.seats import Seats
    from cellwright.placement.terrain import Terrain


def seat_at(
    seats: Seats, screening: Screening, site: int, within: NDArray[np.bool_] | None = None, below: float = np.inf
) -> Seat | None:
    """Return the cheapest seat at a site, cheaper than `below`, on machines `within`; None where there is none."""
    cohort = screening.cohort
    if not welcomes(seats, cohort, site):
        return None
    if cohort.workload.spread is Spread.NODE:
        within = _unshared(seats, cohort, within)
    for offer in screening.offers(site):
        variant = screening.cases[offer.form].variant
        if offer.price >= below or not seats.within_quota(cohort, variant.shape.demand):
            continue
        for machines in _choices(seats, offer, site):
            slot = seats.pool.choose(variant.shape, machines, within)
            if slot is not None:
                seat = Seat(site, slot, variant, offer.price)
                if seats.within_power(seat):
                    return seat
    return None


def seat_anywhere(seats: Seats, screening: Screening, below: float = np.inf) -> Seat | None:
    """Return a seat at the cheapest admitted site with room, cheaper than `below`; None where there is none."""
    for site in roomy_sites(seats, screening, below):
        seat = seat_at(seats, screening, site, below=below)
        if seat is not None:
            return seat
    return None


def roomy_sites(seats: Seats, screening: Screening, below: float = np.inf) -> Iterator[int]:
    """Yield the admitted sites with a machine that has room and a price below a bound, cheapest first, then by name."""
    open_ = screening.admitted & (screening.prices < below) & np.isfinite(screening.prices)
    if not open_.any():
        return
    pool = seats.pool
    if screening.case.scope.start is not None:
        yield screening.case.scope.start
        return
    rooms = [pool.sites_with_room(case.variant.shape) for case in screening.cases]
    places = np.flatnonzero(open_ & np.logical_or.reduce(rooms))
    if len(places):
        first = int(screening.prices[places].argmin())  # most who ask need no other
        yield int(places[first])
        places = np.delete(places, first)
    yield from places[np.argsort(screening.prices[places], kind="stable")].tolist()


def gang_seats(seats: Seats, screening: Screening) -> list[Seat] | None:
    """Return seats for a whole cohort at the cheapest site that holds it, already put; None where none does."""
    for site in roomy_sites(seats, screening):
        for machines in _close_together(seats, site):
            within = np.zeros(len(seats.pool), dtype=np.bool_)
            within[machines] = True
            found = _all_within(seats, screening, site, within)
            if found:
                return found
    return None


def most_together(seats: Seats, screening: Screening, site: int) -> int:
    """Return how many replicas of a gang, none of which has a seat, fit at a site on one machine or one fabric."""
    most = 0
    for machines in _close_together(seats, site):
        within = np.zeros(len(seats.pool), dtype=np.bool_)
        within[machines] = True
        put = _put_within(seats, screening, site, within)
        _lift_all(seats, screening.cohort, len(put))
        most = max(most, len(put))
    return most


def _close_together(seats: Seats, site: int) -> Iterator[list[int]]:
    """Yield the machines of each fabric of a site, by its name, then each machine that is on none."""
    span = seats.pool.span(site)
    fabrics: dict[str, list[int]] = {}
    alone = []
    for machine in range(span.start, span.stop):
        fabric = seats.pool.node(machine).fabric
        if fabric is None:
            alone.append([machine])
        else:
            fabrics.setdefault(fabric, []).append(machine)
    yield from (fabrics[name] for name in sorted(fabrics))
    yield from alone


def welcomes(seats: Seats, cohort: Cohort, site: int) -> bool:
    """Return whether the company at a site is right: those it must be with, none of those it must not be with."""
    workload = cohort.workload
    if workload.spread is Spread.SITE and site in seats.sites_of(workload.name):
        return False
    if any(site not in seats.sites_of(other) for other in workload.together_with):
        return False
    return all(site not in seats.sites_of(other) for other in seats.terrain.apart[workload.name])


def _all_within(seats: Seats, screening: Screening, site: int, within: NDArray[np.bool_]) -> list[Seat] | None:
    """Put the whole cohort on machines of one fabric, or nobody."""
    put = _put_within(seats, screening, site, within)
    if len(put) == len(screening.cohort.replicas):
        return put
    _lift_all(seats, screening.cohort, len(put))
    return None


def _put_within(seats: Seats, screening: Screening, site: int, within: NDArray[np.bool_]) -> list[Seat]:
    """Put as many of a cohort as fit on some machines of a site, the first replicas first."""
    cohort, put = screening.cohort, list[Seat]()
    for number in cohort.replicas:
        seat = seat_at(seats, screening, site, within)
        if seat is None:
            break
        seats.put(cohort, number, seat)
        put.append(seat)
    return put


def _lift_all(seats: Seats, cohort: Cohort, count: int) -> None:
    """Lift the first replicas of a cohort."""
    for number in cohort.replicas[:count]:
        seats.lift((cohort.name, number))


def _choices(seats: Seats, offer: Offer, site: int) -> Iterator[slice | NDArray[np.intp]]:
    """Yield the machines of an offer: all at once, or rack by rack where power decides which of them will do."""
    if np.isinf(seats.budgets_kw[site]):
        yield _machines(seats.terrain, offer)
    else:
        yield from (seats.terrain.rack_machines(rack) for rack in offer.racks)


def price_with_room(seats: Seats, screening: Screening, site: int) -> float:
    """Return the cheapest price of a site that has room now; infinite where there is none."""
    for offer in screening.offers(site):
        shape = screening.cases[offer.form].variant.shape
        if any(seats.pool.fits(shape, seats.terrain.rack_machines(rack)).any() for rack in offer.racks):
            return offer.price
    return np.inf


def _machines(terrain: Terrain, offer: Offer) -> slice | NDArray[np.intp]:
    """Return the machines of an offer: one slice where its racks follow each other."""
    first, last = offer.racks[0], offer.racks[-1]
    if last - first == len(offer.racks) - 1:
        return slice(terrain.rack_machines(first).start, terrain.rack_machines(last).stop)
    spans = (terrain.rack_machines(rack) for rack in offer.racks)
    return np.concatenate([np.arange(span.start, span.stop) for span in spans])


def _unshared(seats: Seats, cohort: Cohort, within: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Return the machines that hold no other replica of the workload."""
    free = np.ones(len(seats.pool), dtype=np.bool_) if within is None else within.copy()
    free[list(seats.machines_of(cohort.name))] = False
    return free
