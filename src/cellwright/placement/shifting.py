"""Let every replica that would be cheaper elsewhere move there, the largest saving first, until nobody would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cellwright.placement.seating import seat_anywhere

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.placement.screening import Screening
    from cellwright.placement.seats import Replica
    from cellwright.placement.solution import Solution

_MOST_ROUNDS: Final = 20  # each only cheapens the plan; far more than moves ever call forth
_SAVING: Final = 1e-9  # below the resolution of a price


def shift_to_cheaper(state: Solution) -> None:
    """Move replicas that move freely, and that nobody's price or latency hangs on, to cheaper seats with room."""
    followed = {call.workload for each in state.terrain.estate.workloads.values() for call in each.calls}
    followed |= {other for each in state.terrain.estate.workloads.values() for other in each.together_with}
    cohorts = [each for each in state.cohorts if state.moves_freely(each) and each.name not in followed]
    for _ in range(_MOST_ROUNDS):
        wishes = sorted(
            (-saving, replica) for cohort in cohorts for saving, replica in _savings(state, state.screening(cohort))
        )
        moved = [_shift(state, replica) for _, replica in wishes]
        if not any(moved):
            break


def _savings(state: Solution, screening: Screening) -> Iterator[tuple[float, Replica]]:
    """Yield the replicas that would save something at the cheapest admitted site, if it had room."""
    cohort = screening.cohort
    if not screening.admitted.any():
        return
    least = float(screening.prices[screening.admitted].min())
    for number in cohort.replicas:
        seat = state.seats.seat((cohort.name, number))
        if seat is not None and seat.price - least > _SAVING:
            yield seat.price - least, (cohort.name, number)


def _shift(state: Solution, replica: Replica) -> bool:
    """Move a replica to the cheapest seat with room, if that is cheaper than its own; return whether it moved."""
    if state.moves is not None and replica in state.kept and state.moves <= 0:
        return False
    cohort, seat = state.seats.lift(replica)
    better = seat_anywhere(state.seats, state.screening(cohort), seat.price - _SAVING)
    state.seats.put(cohort, replica[1], better or seat)
    if better and replica in state.kept:
        state.kept -= {replica}
        state.moves = None if state.moves is None else state.moves - 1
    return better is not None
