"""The cheapest feasible seats for all replicas: sites by assignment, machines by packing, then repair and improvement.

Stage by stage (callees before callers, guaranteed before best effort): what moves freely is spread over the sites by
`assignment`, which weighs everybody's prices against each other; seats are given out site by site, large replicas
first; whoever finds none goes to the next cheapest site with room; for the rest `repair` moves others aside; in the end
everybody who would be cheaper elsewhere moves there. Every seat obeys every hard constraint. The sum of costs is not
proven to be the least; `lower_bound` says how far off it can be.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.placement.assignment import Problem, assign_sites
from cellwright.placement.cohorts import cohorts, stages
from cellwright.placement.garbage import uncollected
from cellwright.placement.keeping import keep_seats, leave_forbidden
from cellwright.placement.making_room import make_room
from cellwright.placement.screening import screen
from cellwright.placement.seating import gang_seats, seat_anywhere, seat_at
from cellwright.placement.seats import Seats
from cellwright.placement.shifting import shift_to_cheaper
from cellwright.placement.solution import Solution

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from cellwright.placement.cohorts import Cohort
    from cellwright.placement.plan import Plan
    from cellwright.placement.screening import Screening
    from cellwright.placement.shape import Shape
    from cellwright.placement.terrain import Terrain

_MOST_TARGETS: Final = 24  # shapes that packing keeps room for
_MANY_SHAPES: Final = 400  # above these, weighing what every machine is still good for takes longer than it is worth

_MANY_MACHINES: Final = 2_000  # likewise


def solve(
    terrain: Terrain,
    previous: Plan | None = None,
    max_moves: int | None = None,
    wanted: Mapping[tuple[str, int], Mapping[int, int]] | None = None,
) -> Solution:
    """Return seats for the replicas of the estate; the same estate always gives the same ones.

    With a `previous` plan, replicas stay where it has them wherever that is still allowed. At most `max_moves` others
    then move, to make room or to save money; without it, nobody else does. `wanted` says how many replicas of a cohort
    (by workload and first replica) each site should take, in place of an assignment of our own.
    """
    everybody = cohorts(terrain.estate)
    state = Solution(terrain, everybody, _empty_seats(terrain, everybody), wanted)
    if previous is not None:
        keep_seats(state, previous)
        state.moves = max_moves
    terrain.reach.prepare(
        {cohort.workload.latency.users for cohort in everybody},
        {terrain.estate.datasets[use.dataset].home for cohort in everybody for use in cohort.workload.consumes},
    )
    with uncollected():
        for stage in stages(terrain.estate):
            _place(state, [cohort for cohort in everybody if cohort.name in stage])
        if previous is None or max_moves is not None:
            shift_to_cheaper(state)
    return state


def _empty_seats(terrain: Terrain, everybody: Iterable[Cohort]) -> Seats:
    """Return seats that keep room for the shapes asked for; in a large network, the fullest machine is taken."""
    shapes: Counter[Shape] = Counter()
    for cohort in everybody:
        shapes[terrain.variants(cohort.workload)[0].shape] += cohort.count
    if len(shapes) > _MANY_SHAPES or len(terrain.machines) > _MANY_MACHINES:
        return Seats(terrain, fullest=True)
    return Seats(terrain, [(shape, float(count)) for shape, count in shapes.most_common(_MOST_TARGETS)])


def _place(state: Solution, stage: Sequence[Cohort]) -> None:
    """Seat the cohorts of one stage."""
    free = [cohort for cohort in stage if state.moves_freely(cohort)]
    prices = np.empty((len(free), len(state.terrain.sites)))
    rows = {id(cohort): row for cohort, row in zip(free, prices, strict=True)}
    for cohort in stage:
        callees = _callees(state, cohort)
        screening = screen(state.terrain, cohort, callees, rows.get(id(cohort)))
        state.screenings[cohort.name, cohort.first] = screening
        leave_forbidden(state, screening)
    waiting: list[Screening] = []
    for cohort in sorted((each for each in stage if id(each) not in rows), key=_largest_first):
        waiting += _seat_one_by_one(state, state.screening(cohort))
    waiting += _seat_by_assignment(state, [state.screening(cohort) for cohort in free], prices)
    make_room(state, [each for each in waiting if not _seat_somewhere(state, each)])


def _callees(state: Solution, cohort: Cohort) -> Mapping[str, str | None]:
    """Return for each called workload the site of its replica that is nearest to the users, then first by name."""
    terrain = state.terrain
    found: dict[str, str | None] = {}
    for call in cohort.workload.calls:
        sites = state.seats.sites_of(call.workload)
        if len(sites) > 1:
            _, p99 = terrain.reach.delays_ms(cohort.workload.latency.users)
            sites = (sites[int(p99[list(sites)].argmin())],)
        found[call.workload] = terrain.names[sites[0]] if sites else None
    return found


def _largest_first(cohort: Cohort) -> tuple[float, ...]:
    demand = cohort.workload.demand
    return (-demand.gpus * demand.gpu_share, -int(demand.single_cell), -demand.cores, -demand.memory_gib)


def _seat_one_by_one(state: Solution, screening: Screening) -> list[Screening]:
    """Seat a cohort that heeds others, or is pinned; return its screening where somebody is left."""
    cohort = screening.cohort
    missing = state.missing(cohort)
    if cohort.workload.gang:
        if missing:
            for number in set(cohort.replicas) - set(missing):
                state.seats.lift((cohort.name, number))
            gang_seats(state.seats, screening)
        return []
    for number in missing:
        seat = seat_anywhere(state.seats, screening)
        if seat is None:
            return [screening]
        state.seats.put(cohort, number, seat)
    return []


def _seat_by_assignment(
    state: Solution, screenings: Sequence[Screening], prices: NDArray[np.float64]
) -> list[Screening]:
    """Seat cohorts that move freely where the assignment puts them; return those of which somebody is left."""
    missing = [state.missing(each.cohort)[::-1] for each in screenings]  # the first replicas are seated first
    counts = np.array([len(each) for each in missing], dtype=np.int64)
    if not counts.any() or not state.terrain.sites:
        return []
    found = _assigned(state, screenings, prices, counts) if state.wanted is None else _wanted(state.wanted, screenings)
    entries = sorted(found, key=lambda entry: (_largest_first(screenings[entry[0]].cohort), entry))
    for row, site, count in entries:
        screening = screenings[row]
        for _ in range(count):
            seat = seat_at(state.seats, screening, site)
            if seat is None:
                break
            state.seats.put(screening.cohort, missing[row].pop(), seat)
    return [screening for screening, left in zip(screenings, missing, strict=True) if left]


def _assigned(
    state: Solution, screenings: Sequence[Screening], prices: NDArray[np.float64], counts: NDArray[np.int64]
) -> Iterable[tuple[int, int, int]]:
    """Return how many replicas of each cohort every site should take: index into the screenings, site, number."""
    pool = state.seats.pool
    cost = prices.astype(np.float32)
    cost[~np.array([screening.admitted for screening in screenings])] = np.inf
    shapes = [screening.case.variant.shape for screening in screenings]
    vectors = {shape: pool.demand_vector(shape) for shape in dict.fromkeys(shapes)}
    demand = np.array([vectors[shape] for shape in shapes])
    capacity, _ = pool.free()
    scarce = capacity.min(axis=0) < counts @ demand  # of the rest, even one site alone has enough for everybody
    scarce[0] |= not scarce.any()
    found = assign_sites(Problem(cost, counts, demand[:, scarce], capacity[:, scarce]), bounded=False)
    return zip(found.row.tolist(), found.site.tolist(), found.count.tolist(), strict=True)


def _wanted(
    wanted: Mapping[tuple[str, int], Mapping[int, int]], screenings: Sequence[Screening]
) -> Iterable[tuple[int, int, int]]:
    """Return what is wanted of some cohorts in the terms of `_assigned`."""
    for row, screening in enumerate(screenings):
        for site, count in wanted.get((screening.cohort.name, screening.cohort.first), {}).items():
            yield row, site, count


def _seat_somewhere(state: Solution, screening: Screening) -> bool:
    """Seat those of a cohort who have no seat wherever there is room; return whether all found one."""
    for number in state.missing(screening.cohort):
        seat = seat_anywhere(state.seats, screening)
        if seat is None:
            return False
        state.seats.put(screening.cohort, number, seat)
    return True
