"""What a plan says of each replica: where it is and why, and of every other site all that stands against it."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cellwright.economics.compute import DAY_H, compute_cost
from cellwright.estate.model import Spread
from cellwright.placement.capacity import dispersed, overloaded, taken
from cellwright.placement.decide import Verdicts, cost_findings, decide, within
from cellwright.placement.filters import PRECEDENCE, moving_findings
from cellwright.placement.filters.latency import round_trip_ms
from cellwright.placement.plan import Placement, Rejections
from cellwright.placement.screening import arrivals
from cellwright.placement.seating import price_with_room
from cellwright.placement.terrain import ALL_SITES, Case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cellwright.economics.compute import Cost
    from cellwright.estate.model import Tier
    from cellwright.placement.cohorts import Cohort
    from cellwright.placement.decide import Decision
    from cellwright.placement.plan import Dimension, Finding, PlannedSite
    from cellwright.placement.screening import Screening
    from cellwright.placement.seats import Seat
    from cellwright.placement.shape import Shape
    from cellwright.placement.solution import Solution


class Teller:
    """Turns a solution into placements; what holds for many replicas is worked out once."""

    def __init__(self, solution: Solution, sites: tuple[PlannedSite, ...]) -> None:
        self.sites = sites
        self._solution = solution
        self._terrain = solution.terrain
        self._taken: dict[Shape, tuple[Finding, ...]] = {}
        self._on: dict[int, set[str]] = defaultdict(set)
        for (workload, _), (_, seat) in solution.seats.seated().items():
            self._on[seat.slot.machine].add(workload)
        self._budgeted = bool(np.isfinite(solution.seats.budgets_kw).any())

    def placements(self, cohort: Cohort) -> Iterator[Placement]:
        """Yield the placement of each replica of a cohort."""
        told: dict[tuple[object, ...], Placement] = {}
        for number in cohort.replicas:
            seat = self._solution.seats.seat((cohort.name, number))
            alike = _alike(self._solution, seat)
            if alike not in told:
                with self._gang_lifted(cohort) if cohort.workload.gang else nullcontext():
                    told[alike] = self._placement(cohort, number, seat)
            yield self._numbered(told[alike], number, seat)

    @contextmanager
    def _gang_lifted(self, cohort: Cohort) -> Iterator[None]:
        """Take a gang off its seats for a while: it moves as a whole, so no replica of it stands in another's way."""
        seats = self._solution.seats
        lifted = [(each, seat) for each in cohort.replicas if (seat := seats.seat((cohort.name, each))) is not None]
        for number, _ in lifted:
            seats.lift((cohort.name, number))
        try:
            yield
        finally:
            for number, seat in lifted:
                seats.put(cohort, number, seat)

    def _numbered(self, placement: Placement, number: int, seat: Seat | None) -> Placement:
        """Return the placement of another replica at the same site, at the same price."""
        if placement.replica == number:
            return placement
        node = self._solution.seats.pool.label(seat.slot.machine) if seat else None
        return replace(placement, replica=number, node=node, seating=seat.slot.seating if seat else None)

    def _placement(self, cohort: Cohort, number: int, seat: Seat | None) -> Placement:
        screening = self._solution.screening(cohort)
        case = _form(screening, seat)
        chosen = seat.site if seat else None
        findings = self._findings(screening, case, number, chosen)
        verdicts = Verdicts.of(self._terrain, findings, self._prices(screening), chosen)
        if seat:
            verdicts = self._with_room(verdicts, screening, seat)
        decision, cost = decide(verdicts), self._cost(case, seat)
        per_hour = cost.per_hour if cost else None
        p50, p99, source = self._round_trip(case, chosen)
        site = self.sites[chosen] if chosen is not None else None
        return Placement(
            workload=cohort.name,
            phase=cohort.workload.phase,
            tenant=cohort.workload.tenant,
            site=site.name if site else None,
            tier=site.tier if site else None,
            node=self._solution.seats.pool.label(seat.slot.machine) if seat else None,
            cost_per_hour=per_hour,
            cost_items=cost.items if cost else (),
            latency_p50_ms=p50,
            latency_p99_ms=p99,
            decided_by=decision.dimension,
            decided_because=decision.because,
            eliminated=_eliminated(decision),
            calls=tuple(self._call(case, call.workload) for call in cohort.workload.calls),
            rejections=Rejections(self.sites, (*findings, *cost_findings(verdicts, per_hour)), chosen),
            replica=number,
            replicas=cohort.total,
            users=cohort.workload.latency.users,
            latency_source=source,
            quantisation=case.variant.quantisation,
            seating=seat.slot.seating if seat else None,
        )

    def _findings(self, screening: Screening, case: Case, number: int, chosen: int | None) -> tuple[Finding, ...]:
        """Return everything against every site, all other replicas being where they are."""
        standing = self._solution.seats.standing((screening.cohort.name, number))
        everywhere = case.seen(standing)
        moving = moving_findings(everywhere)
        fixed, full = screening.findings, self._full_sites(screening)
        if case.scope != ALL_SITES:
            own, sites = self._terrain.index[screening.cohort.pinned or ""], len(self.sites)
            fixed = within(fixed, own, sites)
            full = tuple(found for found in full if found.at[own])
            full = tuple(replace(found, at=_only(found.at, own)) for found in full)
        if case.together > 1:
            clear = ~np.logical_or.reduce(
                [np.zeros(len(self.sites), np.bool_), *(each.at for each in (*fixed, *moving, *full))]
            )
            full = (*full, *dispersed(everywhere, screening, self._solution.seats, clear))
        others = (_but(each, chosen) for each in (*moving, *full))
        found = [*fixed, *(each for each in others if each.at.any())]
        return tuple(sorted(found, key=lambda each: PRECEDENCE.index(each.dimension)))

    def _full_sites(self, screening: Screening) -> tuple[Finding, ...]:
        """Return the sites without room or power now for any form that they admit; told of the least demanding one."""
        forms = [self._full(case) for case in screening.cases]
        if len(forms) == 1:
            return forms[0]
        told = np.zeros(len(self.sites), dtype=np.int64)
        told[screening.case.scope] = screening.told
        room = np.zeros(len(self.sites), dtype=np.bool_)
        pool = self._solution.seats.pool
        for form, (case, clear) in enumerate(zip(screening.cases, screening.clear, strict=True)):
            admitted, able = np.zeros_like(room), np.zeros_like(room)
            admitted[case.scope] = clear
            able[pool.site_of[pool.able(case.variant.shape)]] = True
            room |= admitted & able & ~np.logical_or.reduce([np.zeros_like(room), *(full.at for full in forms[form])])
        found = ((form, full) for form, fulls in enumerate(forms) for full in fulls)
        narrowed = (replace(full, at=full.at & (told == form) & ~room) for form, full in found)
        return tuple(full for full in narrowed if full.at.any())

    def _full(self, case: Case) -> tuple[Finding, ...]:
        """Return the sites that could hold a form but have no room or power for it now."""
        everywhere = case if case.scope == ALL_SITES else case.seen()
        seats, beside = self._solution.seats, frozenset[int]()
        if case.workload.spread is Spread.NODE:
            beside = seats.machines_of(case.workload.name)
        over = overloaded(everywhere, seats, beside) if self._budgeted else ()
        return (*self._taken_by_others(everywhere, beside), *over)

    def _taken_by_others(self, case: Case, beside: frozenset[int]) -> tuple[Finding, ...]:
        """Return the sites that could hold a form but have no room now; the same for all who ask for the same."""
        seats, shape = self._solution.seats, case.variant.shape
        if beside:
            return taken(case, seats.pool, beside=beside, holders=self._holders)
        if case.together > 1:
            without = {case.workload.name}
            return taken(case, seats.pool, holders=lambda machine: sorted(self._on[machine] - without))
        if shape not in self._taken:
            self._taken[shape] = taken(case, seats.pool, holders=self._holders)
        return self._taken[shape]

    def _holders(self, machine: int) -> list[str]:
        """Return the workloads that have replicas on a machine, by name."""
        return sorted(self._on.get(machine, ()))

    def _with_room(self, verdicts: Verdicts, screening: Screening, seat: Seat) -> Verdicts:
        """Return the verdicts with what sites cost that look cheaper than the chosen: their cheapest may be full."""
        cheaper = verdicts.would_do() & (verdicts.prices < seat.price)
        if not cheaper.any():
            return verdicts
        prices = verdicts.prices.copy()
        for site in np.flatnonzero(cheaper).tolist():
            prices[site] = price_with_room(self._solution.seats, screening, site)
        return replace(verdicts, prices=prices)

    def _prices(self, screening: Screening) -> NDArray[np.float64]:
        """Return prices over all sites; those that a pinned replica has no business at have none."""
        if screening.case.scope == ALL_SITES:
            return screening.prices
        prices = np.full(len(self.sites), np.inf)
        prices[screening.case.scope] = screening.prices
        return prices

    def _cost(self, case: Case, seat: Seat | None) -> Cost | None:
        if seat is None:
            return None
        site, node = self._terrain.sites[seat.site], self._solution.seats.pool.node(seat.slot.machine)
        hours = case.workload.window.hours if case.workload.window else DAY_H
        return compute_cost(self._terrain.tariff(site), seat.variant.shape.demand, node, arrivals(case, site), hours)

    def _round_trip(self, case: Case, chosen: int | None) -> tuple[float | None, float | None, str]:
        if chosen is None:
            return None, None, ""
        return round_trip_ms(case.seen(scope=slice(chosen, chosen + 1)), 0)

    def _call(self, case: Case, callee: str) -> tuple[str, str | None, Tier | None]:
        """Return a called workload, its site and tier."""
        site = case.callees.get(callee)
        return callee, site, self.sites[self._terrain.index[site]].tier if site is not None else None


def _alike(solution: Solution, seat: Seat | None) -> tuple[object, ...]:
    """Return what replicas of a cohort have in common that are told of in the same words."""
    if seat is None:
        return ()
    return seat.site, solution.terrain.rack_of(seat.slot.machine), seat.variant


def _form(screening: Screening, seat: Seat | None) -> Case:
    """Return the case in the form in which the replica runs, or would run."""
    return next((case for case in screening.cases if seat and case.variant == seat.variant), screening.case)


def _but(found: Finding, chosen: int | None) -> Finding:
    """Return a finding without the chosen site: what its own replica takes there does not stand against it."""
    if chosen is None or not found.at[chosen]:
        return found
    at = found.at.copy()
    at[chosen] = False
    return replace(found, at=at)


def _only(at: NDArray[np.bool_], site: int) -> NDArray[np.bool_]:
    alone = np.zeros_like(at)
    alone[site] = at[site]
    return alone


def _eliminated(decision: Decision) -> dict[Dimension, int]:
    return {step.dimension: step.eliminated for step in decision.steps}
