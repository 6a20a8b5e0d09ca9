"""What is known of a workload before anybody else takes room: what each site violates, and what each choice costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellwright.economics.compute import Arrival, compute_cost
from cellwright.placement.capacity import can_hold
from cellwright.placement.filters import violations_of_law

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cellwright.economics.compute import Cost
    from cellwright.estate.model import Node, Site
    from cellwright.placement.plan import Violation
    from cellwright.placement.terrain import Case


@dataclass(frozen=True, slots=True)
class Option:
    """A site and a node that can hold a workload, and what an hour there costs."""

    site: Site
    node: Node
    cost: Cost

    @property
    def rank(self) -> tuple[bool, float, str, str]:
        """The order of preference: known costs before unknown ones, cheaper before dearer, then by name."""
        per_hour = self.cost.per_hour
        return per_hour is None, per_hour or 0.0, self.site.name, self.node.name


@dataclass(frozen=True, slots=True)
class Screening:
    """A case, what each site violates of the four dimensions, and all options, best first."""

    case: Case
    law: Mapping[str, tuple[Violation, ...]]
    options: tuple[Option, ...]  # of every site that can hold the workload, admitted or not
    admitted: tuple[Option, ...]  # those of sites that no filter holds anything against


def screen(case: Case) -> Screening:
    """Return the screening of every site for one workload."""
    sites = case.terrain.sites
    law = {site.name: violations_of_law(case, site) for site in sites}
    options = (option for site in sites for option in options_at(case, site))
    ranked = tuple(sorted(options, key=lambda option: option.rank))
    return Screening(case, law, ranked, tuple(option for option in ranked if not law[option.site.name]))


def options_at(case: Case, site: Site) -> Iterator[Option]:
    """Yield one option for each node of `site` that can hold the workload when empty."""
    demand = case.workload.demand
    for node in site.nodes:
        if can_hold(node, demand):
            model = node.gpus.model if node.gpus else None
            yield Option(site, node, compute_cost(case.terrain.tariff(site), demand, model, _arrivals(case, site)))


def _arrivals(case: Case, site: Site) -> Iterator[Arrival]:
    """Yield the traffic that would reach `site` from elsewhere: datasets from their homes, answers of callees."""
    for use in case.workload.consumes:
        if case.estate.datasets[use.dataset].home != site.name:
            yield Arrival(f"dataset {use.dataset}", use.rate_gb_per_h)
    for call in case.workload.calls:
        if case.callees.get(call.workload) not in {None, site.name}:
            yield Arrival(f"answers of {call.workload}", call.traffic_gb_per_h)
