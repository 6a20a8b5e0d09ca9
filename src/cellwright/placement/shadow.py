"""Which constraint costs most money: what the plan would save if that one alone were lifted.

The price of a constraint (its shadow price) is a first-order estimate: for every replica, what it costs less at the
cheapest site that nothing but this constraint stands against, summed over all replicas. It leaves out that the cheaper
site may fill up, and that a callee may follow. `verify` lifts the constraint with the smallest changes that the filters
know, plans again and says what that really saves.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.placement.admitting import relaxed
from cellwright.placement.cohorts import cohorts
from cellwright.placement.plan import Dimension
from cellwright.placement.planning import plan as plan_again
from cellwright.placement.screening import site_prices
from cellwright.placement.terrain import UNKNOWN_COST, Case, Terrain
from cellwright.placement.wording import counted, listing, money

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import TypeAlias

    from numpy.typing import NDArray

    from cellwright.estate.model import Estate
    from cellwright.placement.changes import Change
    from cellwright.placement.cohorts import Cohort
    from cellwright.placement.plan import Finding, Placement, Plan, Violation

    Sites: TypeAlias = NDArray[np.bool_]

_DIGITS: Final = 9


@dataclass(frozen=True, slots=True, order=True)
class Constraint:
    """One constraint, whomever it holds for.

    `subject` is the dataset, skill or resource it is about; of a latency limit or an affinity, the workload it is of.
    """

    dimension: Dimension
    code: str
    subject: str
    source: str


@dataclass(frozen=True, slots=True)
class _Way:
    """Replicas that would move if a constraint were lifted."""

    placement: Placement
    count: int
    site: int
    violation: Violation


@dataclass(frozen=True, slots=True)
class ShadowPrice:
    """What one constraint costs."""

    constraint: Constraint
    saving_per_hour: float  # an estimate
    currency: str
    movers: int  # replicas that would be cheaper elsewhere
    rescued: int  # replicas without a site that would have one
    workloads: tuple[str, ...]  # whose they are, by name
    to: str  # where most of them would go
    ways: tuple[_Way, ...] = field(default=(), repr=False, compare=False)

    def sentence(self) -> str:
        """Return what it costs in words."""
        what = f"{self.constraint.code} of {self.constraint.subject} ({self.constraint.source})"
        who = f"of {listing(self.workloads)}"
        parts = []
        if self.movers:
            cheaper = f"{counted(self.movers, 'replicas')} {who} would move, most to {self.to}"
            parts.append(f"costs {money(self.saving_per_hour, self.currency)}: without it {cheaper}")
        if self.rescued:
            parts.append(f"keeps {counted(self.rescued, 'replicas')} {who} from having any site")
        return f"{what} {' and '.join(parts)} (estimate)"


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of lifting a constraint and planning again."""

    changes: tuple[Change, ...]
    saving_per_hour: float | None  # of the replicas that have a site before and after; None: a cost is unknown
    placed: int  # replicas that have a site now and had none, less those that lost theirs
    plan: Plan = field(repr=False)

    def sentence(self, currency: str) -> str:
        """Return what it saves in words."""
        rescued = f", and {counted(self.placed, 'replicas')} more would have a site" if self.placed else ""
        steps = "; ".join(change.text for change in self.changes) or "no change is known that would lift it"
        return f"planned again, it saves {money(self.saving_per_hour, currency)}{rescued}: {steps}"


def shadow_prices(estate: Estate, plan: Plan, top: int = 5) -> tuple[ShadowPrice, ...]:
    """Return the `top` constraints that cost most, the dearest first, then those that keep most replicas homeless."""
    terrain = Terrain(estate)
    found: dict[Constraint, list[tuple[float | None, _Way]]] = {}
    for cohort, placement, count in _alike(estate, plan):
        for constraint, saving, way in _ways(terrain, cohort, placement, count):
            found.setdefault(constraint, []).append((saving, way))
    priced = (_priced(plan, terrain, constraint, ways) for constraint, ways in found.items())
    ranked = sorted(priced, key=lambda each: (-each.saving_per_hour, -each.rescued, each.constraint))
    return tuple(ranked[:top])


def verify(estate: Estate, plan: Plan, price: ShadowPrice) -> Verified:
    """Return what `plan` really saves when a constraint is lifted for all that it costs money."""
    terrain, changes = Terrain(estate), dict[str, "Change"]()
    by_name = {(cohort.name, number): cohort for cohort in cohorts(estate) for number in cohort.replicas}
    for way in price.ways:
        cohort = by_name[way.placement.workload, way.placement.replica]
        case = _case(terrain, cohort, way.placement)
        change = relaxed(case, terrain.sites[way.site], way.violation)
        if change is not None:
            changes.setdefault(change.text, change)
    changed = estate
    for change in changes.values():
        changed = change.apply(changed)
    again = plan_again(changed) if changes else plan
    before, after = _costs(plan), _costs(again)
    saved = [(before[replica], after[replica]) for replica in before.keys() & after.keys()]
    known = [was - now for was, now in saved if was is not None and now is not None]
    saving = round(math.fsum(known), _DIGITS) if len(known) == len(saved) else None
    return Verified(tuple(changes.values()), saving, len(after) - len(before), again)


def _alike(estate: Estate, plan: Plan) -> Iterator[tuple[Cohort, Placement, int]]:
    """Yield replicas of a cohort that are at the same site at the same price: the first of them, and how many."""
    for cohort in cohorts(estate):
        counts: Counter[tuple[object, ...]] = Counter()
        first: dict[tuple[object, ...], Placement] = {}
        for placement in plan.placements_of(cohort.name):
            if placement.replica in cohort.replicas:
                key = placement.site, placement.cost_per_hour, id(placement.rejections)
                counts[key] += 1
                first.setdefault(key, placement)
        yield from ((cohort, first[key], count) for key, count in counts.items())


def _ways(
    terrain: Terrain, cohort: Cohort, placement: Placement, count: int
) -> Iterator[tuple[Constraint, float | None, _Way]]:
    """Yield each constraint that alone keeps some replicas from a cheaper site, what that saves and the site."""
    if placement.site is not None and placement.cost_per_hour is None:
        return  # nothing is cheaper than the unknown
    limit = placement.cost_per_hour if placement.cost_per_hour is not None else np.inf
    forms = terrain.variants(cohort.workload)
    prices = np.min([site_prices(_case(terrain, cohort, placement, form)) for form in range(len(forms))], axis=0)
    against = _against(placement)
    total = sum((at.astype(np.int64) for at, _ in against.values()), np.zeros(len(prices), dtype=np.int64))
    known = np.where((prices < UNKNOWN_COST) & (total == 1), prices, np.inf)
    for constraint, (at, findings) in against.items():
        cheaper = np.where(at, known, np.inf)
        site = int(cheaper.argmin())
        if cheaper[site] < limit:
            violation = next(each for each in findings if each.at[site]).violation(site, terrain.names[site])
            saving = None if placement.site is None else limit - float(cheaper[site])
            yield constraint, saving, _Way(placement, count, site, violation)


def _against(placement: Placement) -> Mapping[Constraint, tuple[Sites, list[Finding]]]:
    """Return by constraint the sites that it stands against, (n_sites,) bool, and its findings."""
    found: dict[Constraint, tuple[Sites, list[Finding]]] = {}
    for each in placement.rejections.findings:
        if each.dimension is Dimension.COST:
            continue
        constraint = _constraint(each, placement.workload)
        at, findings = found.get(constraint, (np.zeros_like(each.at), []))
        found[constraint] = at | each.at, [*findings, each]
    return found


def _constraint(found: Finding, workload: str) -> Constraint:
    """Return what a finding is of; limits and wishes of a workload are its own, whoever its users are."""
    if found.dimension in {Dimension.LATENCY, Dimension.AFFINITY}:
        return Constraint(found.dimension, found.code, workload, found.source)
    return Constraint(found.dimension, found.code, found.subject, found.source)


def _case(terrain: Terrain, cohort: Cohort, placement: Placement, form: int | None = None) -> Case:
    """Return the case of a placement, in its form or another one."""
    forms = terrain.variants(cohort.workload)
    own = next((each for each in forms if each.quantisation == placement.quantisation), forms[0])
    callees = {callee: site for callee, site, _ in placement.calls}
    return Case(terrain, cohort.workload, callees, own if form is None else forms[form])


def _priced(
    plan: Plan, terrain: Terrain, constraint: Constraint, found: Iterable[tuple[float | None, _Way]]
) -> ShadowPrice:
    """Return what a constraint costs all replicas together."""
    ways = list(found)
    towards: Counter[int] = Counter()
    for _, way in ways:
        towards[way.site] += way.count
    most = min(towards, key=lambda site: (-towards[site], site))
    return ShadowPrice(
        constraint,
        round(sum(saving * way.count for saving, way in ways if saving is not None), _DIGITS),
        plan.currency,
        sum(way.count for saving, way in ways if saving is not None),
        sum(way.count for saving, way in ways if saving is None),
        tuple(sorted({way.placement.workload for _, way in ways})),
        terrain.names[most],
        tuple(way for _, way in ways),
    )


def _costs(plan: Plan) -> Mapping[tuple[str, int], float | None]:
    """Return what each replica that has a site costs per hour."""
    placed = (placement for placement in plan.placements if placement.site is not None)
    return {(placement.workload, placement.replica): placement.cost_per_hour for placement in placed}
