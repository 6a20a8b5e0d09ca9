"""The rows of the short table of a plan; how they look is the reader's business."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwright.estate.model import Tier
    from cellwright.placement.plan import Dimension, Plan


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One workload in one line; None is unknown, or that there is no site."""

    workload: str
    tier: Tier | None
    site: str | None
    cost_per_hour: float | None
    currency: str
    latency_p99_ms: float | None
    decided_by: Dimension
    eliminated: Mapping[Dimension, int]


def rows(plan: Plan) -> tuple[SummaryRow, ...]:
    """Return one row for each placement, in the plan's order."""
    return tuple(
        SummaryRow(
            placement.workload,
            placement.tier,
            placement.site,
            placement.cost_per_hour,
            plan.currency,
            placement.latency_p99_ms,
            placement.decided_by,
            placement.eliminated,
        )
        for placement in plan.placements
    )


def total_per_hour(plan: Plan) -> float | None:
    """Return the cost per hour of all placed workloads; None as soon as one of them is unknown."""
    costs = [placement.cost_per_hour for placement in plan.placements if placement.site is not None]
    known = [cost for cost in costs if cost is not None]
    return round(sum(known), 9) if len(known) == len(costs) else None
