"""A plan beside the two simple designs: everything in the cloud, everything at the edge.

*All-cloud*: every replica at the site of tier `region` that is cheapest for it. *All-edge*: every replica at the site
of tier `far_edge`, `onprem` or `metro` that is nearest to its users by P99. Both take a site only where a machine could
hold the replica, in its cheapest form, and heed nothing else: no regulation, no limit, no pin to a site, no room that
others take. Such a design could hardly be cheaper, or nearer, in earnest; what it breaks is counted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.estate.model import Tier
from cellwright.placement.cohorts import cohorts, stages
from cellwright.placement.energy import Tally, drawn_kwh, node_of, tally
from cellwright.placement.filters import standing_findings
from cellwright.placement.filters.latency import round_trip_ms
from cellwright.placement.plan import Dimension
from cellwright.placement.screening import arrivals, rack_prices, site_prices
from cellwright.placement.terrain import UNKNOWN_COST, Case, Terrain
from cellwright.placement.wording import number, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import TypeAlias

    from numpy.typing import NDArray

    from cellwright.estate.model import Estate, Node
    from cellwright.placement.cohorts import Cohort
    from cellwright.placement.plan import Placement, Plan

    Figures: TypeAlias = NDArray[np.float64]
    _Rank: TypeAlias = Callable[[Cohort, Figures], Figures]  # of sites by what they cost, the best least

EDGE: Final = frozenset({Tier.FAR_EDGE, Tier.ONPREM, Tier.METRO})


class Design(StrEnum):
    """Ways to place the same workloads."""

    PLAN = "plan"
    ALL_CLOUD = "all-cloud"
    ALL_EDGE = "all-edge"


@dataclass(frozen=True, slots=True)
class Column:
    """What one design means; every replica that has a machine counts."""

    design: Design
    replicas: int
    nowhere: int  # of these: no site of the design's has a machine for them, or the plan found no room
    median_p99_ms: float | None  # round trip of the users, network and service
    worst_p99_ms: float | None
    unreachable: int  # replicas that their users cannot reach
    late: int  # latency limits missed, of users and of calls; being out of reach is one
    backhaul_gb_per_h: float  # datasets and answers that cross from site to site
    unlawful: int  # rules broken: each replica counts once for each regulation and dataset, reviews not made included
    other_violations: int  # data that is bound or comes too late, skills and on-call cover that are missing
    energy: Tally  # kWh in an hour
    cost: Tally  # per hour


@dataclass(frozen=True, slots=True)
class Comparison:
    """One column a design."""

    currency: str
    plan: Column
    all_cloud: Column
    all_edge: Column

    @property
    def columns(self) -> tuple[Column, Column, Column]:
        """The columns in the order in which they are shown."""
        return self.plan, self.all_cloud, self.all_edge

    def rows(self) -> tuple[tuple[str, str, str, str], ...]:
        """Return a table: what is measured, then its value for the plan, all-cloud and all-edge."""
        told = [dict(_told(column, self.currency)) for column in self.columns]
        plan, cloud, edge = told
        return tuple((label, value, cloud[label], edge[label]) for label, value in plan.items())

    def sentences(self) -> tuple[str, ...]:
        """Return what the plan gains, in words."""
        return tuple(_sentences(self))


@dataclass(frozen=True, slots=True)
class _Berth:
    """Replicas of a cohort that are at one site on one kind of machine."""

    case: Case
    count: int
    site: int | None
    node: Node | None
    cost_per_hour: float | None


def compare(estate: Estate, plan: Plan) -> Comparison:
    """Return `plan`, which was made from `estate`, beside all-cloud and all-edge."""
    terrain = Terrain(estate)
    everybody = cohorts(estate)
    terrain.reach.prepare(
        {cohort.workload.latency.users for cohort in everybody},
        {estate.datasets[use.dataset].home for cohort in everybody for use in cohort.workload.consumes},
    )
    cloud, edge = _sites_of(terrain, {Tier.REGION}), _sites_of(terrain, EDGE)

    def cheapest(_: Cohort, prices: Figures) -> Figures:
        return np.where(cloud, prices, np.inf)

    def nearest(cohort: Cohort, prices: Figures) -> Figures:
        return np.where(edge & np.isfinite(prices), terrain.reach.delays_ms(cohort.workload.latency.users)[1], np.inf)

    return Comparison(
        terrain.currency,
        _column(Design.PLAN, _planned(terrain, everybody, plan)),
        _column(Design.ALL_CLOUD, _designed(terrain, everybody, cheapest)),
        _column(Design.ALL_EDGE, _designed(terrain, everybody, nearest)),
    )


def _sites_of(terrain: Terrain, tiers: Iterable[Tier]) -> NDArray[np.bool_]:
    """Return which sites are of some tiers, (n_sites,) bool."""
    return np.array([site.tier in tiers for site in terrain.sites], dtype=np.bool_)


def _first(figures: Figures) -> int | None:
    """Return where the least figure is, the first of several; None where none is finite."""
    least = int(figures.argmin()) if figures.size else 0
    return least if figures.size and np.isfinite(figures[least]) else None


def _designed(terrain: Terrain, everybody: Iterable[Cohort], rank: _Rank) -> Iterator[_Berth]:
    """Yield where a design puts each cohort, callees before their callers."""
    found: dict[str, set[int]] = {}
    order = {name: rank for rank, stage in enumerate(stages(terrain.estate)) for name in stage}
    for cohort in sorted(everybody, key=lambda each: (order[each.name], each.name, each.first)):
        callees = {
            call.workload: _callee(terrain, cohort, found.get(call.workload, set())) for call in cohort.workload.calls
        }
        forms = [Case(terrain, cohort.workload, callees, form) for form in terrain.variants(cohort.workload)]
        priced = np.array([site_prices(case) for case in forms])
        site = _first(rank(cohort, priced.min(axis=0)))
        found.setdefault(cohort.name, set()).update(() if site is None else (site,))
        if site is None:
            yield _Berth(forms[0], cohort.count, None, None, None)
            continue
        case = forms[int(priced[:, site].argmin())]
        racks = rack_prices(case, site)
        rack = int(racks.argmin())
        cost = float(racks[rack])
        node = terrain.sites[site].nodes[rack]
        yield _Berth(case, cohort.count, site, node, cost if cost < UNKNOWN_COST else None)


def _callee(terrain: Terrain, cohort: Cohort, sites: set[int]) -> str | None:
    """Return the site of the replica of a called workload that is nearest to the users, then first by name."""
    _, p99 = terrain.reach.delays_ms(cohort.workload.latency.users)
    nearest = min(sites, key=lambda site: (float(p99[site]), site), default=None)
    return None if nearest is None else terrain.names[nearest]


def _planned(terrain: Terrain, everybody: Iterable[Cohort], plan: Plan) -> Iterator[_Berth]:
    """Yield where the plan has the replicas of each cohort."""
    for cohort in everybody:
        alike: Counter[tuple[object, ...]] = Counter()
        first: dict[tuple[object, ...], Placement] = {}
        for placement in plan.placements_of(cohort.name):
            if placement.replica in cohort.replicas:
                node = (placement.node or "").partition("#")[0]
                key: tuple[object, ...] = (placement.site, node, placement.quantisation, placement.calls)
                alike[key] += 1
                first.setdefault(key, placement)
        for key, count in alike.items():
            yield _berth(terrain, cohort, first[key], count)


def _berth(terrain: Terrain, cohort: Cohort, placement: Placement, count: int) -> _Berth:
    """Return the replicas that are where one placement is."""
    forms = terrain.variants(cohort.workload)
    form = next((each for each in forms if each.quantisation == placement.quantisation), forms[0])
    case = Case(terrain, cohort.workload, _called(placement.calls), form)
    if placement.site is None or placement.node is None:
        return _Berth(case, count, None, None, None)
    site = terrain.index[placement.site]
    return _Berth(case, count, site, node_of(terrain.sites[site], placement.node), placement.cost_per_hour)


def _called(calls: Iterable[tuple[str, str | None, Tier | None]]) -> Mapping[str, str | None]:
    return {callee: site for callee, site, _ in calls}


def _column(design: Design, berths: Iterable[_Berth]) -> Column:
    """Return what a design means."""
    everybody = list(berths)
    placed = [(each, each.site, each.node) for each in everybody if each.site is not None and each.node is not None]
    replicas, counts = sum(each.count for each in everybody), [each.count for each, *_ in placed]
    p99 = [_p99(each.case, site) for each, site, _ in placed]
    found = [Counter(_violated(each.case, site)) for each, site, _ in placed]
    known = np.array(
        [value for value, count in zip(p99, counts, strict=True) if value is not None for _ in range(count)]
    )

    def broken(*dimensions: Dimension) -> int:
        return sum(each[which] * count for each, count in zip(found, counts, strict=True) for which in dimensions)

    return Column(
        design=design,
        replicas=replicas,
        nowhere=replicas - sum(counts),
        median_p99_ms=float(np.median(known)) if known.size else None,
        worst_p99_ms=float(known.max()) if known.size else None,
        unreachable=sum(count for value, count in zip(p99, counts, strict=True) if value is None),
        late=broken(Dimension.LATENCY),
        backhaul_gb_per_h=tally((_backhaul(each.case, site), each.count) for each, site, _ in placed).known,
        unlawful=broken(Dimension.SOVEREIGNTY),
        other_violations=broken(*(set(Dimension) - {Dimension.LATENCY, Dimension.SOVEREIGNTY})),
        energy=tally((_drawn(each.case, site, node), each.count) for each, site, node in placed),
        cost=tally((each.cost_per_hour, each.count) for each, *_ in placed),
    )


def _p99(case: Case, site: int) -> float | None:
    return round_trip_ms(case.seen(scope=slice(site, site + 1)), 0)[1]


def _violated(case: Case, site: int) -> Iterator[Dimension]:
    """Yield the dimension of everything that stands against a site, wherever other replicas are."""
    return (found.dimension for found in standing_findings(case) if found.at[site])


def _backhaul(case: Case, site: int) -> float:
    return sum(each.rate_gb_per_h for each in arrivals(case, case.terrain.sites[site]))


def _drawn(case: Case, site: int, node: Node) -> float | None:
    return drawn_kwh(case.terrain.sites[site], node, case.workload, case.variant.shape.demand)


def _told(column: Column, currency: str) -> Iterator[tuple[str, str]]:
    """Yield what is measured and its value."""
    yield "median P99 round trip", _spelt(column.median_p99_ms)
    yield "worst P99 round trip", _spelt(column.worst_p99_ms)
    yield "latency limits missed", str(column.late)
    yield "backhaul", f"{number(column.backhaul_gb_per_h)} GB/h"
    yield "sovereignty rules broken", str(column.unlawful)
    yield "other constraints broken", str(column.other_violations)
    yield "energy", column.energy.told("kWh/h")
    yield "cost", column.cost.told(f"{currency}/h")
    yield "replicas without a machine", f"{column.nowhere} of {column.replicas}"


def _spelt(duration_ms: float | None) -> str:
    return "?" if duration_ms is None else span(duration_ms)


def _sentences(found: Comparison) -> Iterator[str]:
    """Yield one sentence a gain, each with all three figures."""
    plan, cloud, edge = found.columns
    unit = f"{found.currency}/h"

    def each(figure: Callable[[Column], str]) -> str:
        return f"{figure(plan)} as planned, {figure(cloud)} all-cloud, {figure(edge)} all-edge"

    yield (
        "Latency: "
        + each(lambda column: f"P99 {_spelt(column.median_p99_ms)} (median) to {_spelt(column.worst_p99_ms)} (worst)")
        + f"; limits missed: {plan.late}, {cloud.late}, {edge.late}."
    )
    yield "Backhaul: " + each(lambda column: f"{number(column.backhaul_gb_per_h)} GB/h") + "."
    yield "Sovereignty: rules broken: " + each(lambda column: str(column.unlawful)) + "."
    yield "Energy: " + each(lambda column: column.energy.told("kWh/h")) + "."
    yield "Cost: " + each(lambda column: column.cost.told(unit)) + "."
    if plan.nowhere or cloud.nowhere or edge.nowhere:
        without = each(lambda column: str(column.nowhere))
        yield f"Without a machine, and so in no other figure: {without}, of {plan.replicas}."
    if plan.other_violations or cloud.other_violations or edge.other_violations:
        yield (
            "Data that cannot come, skills and cover that are missing: "
            + each(lambda column: str(column.other_violations))
            + "."
        )
