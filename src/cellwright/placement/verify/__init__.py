"""A second opinion on a plan: every rule restated in plain loops, with none of the planner's code.

It shares the documents' types and the geometry of MIG with the planner, and nothing else: no filter, no pool, no path
search, no price table. Where the two disagree, one of them is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwright.estate.identity import fingerprint
from cellwright.placement.verify.breach import Breach
from cellwright.placement.verify.groups import group_breaches
from cellwright.placement.verify.machines import machine_breaches, seating_breaches, trait_breaches
from cellwright.placement.verify.money import Ledger, cost_breaches, validity_breaches
from cellwright.placement.verify.seated import Wanted, seated, who_is_there
from cellwright.placement.verify.sites import Roads, site_breaches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.estate.model import Estate
    from cellwright.placement.plan import Plan
    from cellwright.placement.verify.seated import Seated

__all__ = ["Breach", "verify"]


def verify(estate: Estate, plan: Plan) -> tuple[Breach, ...]:
    """Return every rule that `plan` breaks on `estate`, in the order of workloads; none for a sound plan.

    A replica without a site breaks nothing: whether it could have had one is not asked. Takes seconds for thousands of
    replicas.
    """
    wanted = Wanted.by(estate)
    seats = seated(wanted, plan)
    found = [*_about_the_plan(wanted, plan), *_about_replicas(estate, seats)]
    found += group_breaches(estate, seats, {name: len(each) for name, each in wanted.replicas.items()})
    found += machine_breaches(seats)
    found += validity_breaches(Ledger(estate), estate, plan)
    return tuple(sorted(found, key=lambda each: (each.workload, each.site or "", each.code, each.message)))


def _about_the_plan(wanted: Wanted, plan: Plan) -> Iterator[Breach]:
    """Yield that a plan is of another estate, or speaks of replicas that are not there."""
    true = fingerprint(wanted.estate)
    if plan.estate_sha256 != true:
        message = f"the plan was made for the estate {plan.estate_sha256[:12]}, this one is {true[:12]}"
        yield Breach("plan.estate", "", None, plan.estate_sha256, true, message)
    sites = [(each.name, each.tier, each.jurisdiction) for each in plan.sites]
    if sites != [(each.name, each.tier, each.jurisdiction) for _, each in sorted(wanted.estate.sites.items())]:
        message = "the plan's list of sites is not that of the estate"
        yield Breach("plan.sites", "", None, len(sites), len(wanted.estate.sites), message)
    yield from who_is_there(wanted, plan)


def _about_replicas(estate: Estate, seats: list[Seated]) -> Iterator[Breach]:
    """Yield what each replica breaks by itself."""
    where: dict[str, set[str]] = {name: set() for name in estate.workloads}
    for seat in seats:
        where[seat.workload.name].add(seat.site.name)
    roads, ledger = Roads(estate), Ledger(estate)
    for seat in seats:
        yield from site_breaches(estate, roads, seat, where)
        yield from trait_breaches(seat)
        yield from seating_breaches(seat)
        yield from cost_breaches(ledger, seat)
        if seat.form_accuracy is not None and seat.form_accuracy < seat.workload.min_accuracy:
            message = f"{seat.placement.quantisation} is {seat.form_accuracy:g} accurate"
            yield seat.breach("model.accuracy", seat.form_accuracy, seat.workload.min_accuracy, message)
