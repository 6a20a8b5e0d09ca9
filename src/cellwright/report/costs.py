"""What workloads cost by the hour, as bars on one scale: the dearest each by itself, the others together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.report.svg import Segment, bar
from cellwright.report.text import UNKNOWN, hourly

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from cellwright.placement.plan import Placement
    from cellwright.report.decisions import Work

COST_KINDS: Final = ("GPUs", "cores", "memory", "arriving data", "other")
MOST_BARS: Final = 30


@dataclass(frozen=True, slots=True)
class Costs:
    """The known hourly cost of workloads by kind, and how many items have no price."""

    workload: str
    kinds: tuple[float, ...]  # aligned with COST_KINDS
    total: float | None
    missing: int

    @property
    def known(self) -> float:
        """The sum of what is known."""
        return math.fsum(self.kinds)


@dataclass(frozen=True, slots=True)
class CostBar:
    """The hourly cost of one workload by kind."""

    workload: str
    bar: Markup
    total: str
    missing: int  # items without a price


def cost_kind(label: str) -> str:
    """Return which of COST_KINDS a cost item is, by the words of its label."""
    words = label.lower()
    if words.startswith("arriving"):
        return "arriving data"
    found = (kind for stem, kind in (("gpu", "GPUs"), ("core", "cores"), ("memory", "memory")) if stem in words)
    return next(found, "other")


def costs(every: Sequence[Work]) -> tuple[Costs, ...]:
    """Return the costs of the workloads that have a site in the order given; where they are many, of the dearest."""
    placed = [work for work in every if work.placed]
    found = [_costs(work) for work in placed]
    if len(found) <= MOST_BARS:
        return tuple(found)
    ranked = sorted(found, key=lambda each: (each.total is not None, -each.known, each.workload))
    return (*ranked[: MOST_BARS - 1], _together(ranked[MOST_BARS - 1 :]))


def cost_bars(found: Sequence[Costs], currency: str) -> tuple[CostBar, ...]:
    """Return a bar for each on one scale; unknown items have no length and are counted."""
    full = max((each.known for each in found), default=0.0)
    return tuple(_cost_bar(each, full, currency) for each in found)


def _costs(work: Work) -> Costs:
    sums = dict.fromkeys(COST_KINDS, 0.0)
    missing = 0
    kinds: dict[int, tuple[tuple[str, float | None], ...]] = {}  # items are shared by replicas that are placed alike
    for placement in work.placements:
        if placement.site is None:
            continue
        if id(placement.cost_items) not in kinds:
            kinds[id(placement.cost_items)] = _items(placement)
        for kind, amount in kinds[id(placement.cost_items)]:
            sums[kind] += amount or 0.0
            missing += amount is None
    return Costs(work.name, tuple(sums.values()), work.cost_per_hour, missing)


def _items(placement: Placement) -> tuple[tuple[str, float | None], ...]:
    return tuple((cost_kind(item.label), item.amount) for item in placement.cost_items)


def _together(left: Sequence[Costs]) -> Costs:
    kinds = tuple(math.fsum(column) for column in zip(*(each.kinds for each in left), strict=True))
    totals = [each.total for each in left]
    known = [each for each in totals if each is not None]
    total = math.fsum(known) if len(known) == len(totals) else None
    return Costs(f"{len(left):,} other workloads", kinds, total, sum(each.missing for each in left))


def _cost_bar(found: Costs, full: float, currency: str) -> CostBar:
    segments = [
        Segment(f"{kind}: {hourly(value, currency)}", value, f"c-{index}")
        for index, (kind, value) in enumerate(zip(COST_KINDS, found.kinds, strict=True))
    ]
    total = hourly(found.total, currency)
    told = ", ".join(segment.label for segment in segments if segment.value > 0)
    described = f"{found.workload}: {told or 'no known cost'}; total {total if total != UNKNOWN else 'unknown'}"
    return CostBar(found.workload, bar(segments, full, described), total, found.missing)
