"""The cheapest feasible choice for every workload within capacity: greedy by regret, callees before callers.

Regret is what a workload loses if its best option goes to somebody else: the price of its second best less that of its
best. Whoever has most to lose chooses first; ties go by name. A heuristic: no choice is ever infeasible, and each is
the cheapest that is left at its turn, but the sum over all workloads may be above the least possible.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from cellwright.errors import EstateError
from cellwright.estate.model import Quota
from cellwright.placement.capacity import best_fit, quota_violations
from cellwright.placement.occupancy import Occupancy
from cellwright.placement.screening import screen
from cellwright.placement.terrain import Case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.placement.occupancy import Machine
    from cellwright.placement.screening import Option, Screening
    from cellwright.placement.terrain import Terrain


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a workload went."""

    option: Option
    machine: str  # label


@dataclass(frozen=True, slots=True)
class Assignment:
    """What was known of every workload, where it went (None: nowhere), and who is on which machine in the end."""

    screenings: dict[str, Screening]
    seats: dict[str, Seat | None]
    occupancy: Occupancy


Room: TypeAlias = tuple[str, str]  # what workloads compete for: ("site", name) or ("tenant", name)


class _Bid(NamedTuple):
    """A workload's claim on its best option; the smallest goes first. `turn` tells a stale bid from the current one."""

    urgency: float  # negative regret
    workload: str
    turn: int


@dataclass(slots=True)
class _Round:
    """The state of one assignment."""

    terrain: Terrain
    done: Assignment
    bids: list[_Bid] = field(default_factory=list)
    best: dict[str, tuple[Option, Machine] | None] = field(default_factory=dict)
    turns: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    skipped: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # best options that are full
    watchers: dict[Room, set[str]] = field(default_factory=lambda: defaultdict(set))


def assign(terrain: Terrain) -> Assignment:
    """Return the assignment of every workload of the estate; the same estate always gives the same one."""
    estate = terrain.estate
    state = _Round(terrain, Assignment({}, {}, Occupancy(estate)))
    waiting = {name: {call.workload for call in workload.calls} for name, workload in estate.workloads.items()}
    callers = defaultdict(list)
    for name in sorted(waiting):
        for callee in sorted(waiting[name]):
            callers[callee].append(name)
    for name in sorted(waiting):
        if not waiting[name]:
            _enter(state, name)
    while (chooser := _next(state)) is not None:
        _seat(state, chooser)
        for caller in callers[chooser]:
            waiting[caller].discard(chooser)
            if not waiting[caller]:
                _enter(state, caller)
    stuck = sorted(set(waiting) - set(state.done.seats))
    if stuck:
        raise EstateError.of("call-cycle", f"workloads call each other in a circle or call nobody: {', '.join(stuck)}")
    return state.done


def _enter(state: _Round, name: str) -> None:
    """Let a workload bid, now that all it calls have a site or none."""
    workload = state.terrain.estate.workloads[name]
    seats = state.done.seats
    callees = {call.workload: _site_of(seats[call.workload]) for call in workload.calls}
    state.done.screenings[name] = screen(Case(state.terrain, workload, callees))
    _bid(state, name)


def _site_of(seat: Seat | None) -> str | None:
    return seat.option.site.name if seat else None


def _bid(state: _Round, name: str) -> None:
    """Put in the current bid of a workload, and watch whatever could change it."""
    left = _left(state, name)
    first, second = next(left, None), next(left, None)
    state.best[name] = first
    state.turns[name] += 1
    heapq.heappush(state.bids, _Bid(-_regret(first, second), name, state.turns[name]))
    for room in _rooms(state, name, [choice[0] for choice in (first, second) if choice]):
        state.watchers[room].add(name)


def _rooms(state: _Round, name: str, options: list[Option]) -> list[Room]:
    """Return what the bid of a workload depends on: the sites of its options, and a quota where there is one."""
    estate = state.terrain.estate
    tenant = estate.tenants.get(estate.workloads[name].tenant)
    quota = [("tenant", tenant.name)] if tenant and tenant.quota != Quota(None, None, None) else []
    return [("site", option.site.name) for option in options] + quota


def _left(state: _Round, name: str) -> Iterator[tuple[Option, Machine]]:
    """Yield the options that have room now, best first, each with the machine that would be taken."""
    screening, occupancy = state.done.screenings[name], state.done.occupancy
    if quota_violations(occupancy, screening.case):
        return
    for index in range(state.skipped[name], len(screening.admitted)):
        option = screening.admitted[index]
        machine = best_fit(occupancy, option.site, option.node, screening.case.workload.demand)
        if machine:
            yield option, machine
        elif index == state.skipped[name]:
            state.skipped[name] += 1  # room only shrinks: what is full now stays full


def _regret(first: tuple[Option, Machine] | None, second: tuple[Option, Machine] | None) -> float:
    """Return what losing the first option costs per hour; infinite where nothing of known cost would be left."""
    best = first[0].cost.per_hour if first else None
    next_best = second[0].cost.per_hour if second else None
    if first and second and best is None:
        return 0.0
    return math.inf if best is None or next_best is None else next_best - best


def _next(state: _Round) -> str | None:
    """Return the workload whose current bid is the most urgent, None when all have had their turn."""
    while state.bids:
        bid = heapq.heappop(state.bids)
        if bid.turn == state.turns[bid.workload] and bid.workload not in state.done.seats:
            return bid.workload
    return None


def _seat(state: _Round, name: str) -> None:
    """Give a workload its best option, and let those who wanted the same room bid again."""
    choice = state.best[name]
    workload = state.terrain.estate.workloads[name]
    if choice is None:
        state.done.seats[name] = None
        return
    option, machine = choice
    state.done.seats[name] = Seat(option, machine.label)
    state.done.occupancy.take(workload, option.site.name, machine.label)
    affected: set[str] = set()
    for room in _rooms(state, name, [option]):
        affected |= state.watchers.pop(room, set())
    for other in sorted(affected - state.done.seats.keys()):
        _bid(state, other)
