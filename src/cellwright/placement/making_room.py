"""Room for replicas that found none: seated ones that may sit elsewhere move aside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.estate.model import Spread
from cellwright.placement.keeping import price_of
from cellwright.placement.repair import repair
from cellwright.placement.seats import Seat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cellwright.placement.cohorts import Cohort
    from cellwright.placement.repair import Repair
    from cellwright.placement.screening import Screening
    from cellwright.placement.seats import Replica
    from cellwright.placement.slots import Slot
    from cellwright.placement.solution import Solution

_MOVES_EACH: Final = 4  # seats that may be moved for each replica that waits


def make_room(state: Solution, waiting: Sequence[Screening]) -> None:
    """Seat as many replicas as possible of cohorts that found no room, by moving seated ones aside.

    A replica that others hang on, or that heeds others, moves within its site only; gangs and replicas that are spread
    stay. Sites with a power budget are left alone: what a move draws there is not weighed.
    """
    masks = _Masks(state)
    wanting = [
        (each, number)
        for each in waiting
        if state.moves_freely(each.cohort) and _alone(each.cohort) and each.admitted.any()
        for number in state.missing(each.cohort)
        if state.seats.within_quota(each.cohort, each.case.variant.shape.demand)
    ]
    if not wanting:
        return
    asked = [(screening.case.variant.shape, masks.admitted(screening, 0)) for screening, _ in wanting]
    useful = np.logical_or.reduce([mask for _, mask in asked])
    movable = [
        (replica, seat.slot, masks.of(cohort, seat))
        for replica, (cohort, seat) in state.seats.seated().items()
        if useful[seat.slot.machine] and _alone(cohort)
    ]
    most = _MOVES_EACH * len(wanting)
    done = repair(
        state.seats.pool,
        [(slot, mask) for _, slot, mask in movable],
        asked,
        most if state.moves is None else min(state.moves, most),
    )
    _carry_out(state, [(replica, slot) for replica, slot, _ in movable], wanting, done)


def _alone(cohort: Cohort) -> bool:
    """Return whether a replica may be on whatever machine, wherever the others of its workload are."""
    return not cohort.workload.gang and cohort.workload.spread is Spread.ANY


class _Masks:
    """Machines, (n_machines,) bool, that replicas may be on; each mask is made once."""

    def __init__(self, state: Solution) -> None:
        self._state = state
        self._made: dict[tuple[str, int, int], NDArray[np.bool_]] = {}
        self._unbudgeted = np.isinf(state.seats.budgets_kw)
        workloads = state.terrain.estate.workloads.values()
        self._followed = {call.workload for each in workloads for call in each.calls}
        self._followed |= {other for each in workloads for other in each.together_with}

    def admitted(self, screening: Screening, form: int) -> NDArray[np.bool_]:
        """Return the machines of all sites that admit a cohort in one of its forms."""
        key = (screening.cohort.name, screening.cohort.first, form)
        if key not in self._made:
            self._made[key] = (screening.clear[form] & self._unbudgeted)[self._state.seats.pool.site_of]
        return self._made[key]

    def of(self, cohort: Cohort, seat: Seat) -> NDArray[np.bool_]:
        """Return the machines that a seated replica may move to: its site's where its cohort is not screened yet."""
        screening = self._state.screenings.get((cohort.name, cohort.first))
        if screening and self._state.moves_freely(cohort) and cohort.name not in self._followed:
            form = [case.variant for case in screening.cases].index(seat.variant)
            return self.admitted(screening, form)
        key = ("", seat.site, 0)
        if key not in self._made:
            self._made[key] = (self._state.seats.pool.site_of == seat.site) & self._unbudgeted[seat.site]
        return self._made[key]


def _carry_out(
    state: Solution,
    movable: Sequence[tuple[Replica, Slot]],
    wanting: Sequence[tuple[Screening, int]],
    done: Repair,
) -> None:
    """Book what a repair did: it has changed the pool, so that is undone first and done again seat by seat."""
    pool = state.seats.pool
    for _, slot in done.placed:
        pool.release(slot)
    for _, slot in done.moves:
        pool.release(slot)
    for index, _ in done.moves:
        pool.take(movable[index][1])
    lifted = [(movable[index][0], *state.seats.lift(movable[index][0]), slot) for index, slot in done.moves]
    for replica, cohort, seat, slot in lifted:
        new = Seat(int(pool.site_of[slot.machine]), slot, seat.variant, seat.price)
        state.seats.put(cohort, replica[1], _priced(state, state.screenings.get((cohort.name, cohort.first)), new))
        if replica in state.kept and (new.site, slot.machine) != (seat.site, seat.slot.machine):
            state.kept -= {replica}
            state.moves = None if state.moves is None else state.moves - 1
    for index, slot in done.placed:
        screening, number = wanting[index]
        seat = Seat(int(pool.site_of[slot.machine]), slot, screening.case.variant, 0.0)
        if state.seats.within_quota(screening.cohort, slot.shape.demand):
            state.seats.put(screening.cohort, number, _priced(state, screening, seat))


def _priced(state: Solution, screening: Screening | None, seat: Seat) -> Seat:
    """Return a seat with what it costs; one whose cohort is not screened yet is priced when it is."""
    price = price_of(state, screening, seat) if screening else None
    return Seat(seat.site, seat.slot, seat.variant, seat.price if price is None else price)
