"""One replica judged at single sites, everybody else being where a plan has them: what every "why not" asks."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cellwright.errors import CellwrightError
from cellwright.estate.model import Spread
from cellwright.placement.capacity import dispersed, overloaded, taken
from cellwright.placement.cohorts import cohorts
from cellwright.placement.filters import PRECEDENCE, moving_findings, standing_findings
from cellwright.placement.keeping import keep_seats
from cellwright.placement.screening import rack_prices, screen, told_forms
from cellwright.placement.seats import Seats
from cellwright.placement.solution import Solution
from cellwright.placement.terrain import UNKNOWN_COST, Case

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cellwright.estate.model import Site
    from cellwright.placement.cohorts import Cohort
    from cellwright.placement.plan import Finding, Placement, Plan, Violation
    from cellwright.placement.terrain import Terrain


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """What stands against a replica at one site, in the form against which least stands, and what it would cost."""

    case: Case
    site: Site
    violations: tuple[Violation, ...]  # in order of precedence
    cost_per_hour: float | None  # None: unknown, or no machine there can hold it


class Bench:
    """Judges one replica of a plan in a terrain, which may be that of a changed estate."""

    def __init__(self, terrain: Terrain, plan: Plan, placement: Placement) -> None:
        self.terrain = terrain
        self.cohort = _cohort(terrain, placement)
        everybody = Solution(terrain, cohorts(terrain.estate), Seats(terrain))
        others = tuple(each for each in plan.placements if not self._leaves(placement, each))
        keep_seats(everybody, replace(plan, placements=others))
        self._seats = everybody.seats
        self._standing = self._seats.standing()
        self._callees: Mapping[str, str | None] = {callee: site for callee, site, _ in placement.calls}
        self._holders: dict[int, list[str]] = defaultdict(list)
        for (name, number), (cohort, seat) in self._seats.seated().items():
            self._holders[seat.slot.machine].append(name if cohort.total == 1 else f"{name}#{number}")

    def judge(self, site: str) -> Judgement:
        """Return what stands against the replica at a site."""
        cases = [self._case(site, form) for form in range(len(self.terrain.variants(self.cohort.workload)))]
        found = [self._findings(case) for case in cases]
        told = int(told_forms([standing_findings(case) for case in cases], 1)[0])
        best = next((form for form, against in enumerate(found) if not against), told)
        violations = (each.violation(0, site) for each in found[best])
        return Judgement(cases[best], self.terrain.estate.sites[site], tuple(violations), self._cost(cases[best]))

    def _leaves(self, placement: Placement, other: Placement) -> bool:
        """Return whether a placement moves along: its own, and those of the gang that it belongs to."""
        same = other.workload == placement.workload
        return same and (self.cohort.workload.gang or other.replica == placement.replica)

    def _case(self, site: str, form: int) -> Case:
        index, workload = self.terrain.index[site], self.cohort.workload
        variant, scope = self.terrain.variants(workload)[form], slice(index, index + 1)
        return Case(self.terrain, workload, self._callees, variant, self._standing, scope, self.cohort.pinned)

    def _findings(self, case: Case) -> list[Finding]:
        beside = self._seats.machines_of(self.cohort.name) if case.workload.spread is Spread.NODE else ()
        full = taken(case, self._seats.pool, beside=beside, holders=lambda machine: sorted(self._holders[machine]))
        found = (*standing_findings(case), *moving_findings(case), *full, *overloaded(case, self._seats, beside))
        if not found and case.together > 1:
            screening = screen(self.terrain, self.cohort, self._callees)
            found = dispersed(case, screening, self._seats, np.ones(1, dtype=np.bool_))
        return sorted(found, key=lambda each: PRECEDENCE.index(each.dimension))

    def _cost(self, case: Case) -> float | None:
        """Return the price on the cheapest machine with room, else on the cheapest that could hold the replica."""
        pool, site = self._seats.pool, case.scope.start
        span = pool.span(site)
        prices = rack_prices(case, site)
        first = self.terrain.rack_span(site).start
        roomy = {
            self.terrain.rack_of(span.start + place) - first for place in _places(pool.fits(case.variant.shape, span))
        }
        least = min([float(prices[rack]) for rack in roomy] or prices.tolist(), default=np.inf)
        return least if least < UNKNOWN_COST else None


def _places(at: np.ndarray) -> Iterator[int]:
    yield from np.flatnonzero(at).tolist()


def _cohort(terrain: Terrain, placement: Placement) -> Cohort:
    """Return the replicas that are alike to a placed one; raise where the estate has no such replica any more."""
    for cohort in cohorts(terrain.estate):
        if cohort.name == placement.workload and placement.replica in cohort.replicas:
            return cohort
    raise CellwrightError.of(
        "plan-of-another-estate", f"the estate has no replica {placement.label}", hint="plan it again"
    )
