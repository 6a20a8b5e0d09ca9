"""Let every replica that would be cheaper elsewhere move there, the largest savings first, until nobody would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.placement.seating import roomy_sites, seat_at

if TYPE_CHECKING:
    from cellwright.placement.cohorts import Cohort
    from cellwright.placement.screening import Screening
    from cellwright.placement.seats import Replica
    from cellwright.placement.solution import Solution

_MOST_ROUNDS: Final = 20  # each only cheapens the plan; far more than moves ever call forth
_SAVING: Final = 1e-9  # below the resolution of a price


def shift_to_cheaper(state: Solution) -> None:
    """Move replicas that move freely, and that nobody's price or latency hangs on, to cheaper seats with room."""
    followed = {call.workload for each in state.terrain.estate.workloads.values() for call in each.calls}
    followed |= {other for each in state.terrain.estate.workloads.values() for other in each.together_with}
    free = [each for each in state.cohorts if state.moves_freely(each) and each.name not in followed]
    left: list[int] | slice = slice(None)  # sites that somebody left, or that nobody has looked at yet
    for turn in range(_MOST_ROUNDS):
        wishes = [
            (-saving, place) for place, cohort in enumerate(free) if (saving := _hope(state, cohort, left)) > _SAVING
        ]
        left = sorted({site for _, place in sorted(wishes) for site in _shift(state, state.screening(free[place]))})
        if not left:
            break
        if turn == 0:  # who is at the cheapest site of all stays there
            free = [free[place] for place in sorted(place for _, place in wishes)]


def _hope(state: Solution, cohort: Cohort, left: list[int] | slice) -> float:
    """Return what the dearest seat of a cohort costs above the cheapest admitted price at sites that somebody left."""
    screening = state.screening(cohort)
    least = np.where(screening.admitted[left], screening.prices[left], np.inf).min(initial=np.inf)
    return _dearest(state, cohort) - float(least)


def _dearest(state: Solution, cohort: Cohort) -> float:
    seats = (state.seats.seat((cohort.name, number)) for number in cohort.replicas)
    return max((seat.price for seat in seats if seat is not None), default=0.0)


def _shift(state: Solution, screening: Screening) -> list[int]:
    """Move the replicas of a cohort, the dearest first, to the cheapest sites that have room; return what they left.

    A site that has no room for one of them has none for the next.
    """
    cohort, seats = screening.cohort, state.seats
    sites = list(roomy_sites(seats, screening, _dearest(state, cohort) - _SAVING))
    placed = [
        (-seat.price, number, seat.site) for number in cohort.replicas if (seat := seats.seat((cohort.name, number)))
    ]
    left = []
    for negative, number, before in sorted(placed):
        replica = (cohort.name, number)
        while sites and screening.prices[sites[0]] < -negative - _SAVING and _may_move(state, replica):
            if _moved_to(state, screening, replica, sites[0]):
                left.append(before)
                break
            del sites[0]
    return left


def _may_move(state: Solution, replica: Replica) -> bool:
    return state.moves is None or replica not in state.kept or state.moves > 0


def _moved_to(state: Solution, screening: Screening, replica: Replica, site: int) -> bool:
    """Move a replica to a site if that has a cheaper seat for it; return whether it has."""
    cohort, seat = state.seats.lift(replica)
    better = seat_at(state.seats, screening, site, below=seat.price - _SAVING)
    state.seats.put(cohort, replica[1], better or seat)
    if better and replica in state.kept:
        state.kept -= {replica}
        state.moves = None if state.moves is None else state.moves - 1
    return better is not None
