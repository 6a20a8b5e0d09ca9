"""Why a replica is where it is, and what would have to change for it to be elsewhere; every change is tried out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.errors import CellwrightError, UsageError, nearest
from cellwright.estate.identity import fingerprint
from cellwright.placement.admitting import admit, applied
from cellwright.placement.judging import Bench
from cellwright.placement.plan import Dimension
from cellwright.placement.planning import plan as plan_again
from cellwright.placement.reprice import cheaper
from cellwright.placement.terrain import Terrain
from cellwright.placement.wording import listing, money

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cellwright.estate.model import Estate, Tier
    from cellwright.placement.changes import Change
    from cellwright.placement.judging import Judgement
    from cellwright.placement.plan import Placement, Plan, Violation

_DIGITS: Final = 9  # of a cost


@dataclass(frozen=True, slots=True)
class Step:
    """How many sites one dimension eliminates, and how many it leaves."""

    dimension: Dimension
    eliminated: int
    remaining: int


@dataclass(frozen=True, slots=True)
class Alternative:
    """A site that would also do, and what it would cost more per hour (None: unknown)."""

    site: str
    tier: Tier
    cost_per_hour: float | None
    difference: float | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one replica is where it is: what each dimension eliminated, and the next best sites."""

    placement: Placement
    currency: str
    steps: tuple[Step, ...]
    alternatives: tuple[Alternative, ...]  # cheapest first


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why one replica is not at one site, and the smallest changes that would admit it there.

    `verified`: with all changes applied and everybody else where the plan has them, nothing stands against the site any
    more (or, where only the cost stood against it, it costs less there). `chosen_after` is where the changed estate,
    planned afresh, sends the replica: to that site, or still elsewhere though it would be admitted there.
    """

    workload: str  # with "#2" behind it for the second of several replicas
    site: str
    tier: Tier
    chosen: str | None
    violations: tuple[Violation, ...]  # all of them, in order of precedence; empty where only cost decides
    changes: tuple[Change, ...]
    verified: bool
    chosen_after: str | None  # as `chosen` where nothing is changed
    cost_per_hour: float | None  # at the site, after the changes
    cost_difference: float | None  # above the chosen site; None: unknown
    currency: str

    @property
    def outcome(self) -> str:
        """What came of trying the changes out, in words."""
        if self.chosen == self.site:
            return f"{self.workload} is at {self.site}: nothing stands against it"
        if not self.changes:
            return "no change is known that would admit it"
        if not self.verified:
            return "these changes are not enough"
        if self.chosen_after == self.site:
            return f"planned again with that, {self.workload} goes to {self.site}"
        where = f"goes to {self.chosen_after}" if self.chosen_after else "has no site"
        price = money(self.cost_per_hour, self.currency)
        return f"with that {self.site} admits {self.workload} at {price}; planned again, it {where}"


def explain(estate: Estate, plan: Plan, workload: str) -> Explanation:
    """Return why `workload`, or its replica `NAME#2`, is where `plan` puts it; raise UsageError for an unknown one."""
    placement = _known(estate, plan, workload)
    return Explanation(placement, plan.currency, tuple(_steps(placement)), _alternatives(placement))


def why_not(estate: Estate, plan: Plan, workload: str, site: str) -> WhyNot:
    """Return why `workload`, or its replica `NAME#2`, is not at `site` and what would admit it there.

    Raises UsageError for unknown names. Costs as much as planning the changed estate once.
    """
    placement = _known(estate, plan, workload)
    _known_name("site", site, estate.sites)
    terrain = Terrain(estate)
    found = Bench(terrain, plan, placement).judge(site)
    if placement.site == site:
        return replace(_told(placement, plan, replace(found, violations=())), verified=True)
    if not found.violations:
        return _flip(terrain, placement, plan, found)
    made = admit(terrain, plan, placement, found)
    told = replace(
        _told(placement, plan, found),
        changes=made.changes,
        verified=made.admitted,
        chosen_after=_chosen_after(made.terrain.estate, placement) if made.changes else placement.site,
    )
    cost = made.after.cost_per_hour if made.admitted else None
    return replace(told, cost_per_hour=cost, cost_difference=_difference(cost, placement))


def _flip(terrain: Terrain, placement: Placement, plan: Plan, found: Judgement) -> WhyNot:
    """Return what the site would have to cost to be chosen, tried out with prices that much lower."""
    told = _told(placement, plan, found)
    change = cheaper(terrain, found.site, found.cost_per_hour, placement.cost_per_hour)
    if change is None:
        return told
    changed = applied(terrain.estate, [change])
    after = Bench(terrain.changed(changed), plan, placement).judge(found.site.name).cost_per_hour
    lower = after is not None and after < (placement.cost_per_hour or 0.0)
    return replace(told, changes=(change,), verified=lower, chosen_after=_chosen_after(changed, placement))


def _chosen_after(changed: Estate, placement: Placement) -> str | None:
    """Return where a changed estate, planned afresh, sends a replica."""
    again = plan_again(changed).placements_of(placement.workload)
    return next((each.site for each in again if each.replica == placement.replica), None)


def _told(placement: Placement, plan: Plan, found: Judgement) -> WhyNot:
    """Return the answer about one site before anything is changed."""
    return WhyNot(
        workload=placement.label,
        site=found.site.name,
        tier=found.site.tier,
        chosen=placement.site,
        violations=found.violations,
        changes=(),
        verified=False,
        chosen_after=placement.site,
        cost_per_hour=None if found.violations else found.cost_per_hour,
        cost_difference=None if found.violations else _difference(found.cost_per_hour, placement),
        currency=plan.currency,
    )


def _steps(placement: Placement) -> Iterator[Step]:
    """Yield what each dimension leaves over, in order of precedence; cost ranks, it eliminates nothing."""
    left = len(placement.rejections.sites)
    for dimension in Dimension:
        if dimension is not Dimension.COST:
            eliminated = placement.eliminated.get(dimension, 0)
            left -= eliminated
            yield Step(dimension, eliminated, left)


def _alternatives(placement: Placement) -> tuple[Alternative, ...]:
    """Return the sites that nothing but their cost stands against, cheapest first, then by name."""
    told = placement.rejections
    admitted = np.ones(len(told.sites), dtype=np.bool_)
    prices: dict[int, float | None] = {}
    for found in told.findings:
        if found.dimension is Dimension.COST:
            prices |= {site: _number(found.measured_at(site)) for site in np.flatnonzero(found.at).tolist()}
        else:
            admitted &= ~found.at
    ranked = sorted(
        (cost is None, cost or 0.0, told.sites[site].name, site) for site, cost in prices.items() if admitted[site]
    )
    return tuple(
        Alternative(name, told.sites[site].tier, prices[site], _difference(prices[site], placement))
        for *_, name, site in ranked
    )


def _number(measured: float | str | None) -> float | None:
    return measured if isinstance(measured, float) else None


def _difference(cost: float | None, placement: Placement) -> float | None:
    """Return how much dearer a cost is than that of a placement; None where either is unknown."""
    return None if cost is None or placement.cost_per_hour is None else round(cost - placement.cost_per_hour, _DIGITS)


def _known(estate: Estate, plan: Plan, label: str) -> Placement:
    """Return the placement of a workload or replica; raise where it is unknown or the plan is of another estate."""
    name, mark, replica = label.rpartition("#")
    if not mark or label in estate.workloads:
        name, replica = label, ""
    _known_name("workload", name, estate.workloads)
    placed = plan.placements_of(name) if plan.estate_sha256 == fingerprint(estate) else ()
    if not placed:
        raise CellwrightError.of(
            "plan-of-another-estate", "the plan was made from another version of this estate", hint="plan it again"
        )
    if not replica:
        return placed[0]
    _known_name("replica", label, [f"{name}#{each.replica}" for each in placed])
    return next(each for each in placed if replica == str(each.replica))


def _known_name(kind: str, name: str, names: Iterable[str]) -> None:
    """Raise UsageError with the nearest name where `name` is not among `names`."""
    known: Sequence[str] = sorted(names)
    if name not in known:
        code, message = f"unknown-{kind}", f"the estate has no {kind} {name!r}"
        raise UsageError.of(code, message, expected=listing(known), hint=nearest(name, known))
