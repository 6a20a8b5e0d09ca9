"""What is known of a workload before anybody else takes room: what each site violates, and what each choice costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellwright.economics.compute import Arrival, compute_cost
from cellwright.placement.capacity import able_nodes
from cellwright.placement.filters import violations_of_law

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
    law = violations_of_law(case, sites)
    ranked = options(case, sites)
    return Screening(case, law, ranked, tuple(option for option in ranked if not law[option.site.name]))


def options(case: Case, sites: Sequence[Site]) -> tuple[Option, ...]:
    """Return one option for each node of `sites` that can hold the workload when empty, best first."""
    able = able_nodes(case, sites)
    found = (_option(case, site, node) for site in sites for node in able[site.name])
    return tuple(sorted(found, key=lambda option: option.rank))


def _option(case: Case, site: Site, node: Node) -> Option:
    model = node.gpus.model if node.gpus else None
    cost = compute_cost(case.terrain.tariff(site), case.workload.demand, model, _arrivals(case, site))
    return Option(site, node, cost)


def _arrivals(case: Case, site: Site) -> Iterator[Arrival]:
    """Yield the traffic that would reach `site` from elsewhere: datasets from their homes, answers of callees."""
    for use in case.workload.consumes:
        if case.estate.datasets[use.dataset].home != site.name:
            yield Arrival(f"dataset {use.dataset}", use.rate_gb_per_h)
    for call in case.workload.calls:
        if case.callees.get(call.workload) not in {None, site.name}:
            yield Arrival(f"answers of {call.workload}", call.traffic_gb_per_h)
