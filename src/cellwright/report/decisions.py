"""The plan as it is read: each workload with what eliminated its other sites, and what it costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.placement.plan import Dimension
from cellwright.report.rejections import grouped
from cellwright.report.svg import SLIVER, Segment, bar
from cellwright.report.text import UNKNOWN, hourly, plural

if TYPE_CHECKING:
    from collections.abc import Iterable

    from markupsafe import Markup

    from cellwright.placement.plan import CostItem, Placement, Plan
    from cellwright.report.rejections import RejectionGroup

ELIMINATING: Final = (
    Dimension.SOVEREIGNTY,
    Dimension.LATENCY,
    Dimension.GRAVITY,
    Dimension.OPERATIONS,
    Dimension.CAPACITY,
)
COST_KINDS: Final = ("GPUs", "cores", "memory", "arriving data", "other")


@dataclass(frozen=True, slots=True)
class Decision:
    """One workload of a plan."""

    anchor: str  # fragment identifier: a number, since names may hold any character
    placement: Placement
    eliminated: tuple[tuple[Dimension, int], ...]  # sites by the first dimension that eliminated them
    remaining: int  # sites that passed all dimensions, the chosen one included
    funnel: Markup
    groups: tuple[RejectionGroup, ...]


@dataclass(frozen=True, slots=True)
class CostBar:
    """The hourly cost of one workload by kind."""

    anchor: str
    workload: str
    bar: Markup
    total: str
    missing: int  # items without a price


def decisions(plan: Plan) -> tuple[Decision, ...]:
    """Return the workloads of a plan in its order."""
    return tuple(
        _decision(f"w{index}", placement, len(plan.sites)) for index, placement in enumerate(plan.placements, 1)
    )


def cost_bars(plan: Plan) -> tuple[CostBar, ...]:
    """Return a bar for each placed workload on one scale; unknown items have no length and are counted."""
    placed = [
        (f"w{index}", placement) for index, placement in enumerate(plan.placements, 1) if placement.site is not None
    ]
    full = max((_known(placement.cost_items) for _, placement in placed), default=0.0)
    return tuple(_cost_bar(anchor, placement, full, plan.currency) for anchor, placement in placed)


def cost_kind(label: str) -> str:
    """Return which of COST_KINDS a cost item is, by the words of its label."""
    words = label.lower()
    if words.startswith("arriving"):
        return "arriving data"
    found = (kind for stem, kind in (("gpu", "GPUs"), ("core", "cores"), ("memory", "memory")) if stem in words)
    return next(found, "other")


def _decision(anchor: str, placement: Placement, sites: int) -> Decision:
    eliminated = tuple((dimension, placement.eliminated.get(dimension, 0)) for dimension in ELIMINATING)
    remaining = max(0, sites - sum(number for _, number in eliminated))
    segments = [
        Segment(f"{dimension}: {plural(number, 'site')}", number, f"d-{dimension}") for dimension, number in eliminated
    ]
    segments.append(Segment(f"remaining: {plural(remaining, 'site')}", remaining, "d-remaining"))
    told = ", ".join(f"{dimension} eliminates {number}" for dimension, number in eliminated if number)
    described = f"Of {plural(sites, 'site')}: {told or 'none eliminated'}; {remaining} remain"
    return Decision(
        anchor,
        placement,
        eliminated,
        remaining,
        bar(segments, sites, described, least=SLIVER),
        grouped(placement.rejections),
    )


def _known(items: Iterable[CostItem]) -> float:
    return math.fsum(item.amount for item in items if item.amount is not None)


def _cost_bar(anchor: str, placement: Placement, full: float, currency: str) -> CostBar:
    sums = dict.fromkeys(COST_KINDS, 0.0)
    for item in placement.cost_items:
        sums[cost_kind(item.label)] += item.amount or 0.0
    segments = [
        Segment(f"{kind}: {hourly(value, currency)}", value, f"c-{index}")
        for index, (kind, value) in enumerate(sums.items())
    ]
    total = hourly(placement.cost_per_hour, currency)
    told = ", ".join(segment.label for segment in segments if segment.value > 0)
    missing = sum(item.amount is None for item in placement.cost_items)
    described = f"{placement.workload}: {told or 'no known cost'}; total {total if total != UNKNOWN else 'unknown'}"
    return CostBar(anchor, placement.workload, bar(segments, full, described), total, missing)
