"""What replicas draw: their share of the power of their machines, times what the facility adds.

A replica draws the share of its machine's full-load power that `power` says, in the hours in which it runs, times the
site's power usage effectiveness (PUE, ISO/IEC 30134-2). A machine of unknown power or a site of unknown PUE makes the
energy unknown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.placement.power import draw_kw
from cellwright.placement.variants import variants
from cellwright.placement.wording import number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellwright.estate.model import Demand, Estate, Node, Site, Workload
    from cellwright.placement.plan import Placement, Plan

_DAY_H: Final = 24.0
_DIGITS: Final = 9


@dataclass(frozen=True, slots=True)
class Tally:
    """A sum of what is known, and how many of those that were to be summed are not."""

    known: float
    unknown: int

    @property
    def total(self) -> float | None:
        """The sum; None as soon as one part of it is unknown."""
        return None if self.unknown else self.known

    def told(self, unit: str) -> str:
        """Return the sum with its unit, and what is missing from it."""
        others = f"; {number(self.known)} {unit} for the others" if self.known else ""
        missing = f" (unknown for {self.unknown}{others})" if self.unknown else ""
        return f"{number(self.total)} {unit}{missing}"


def tally(values: Iterable[tuple[float | None, int]]) -> Tally:
    """Return the sum of values, each of which counts a number of times."""
    parts = [(value, times) for value, times in values if times]
    known = math.fsum(value * times for value, times in parts if value is not None)
    return Tally(round(known, _DIGITS), sum(times for value, times in parts if value is None))


def drawn_kwh(site: Site, node: Node, workload: Workload, demand: Demand) -> float | None:
    """Return the kilowatt-hours that one replica draws in the mean hour of the day, facility included."""
    draw = draw_kw(node, demand)
    if draw is None or site.pue is None:
        return None
    return draw * site.pue * (workload.window.hours if workload.window else _DAY_H) / _DAY_H


def energy(estate: Estate, plan: Plan) -> Tally:
    """Return the kilowatt-hours that the placed replicas of a plan draw in an hour."""
    return tally((_drawn(estate, each), 1) for each in plan.placements if each.site is not None)


def demand_of(workload: Workload, quantisation: str | None) -> Demand:
    """Return what a replica takes in one of the workload's forms."""
    return next(each.shape.demand for each in variants(workload, (0,)) if each.quantisation == quantisation)


def node_of(site: Site, label: str) -> Node:
    """Return the node that a machine's label names: its name, with the number of the machine behind a "#"."""
    name = label.partition("#")[0]
    return next(node for node in site.nodes if node.name == name)


def _drawn(estate: Estate, placement: Placement) -> float | None:
    site, workload = estate.sites[placement.site or ""], estate.workloads[placement.workload]
    demand = demand_of(workload, placement.quantisation)
    return drawn_kwh(site, node_of(site, placement.node or ""), workload, demand)
