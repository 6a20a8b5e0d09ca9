"""Sums over a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellwright.placement.plan import Plan


def total_per_hour(plan: Plan) -> float | None:
    """Return the cost per hour of all placed workloads; None as soon as one of them is unknown."""
    costs = [placement.cost_per_hour for placement in plan.placements if placement.site is not None]
    known = [cost for cost in costs if cost is not None]
    return round(sum(known), 9) if len(known) == len(costs) else None
