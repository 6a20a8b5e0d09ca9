"""Infeasible estates: which constraints together leave a workload without a site, and the cheapest way out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.placement.admitting import admit
from cellwright.placement.judging import Bench
from cellwright.placement.plan import Dimension
from cellwright.placement.planning import plan as plan_again
from cellwright.placement.terrain import Terrain
from cellwright.placement.wording import counted, listing, money, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from cellwright.estate.model import Estate
    from cellwright.placement.admitting import Admission
    from cellwright.placement.changes import Change
    from cellwright.placement.plan import Finding, Placement, Plan

_MOST_SITES: Final = 6  # nearest misses for which a way out is sought
_MOST_ROUNDS: Final = 4  # replicas of one workload that are led out one after another
_MOST_WAYS: Final = 12  # conflicts for which a way out is sought: each is planned again


@dataclass(frozen=True, slots=True)
class Barrier:
    """One constraint that keeps a workload away from some sites."""

    dimension: Dimension
    code: str
    subject: str
    limit: float | str | None
    unit: str
    source: str
    sites: int  # that it stands against
    alone: int  # that nothing else of the conflict stands against

    def __str__(self) -> str:
        limit = f" ({self._limit()})" if self.limit is not None else ""
        return f"{self.code} of {self.subject}{limit} at {counted(self.sites, 'sites')}"

    def _limit(self) -> str:
        return self.limit if isinstance(self.limit, str) else f"{number(self.limit)} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class WayOut:
    """Changes that give replicas a site, tried out by planning again while everybody else stays."""

    changes: tuple[Change, ...]
    sites: tuple[str, ...]  # where the replicas then go
    cost_per_hour: float | None  # of these replicas; None: unknown
    complete: bool  # all of them have a site then


@dataclass(frozen=True, slots=True)
class Conflict:
    """Constraints that together leave replicas of a workload without a site.

    Every site is ruled out by one of `barriers`, and none of them can be spared: without it some site would be free.
    """

    workload: str
    replicas: tuple[int, ...]  # those without a site for that reason
    total: int  # replicas of the workload
    barriers: tuple[Barrier, ...]
    currency: str
    way_out: WayOut | None  # None: not sought or none is known

    @property
    def sentence(self) -> str:
        """What is in conflict and the cheapest way out, in words."""
        who = self.workload if self.total == 1 else f"{self.workload} ({len(self.replicas)} of {self.total} replicas)"
        return f"{who} has no site: {self._why()}; {self._how()}"

    def _why(self) -> str:
        if len(self.barriers) == 1:
            return f"{self.barriers[0]} rules out every site"
        parts = ", ".join(str(each) for each in self.barriers)
        return f"every site is ruled out by one of these, and each is needed for that: {parts}"

    def _how(self) -> str:
        way = self.way_out
        if way is None:
            return "no way out was sought or none is known"
        steps = "; ".join(change.text for change in way.changes)
        price = f"at {listing(way.sites)} for {money(way.cost_per_hour, self.currency)}"
        if not way.complete:
            return f"a first step, planned again and not enough for all: {steps}"
        return f"the cheapest way out, planned again, is {price}: {steps}"


def conflicts(estate: Estate, plan: Plan) -> tuple[Conflict, ...]:
    """Return what keeps each workload without a site from having one, by workload; () where the plan is feasible.

    Ways out are sought for the first dozen, since each is tried out by planning again.
    """
    groups: dict[tuple[str, tuple[Barrier, ...]], list[Placement]] = {}
    for placement in plan.placements:
        if placement.site is None:
            groups.setdefault((placement.workload, barriers(placement)), []).append(placement)
    return tuple(
        Conflict(
            workload=name,
            replicas=tuple(each.replica for each in homeless),
            total=homeless[0].replicas,
            barriers=against,
            currency=plan.currency,
            way_out=_way_out(estate, plan, homeless) if place < _MOST_WAYS else None,
        )
        for place, ((name, against), homeless) in enumerate(groups.items())
    )


def barriers(placement: Placement) -> tuple[Barrier, ...]:
    """Return an irreducible set of constraints that rules out every site; () where some site is not ruled out.

    Found by leaving out constraints one by one as long as every site stays ruled out (a minimal unsatisfiable subset by
    deletion), those that stand against the fewest sites first.
    """
    found = _by_constraint(placement.rejections.findings)
    if not found or not np.logical_or.reduce([at for _, at in found]).all():
        return ()
    kept = list(found)
    for each in sorted(found, key=lambda pair: (int(pair[1].sum()), pair[0].code, pair[0].subject)):
        fewer = [other for other in kept if other is not each]
        if fewer and np.logical_or.reduce([at for _, at in fewer]).all():
            kept = fewer
    hits = np.sum([at for _, at in kept], axis=0)
    return tuple(_barrier(finding, at, int((at & (hits == 1)).sum())) for finding, at in kept)


def _by_constraint(findings: Iterable[Finding]) -> list[tuple[Finding, NDArray[np.bool_]]]:
    """Return each constraint once, with all sites that it stands against in whatever form of the workload."""
    found: dict[tuple[str, str, str], tuple[Finding, NDArray[np.bool_]]] = {}
    for each in findings:
        if each.dimension is not Dimension.COST:
            key = each.code, each.subject, each.source
            first, at = found.get(key, (each, each.at))
            found[key] = first, at | each.at
    return list(found.values())


def _barrier(found: Finding, at: NDArray[np.bool_], alone: int) -> Barrier:
    return Barrier(
        found.dimension, found.code, found.subject, found.limit, found.unit, found.source, int(at.sum()), alone
    )


def _way_out(estate: Estate, plan: Plan, homeless: Sequence[Placement]) -> WayOut | None:
    """Return the changes that give each of some replicas a site, one replica after another."""
    replicas, name = {each.replica for each in homeless}, homeless[0].workload
    changes: list[Change] = []
    left, again = list(homeless), plan
    for _ in range(_MOST_ROUNDS):
        step = _next_step(Terrain(estate), again, left[0])
        if step is None:
            break
        changes += step.changes
        estate = step.terrain.estate
        again = plan_again(estate, again)
        before = len(left)
        left = [each for each in again.placements_of(name) if each.replica in replicas and each.site is None]
        if not left or len(left) == before:
            break
    if not changes:
        return None
    rescued = [each for each in again.placements_of(name) if each.replica in replicas and each.site is not None]
    costs = [each.cost_per_hour for each in rescued]
    known = [cost for cost in costs if cost is not None]
    total = round(sum(known), 9) if len(known) == len(costs) else None
    sites = tuple(sorted({each.site for each in rescued if each.site is not None}))
    return WayOut(tuple(changes), sites, total, complete=not left and bool(rescued))


def _next_step(terrain: Terrain, plan: Plan, placement: Placement) -> Admission | None:
    """Return the admission to one of the nearest misses that takes the fewest changes, then costs least."""
    bench = Bench(terrain, plan, placement)
    admissions = (
        admit(terrain, plan, placement, found)
        for site in _nearest(placement)
        if (found := bench.judge(terrain.names[site])).violations
    )
    ranked = (
        (
            (
                len(each.changes),
                each.after.cost_per_hour is None,
                each.after.cost_per_hour or 0.0,
                each.after.site.name,
            ),
            each,
        )
        for each in admissions
        if each.admitted
    )
    return min(ranked, key=lambda pair: pair[0], default=(None, None))[1]


def _nearest(placement: Placement) -> Iterator[int]:
    """Yield the sites against which least stands, of those that are alike in this the first by name."""
    findings = [each for each in placement.rejections.findings if each.dimension is not Dimension.COST]
    count = np.zeros(len(placement.rejections.sites), dtype=np.int64)
    for each in findings:
        count += each.at
    yield from np.argsort(count, kind="stable")[:_MOST_SITES].tolist()
