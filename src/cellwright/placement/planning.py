"""From an estate to its plan: screen, assign, then tell of every site why it was chosen or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwright.estate.identity import fingerprint
from cellwright.placement.decide import assess, decide, reject
from cellwright.placement.filters.latency import round_trip_ms
from cellwright.placement.plan import Placement, Plan, PlannedSite
from cellwright.placement.solve import assign
from cellwright.placement.terrain import Terrain
from cellwright.policy.residency import applicable_to

if TYPE_CHECKING:
    from datetime import date

    from cellwright.estate.model import Estate, Site, Tier
    from cellwright.placement.solve import Assignment, Seat


def plan(estate: Estate) -> Plan:
    """Return the plan of `estate`; pure, the same estate gives the same plan byte for byte.

    No feasible site is a result: such a workload has a placement without a site. Raises EstateError (`call-cycle`) for
    workloads that call each other in a circle, which loading an estate refuses.
    """
    terrain = Terrain(estate)
    assignment = assign(terrain)
    expiry = valid_until(estate)
    return Plan(
        estate_sha256=fingerprint(estate),
        currency=terrain.currency,
        valid_until=expiry.isoformat() if expiry else None,
        sites=tuple(_planned(site) for site in terrain.sites),
        placements=tuple(_placement(terrain, assignment, name) for name in sorted(estate.workloads)),
    )


def valid_until(estate: Estate) -> date | None:
    """Return the earliest expiry of the regulations of data in use and of the price books of compute."""
    used = sorted({use.dataset for workload in estate.workloads.values() for use in workload.consumes})
    datasets = [estate.datasets[name] for name in used]
    expiries = [
        regulation.expires
        for dataset in datasets
        for regulation in applicable_to(dataset, estate.sites[dataset.home], estate.regulations.values())
    ]
    expiries += (book.expires for book in estate.price_books.values() if book.compute)
    return min(expiries, default=None)


def _planned(site: Site) -> PlannedSite:
    return PlannedSite(site.name, site.tier, site.jurisdiction, site.location.lat, site.location.lon)


def _placement(terrain: Terrain, assignment: Assignment, name: str) -> Placement:
    """Return the placement of one workload, judged with all others where they ended up."""
    screening, seat = assignment.screenings[name], assignment.seats[name]
    workload = screening.case.workload
    assignment.occupancy.release(workload)
    assessments = assess(screening, assignment.occupancy)
    if seat:
        assignment.occupancy.take(workload, seat.option.site.name, seat.machine)
    decision = decide(assessments, terrain.currency)
    option = seat.option if seat else None
    p50, p99 = round_trip_ms(screening.case, option.site) if option else (None, None)
    return Placement(
        workload=name,
        phase=workload.phase,
        tenant=workload.tenant,
        site=option.site.name if option else None,
        tier=option.site.tier if option else None,
        node=seat.machine if seat else None,
        cost_per_hour=option.cost.per_hour if option else None,
        cost_items=option.cost.items if option else (),
        latency_p50_ms=p50,
        latency_p99_ms=p99,
        decided_by=decision.dimension,
        decided_because=decision.because,
        eliminated={step.dimension: step.eliminated for step in decision.steps},
        calls=tuple((call.workload, *_whereabouts(assignment.seats[call.workload])) for call in workload.calls),
        rejections=tuple(
            reject(each, option, terrain.currency) for each in assessments if not option or each.site is not option.site
        ),
    )


def _whereabouts(seat: Seat | None) -> tuple[str | None, Tier | None]:
    """Return the site and tier of a called workload."""
    return (seat.option.site.name, seat.option.site.tier) if seat else (None, None)
