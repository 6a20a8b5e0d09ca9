"""The plan as it is read: one decision a workload, however many replicas it has, and what eliminated other sites."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.placement.plan import Dimension
from cellwright.report.rejections import grouped
from cellwright.report.seats import machines
from cellwright.report.svg import SLIVER, Segment, bar
from cellwright.report.text import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from markupsafe import Markup

    from cellwright.estate.model import Tier
    from cellwright.placement.plan import Placement, Plan, PlannedSite
    from cellwright.report.rejections import Misses
    from cellwright.report.seats import Machines

ELIMINATING: Final = tuple(dimension for dimension in Dimension if dimension is not Dimension.COST)
MOST_DECISIONS: Final = 100  # workloads that a page tells of; the rest are counted
_MOST_BERTHS: Final = 12  # places of one workload, the fullest first


@dataclass(frozen=True, slots=True)
class Berth:
    """Replicas of one workload at one site in one form; site None: nowhere."""

    site: str | None
    tier: Tier | None
    quantisation: str | None
    replicas: int
    cost_per_hour: float | None  # of all of them
    machines: Machines


@dataclass(frozen=True, slots=True)
class Work:
    """All replicas of one workload, summed up."""

    name: str
    placements: tuple[Placement, ...]
    placed: int
    sites: int
    cost_per_hour: float | None  # of the placed ones; None as soon as one is unknown
    latency_p99_ms: float | None  # the worst; None as soon as one is unknown

    @property
    def replicas(self) -> int:
        """How many there are."""
        return len(self.placements)

    @property
    def homeless(self) -> int:
        """How many have no site."""
        return self.replicas - self.placed


@dataclass(frozen=True, slots=True)
class Decision:
    """One workload of a plan; `placement` is the replica that is spelt out: one without a site, if there is any."""

    anchor: str  # fragment identifier: a number, since names may hold any character
    work: Work
    placement: Placement
    berths: tuple[Berth, ...]
    more_berths: int
    quantisations: tuple[str, ...]
    latency_sources: tuple[str, ...]
    eliminated: tuple[tuple[Dimension, int], ...]  # sites by the first dimension that eliminated them
    remaining: int  # sites that passed all dimensions, the chosen one included
    funnel: Markup
    misses: Misses


@dataclass(frozen=True, slots=True)
class Rest:
    """The workloads that a page only counts."""

    workloads: int
    replicas: int
    cost_per_hour: float | None
    tiers: tuple[tuple[Tier, int], ...]  # replicas
    decided: tuple[tuple[Dimension, int], ...]  # workloads


@dataclass(frozen=True, slots=True)
class Decisions:
    """The workloads that a page tells of, in the plan's order, or where it cannot tell of all, by weight."""

    shown: tuple[Decision, ...]
    rest: Rest | None


def works(plan: Plan) -> tuple[Work, ...]:
    """Return every workload of a plan with its replicas, in the plan's order."""
    found: dict[str, list[Placement]] = {}
    for placement in plan.placements:
        found.setdefault(placement.workload, []).append(placement)
    return tuple(_work(name, tuple(replicas)) for name, replicas in found.items())


def decisions(plan: Plan, every: Sequence[Work], most: int = MOST_DECISIONS) -> Decisions:
    """Return the decisions on the weightiest of `every` workload: without a site first, then unpriced, then dearest."""
    if len(every) <= most:
        chosen, rest = tuple(every), None
    else:
        ranked = sorted(every, key=weight)
        chosen, rest = tuple(ranked[:most]), _rest(ranked[most:])
    return Decisions(tuple(decision(f"w{index}", work, plan.sites) for index, work in enumerate(chosen, 1)), rest)


def weight(work: Work) -> tuple[bool, bool, float, str]:
    """Return a key that puts first what a reader must not miss."""
    cost = work.cost_per_hour
    return work.homeless == 0, cost is not None, -(cost or 0.0), work.name


def decision(anchor: str, work: Work, sites: tuple[PlannedSite, ...]) -> Decision:
    """Return everything that a page tells of one workload."""
    placement = next((each for each in work.placements if each.site is None), work.placements[0])
    eliminated = tuple((dimension, placement.eliminated.get(dimension, 0)) for dimension in ELIMINATING)
    remaining = max(0, len(sites) - sum(number for _, number in eliminated))
    berths = _berths(work.placements)
    return Decision(
        anchor,
        work,
        placement,
        berths[:_MOST_BERTHS],
        max(0, len(berths) - _MOST_BERTHS),
        _distinct(each.quantisation for each in work.placements),
        _distinct(each.latency_source for each in work.placements),
        eliminated,
        remaining,
        _funnel(eliminated, remaining, len(sites)),
        grouped(placement.rejections),
    )


def total(costs: Iterable[float | None]) -> float | None:
    """Return the sum of costs; None as soon as one of them is unknown."""
    found = list(costs)
    known = [cost for cost in found if cost is not None]
    return round(math.fsum(known), 9) if len(known) == len(found) else None


def _work(name: str, placements: tuple[Placement, ...]) -> Work:
    placed = [each for each in placements if each.site is not None]
    latencies = [each.latency_p99_ms for each in placed]
    known = [latency for latency in latencies if latency is not None]
    return Work(
        name,
        placements,
        len(placed),
        len({each.site for each in placed}),
        total(each.cost_per_hour for each in placed),
        max(known) if known and len(known) == len(latencies) else None,
    )


def _rest(left: Sequence[Work]) -> Rest:
    placements = [each for work in left for each in work.placements]
    tiers = Counter(each.tier for each in placements if each.tier is not None)
    decided = Counter(work.placements[0].decided_by for work in left)
    return Rest(
        len(left),
        len(placements),
        total(each.cost_per_hour for each in placements if each.site is not None),
        tuple(sorted(tiers.items(), key=lambda item: (-item[1], item[0]))),
        tuple((dimension, decided[dimension]) for dimension in Dimension if decided[dimension]),
    )


def _berths(placements: Sequence[Placement]) -> tuple[Berth, ...]:
    """Return where replicas are, those that are nowhere first, then the fullest sites."""
    groups: dict[tuple[str, str], list[Placement]] = {}
    for each in placements:
        groups.setdefault((each.site or "", each.quantisation or ""), []).append(each)
    found = (
        Berth(
            alike[0].site,
            alike[0].tier,
            alike[0].quantisation,
            len(alike),
            total(each.cost_per_hour for each in alike) if alike[0].site else None,
            machines(alike),
        )
        for alike in groups.values()
    )
    return tuple(sorted(found, key=lambda berth: (berth.site is not None, -berth.replicas, berth.site or "")))


def _distinct(names: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({name for name in names if name}))


def _funnel(eliminated: Sequence[tuple[Dimension, int]], remaining: int, sites: int) -> Markup:
    segments = [
        Segment(f"{dimension}: {plural(number, 'site')}", number, f"d-{dimension}") for dimension, number in eliminated
    ]
    segments.append(Segment(f"remaining: {plural(remaining, 'site')}", remaining, "d-remaining"))
    told = ", ".join(f"{dimension} eliminates {number}" for dimension, number in eliminated if number)
    described = f"Of {plural(sites, 'site')}: {told or 'none eliminated'}; {remaining} remain"
    return bar(segments, sites, described, least=SLIVER)
