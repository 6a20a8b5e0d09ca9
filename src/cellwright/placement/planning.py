"""From an estate to its plan: screen, solve, then tell of every site why it was chosen or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwright.estate.identity import fingerprint
from cellwright.placement.garbage import uncollected
from cellwright.placement.plan import Plan, PlannedSite
from cellwright.placement.solve import solve
from cellwright.placement.telling import Teller
from cellwright.placement.terrain import Terrain
from cellwright.policy.residency import applicable_to

if TYPE_CHECKING:
    from datetime import date

    from cellwright.estate.model import Estate, Site
    from cellwright.placement.solution import Solution

__all__ = ["plan", "planned_sites", "told", "valid_until"]


def plan(estate: Estate, against: Plan | None = None, max_moves: int | None = None) -> Plan:
    """Return the plan of `estate`; pure, the same arguments give the same plan byte for byte.

    No feasible site is a result: such a replica has a placement without a site. With `against`, replicas stay where
    that plan has them as long as this is allowed, and at most `max_moves` of them move to make room or save money.
    Raises EstateError (`call-cycle`) for workloads that wait for each other, which loading an estate refuses.
    """
    with uncollected():
        return told(solve(Terrain(estate), against, max_moves))


def told(solution: Solution) -> Plan:
    """Return the plan that tells of a solution."""
    estate = solution.terrain.estate
    expiry = valid_until(estate)
    with uncollected():
        teller = Teller(solution, planned_sites(solution.terrain))
        return Plan(
            estate_sha256=fingerprint(estate),
            currency=solution.terrain.currency,
            valid_until=expiry.isoformat() if expiry else None,
            sites=teller.sites,
            placements=tuple(placement for cohort in solution.cohorts for placement in teller.placements(cohort)),
        )


def planned_sites(terrain: Terrain) -> tuple[PlannedSite, ...]:
    """Return the sites as a plan keeps them."""
    return tuple(_planned(site) for site in terrain.sites)


def valid_until(estate: Estate) -> date | None:
    """Return the earliest expiry of the regulations of data in use and of the price books of compute."""
    used = sorted({use.dataset for workload in estate.workloads.values() for use in workload.consumes})
    datasets = [estate.datasets[name] for name in used]
    expiries = [
        regulation.expires
        for dataset in datasets
        for regulation in applicable_to(dataset, estate.sites[dataset.home], estate.regulations.values())
    ]
    expiries += (book.expires for book in estate.price_books.values() if book.compute or book.owned)
    return min(expiries, default=None)


def _planned(site: Site) -> PlannedSite:
    return PlannedSite(site.name, site.tier, site.jurisdiction, site.location.lat, site.location.lon)
