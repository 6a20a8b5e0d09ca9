"""Keep replicas where a previous plan has them, as long as that is still allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwright.placement.seats import Seat
from cellwright.placement.slots import Slot

if TYPE_CHECKING:
    from cellwright.placement.cohorts import Cohort
    from cellwright.placement.plan import Placement, Plan
    from cellwright.placement.screening import Screening
    from cellwright.placement.seats import Seats
    from cellwright.placement.solution import Solution


def keep_seats(state: Solution, previous: Plan) -> None:
    """Seat every replica where the previous plan has it, if that machine is still there and has the room."""
    cohorts = {(cohort.name, number): cohort for cohort in state.cohorts for number in cohort.replicas}
    kept = []
    for placement in previous.placements:
        replica = (placement.workload, placement.replica)
        seat = replica in cohorts and _same_seat(state.seats, cohorts[replica], placement)
        if seat:
            state.seats.put(cohorts[replica], placement.replica, seat)
            kept.append(replica)
    state.kept = frozenset(kept)


def leave_forbidden(state: Solution, screening: Screening) -> None:
    """Lift the replicas of a cohort whose seat its site no longer offers them."""
    for number in screening.cohort.replicas:
        replica = (screening.cohort.name, number)
        seat = state.seats.seat(replica)
        if seat is None:
            continue
        state.seats.lift(replica)
        price = price_of(state, screening, seat)
        if price is None or not state.seats.within_quota(screening.cohort, seat.variant.shape.demand):
            state.kept -= {replica}
        else:
            state.seats.put(screening.cohort, number, Seat(seat.site, seat.slot, seat.variant, price))


def _same_seat(seats: Seats, cohort: Cohort, placement: Placement) -> Seat | None:
    """Return the seat that a placement names, None where it is gone or taken."""
    if placement.site is None or placement.node is None or placement.seating is None:
        return None
    machine = seats.machine_of(placement.site, placement.node)
    variant = seats.variant_of(cohort, placement.quantisation)
    if machine is None or variant is None or not seats.pool.able(variant.shape)[machine]:
        return None
    slot = Slot(machine, variant.shape, placement.seating)
    if not seats.pool.has_room_for(slot):
        return None
    seat = Seat(seats.terrain.index[placement.site], slot, variant, 0.0)  # priced once its cohort is screened
    return seat if seats.within_power(seat) else None


def price_of(state: Solution, screening: Screening, seat: Seat) -> float | None:
    """Return what a seat costs now; None where the site no longer admits that form on that machine."""
    if screening.cohort.pinned not in {None, state.terrain.names[seat.site]}:
        return None
    rack = state.terrain.rack_of(seat.slot.machine)
    for offer in screening.offers(seat.site):
        if rack in offer.racks and screening.cases[offer.form].variant == seat.variant:
            return offer.price
    return None
