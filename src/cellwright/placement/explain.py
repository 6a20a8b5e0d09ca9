"""Why a workload is where it is, and what would have to change for it to be elsewhere; every change is tried out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cellwright.errors import CellwrightError, UsageError, nearest
from cellwright.estate.identity import fingerprint
from cellwright.estate.model import ComputePrices
from cellwright.placement import capacity
from cellwright.placement.changes import Change, with_price_book
from cellwright.placement.decide import Assessment, Step, assess, assess_site, decide
from cellwright.placement.filters import registered_filters
from cellwright.placement.occupancy import Occupancy
from cellwright.placement.plan import Dimension
from cellwright.placement.screening import screen
from cellwright.placement.terrain import Case, Terrain
from cellwright.placement.wording import listing, money, number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellwright.estate.model import Estate, Site, Tier
    from cellwright.placement.plan import Placement, Plan, Violation
    from cellwright.placement.screening import Option

_MOST_CHANGES: Final = 100  # far more than a site can violate; a change that lifts nothing ends the search before
_JUST_BELOW: Final = 1 - 1e-6
_DIGITS: Final = 9  # of a cost


@dataclass(frozen=True, slots=True)
class Alternative:
    """A site that would also do, and what it would cost more per hour (None: unknown)."""

    site: str
    tier: Tier
    cost_per_hour: float | None
    difference: float | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one workload is where it is: what each dimension eliminated, and the next best sites."""

    placement: Placement
    currency: str
    steps: tuple[Step, ...]
    alternatives: tuple[Alternative, ...]  # cheapest first


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why one workload is not at one site, and the smallest changes that would admit it there.

    `verified`: with all changes applied and every other workload where it is, the filters hold nothing against the
    site (or, where only the cost stood against it, the site is chosen).
    """

    workload: str
    site: str
    tier: Tier
    chosen: str | None
    violations: tuple[Violation, ...]  # all of them, in order of precedence; empty where only cost decides
    changes: tuple[Change, ...]
    verified: bool
    cost_per_hour: float | None  # at the site, after the changes
    cost_difference: float | None  # above the chosen site; None: unknown
    currency: str


def explain(estate: Estate, plan: Plan, workload: str) -> Explanation:
    """Return why `workload` is where `plan` puts it; raise UsageError for an unknown one."""
    placement = _known(estate, plan, workload)
    case = _case(Terrain(estate), plan, workload)
    assessments = assess(screen(case), _others(estate, plan, workload))
    feasible = ((each, each.option) for each in assessments if each.option and not each.violations)
    ranked = sorted((pair for pair in feasible if pair[0].site.name != placement.site), key=lambda pair: pair[1].rank)
    alternatives = tuple(_alternative(option, placement) for _, option in ranked)
    return Explanation(placement, plan.currency, decide(assessments, plan.currency).steps, alternatives)


def why_not(estate: Estate, plan: Plan, workload: str, site: str) -> WhyNot:
    """Return why `workload` is not at `site` and what would admit it there; raise UsageError for unknown names."""
    placement = _known(estate, plan, workload)
    _known_name("site", site, estate.sites)
    terrain = Terrain(estate)
    found = _judge(terrain, plan, workload, site)
    if placement.site == site:
        return _told(placement, plan, found, (), found)
    if not found.violations:
        return _flip(terrain, placement, plan, found)
    changes, after = _admit(terrain, plan, workload, found)
    return _told(placement, plan, found, changes, after)


def _admit(terrain: Terrain, plan: Plan, workload: str, found: Assessment) -> tuple[tuple[Change, ...], Assessment]:
    """Return one change for each violation in order of precedence, and the assessment once all are applied.

    Each change is looked for in the estate as the changes before it have left it, so they fit together.
    """
    changes: list[Change] = []
    while found.violations and len(changes) < _MOST_CHANGES:
        violation = found.violations[0]
        change = _relax(_case(terrain, plan, workload), found.site, violation)
        if change is None:
            break
        terrain = terrain.changed(change.apply(terrain.estate))
        found = _judge(terrain, plan, workload, found.site.name)
        changes.append(change)
        if violation in found.violations:
            break
    return tuple(changes), found


def _relax(case: Case, site: Site, violation: Violation) -> Change | None:
    """Return what the dimension of a violation knows to lift it with."""
    if violation.dimension is Dimension.CAPACITY:
        return capacity.relax(case, site, violation)
    filters = (each for each in registered_filters() if each.dimension is violation.dimension)
    return next((change for each in filters if (change := each.relax(case, site, violation))), None)


def _judge(terrain: Terrain, plan: Plan, workload: str, site: str) -> Assessment:
    """Return the assessment of one site, all other workloads being where the plan puts them."""
    occupancy = _others(terrain.estate, plan, workload)
    return assess_site(_case(terrain, plan, workload), terrain.estate.sites[site], occupancy)


def _case(terrain: Terrain, plan: Plan, workload: str) -> Case:
    """Return the case of a workload whose callees are where the plan puts them."""
    calls = {call.workload for call in terrain.estate.workloads[workload].calls}
    sites = {each.workload: each.site for each in plan.placements if each.workload in calls}
    return Case(terrain, terrain.estate.workloads[workload], sites)


def _others(estate: Estate, plan: Plan, workload: str) -> Occupancy:
    """Return who is on which machine, without `workload`."""
    occupancy = Occupancy(estate)
    for placement in plan.placements:
        if placement.workload != workload and placement.site and placement.node:
            occupancy.take(estate.workloads[placement.workload], placement.site, placement.node)
    return occupancy


def _flip(terrain: Terrain, placement: Placement, plan: Plan, found: Assessment) -> WhyNot:
    """Return what the site would have to cost to be chosen, tried out with prices that much lower."""
    cost = found.option.cost.per_hour if found.option else None
    change = _cheaper(terrain, found.site, cost, placement.cost_per_hour)
    if change is None:
        return _told(placement, plan, found, (), found)
    after = _judge(terrain.changed(change.apply(terrain.estate)), plan, placement.workload, found.site.name)
    told = _told(placement, plan, found, (change,), after)
    lower = told.cost_per_hour is not None and told.cost_per_hour < (placement.cost_per_hour or 0.0)
    return replace(told, verified=lower, cost_per_hour=cost, cost_difference=_difference(cost, placement))


def _cheaper(terrain: Terrain, site: Site, cost: float | None, limit: float | None) -> Change | None:
    """Return prices at `site` scaled so that it costs just less than `limit`; None where a cost is unknown or zero."""
    prices = terrain.tariff(site).prices
    if not cost or not limit or prices is None:
        return None
    factor = limit / cost * _JUST_BELOW

    def apply(estate: Estate) -> Estate:
        return _repriced(estate, terrain.currency, site, _scaled(prices, site, factor))

    excess = round(cost - limit, _DIGITS)
    text = f"cost at {site.name} lower by more than {money(excess, terrain.currency)}: below {number(limit)}"
    return Change("cost.higher", site.name, cost, limit, f"{terrain.currency}/h", text, apply)


def _scaled(prices: ComputePrices, site: Site, factor: float) -> ComputePrices:
    """Return prices for one site, all times `factor`."""
    return ComputePrices(
        tier=site.tier,
        site=site.name,
        core_hour=prices.core_hour * factor,
        memory_gib_hour=prices.memory_gib_hour * factor,
        gpu_hour={model: price * factor for model, price in prices.gpu_hour.items()},
        ingress_gb=prices.ingress_gb * factor,
    )


def _repriced(estate: Estate, currency: str, site: Site, prices: ComputePrices) -> Estate:
    """Return the estate in which `prices` are the only ones that name the site."""
    books = sorted(name for name, book in estate.price_books.items() if book.currency == currency and book.compute)
    for name in books:
        book = estate.price_books[name]
        kept = tuple(entry for entry in book.compute if entry.site != site.name)
        added = (prices,) if name == books[0] else ()
        estate = with_price_book(estate, replace(book, compute=(*kept, *added)))
    return estate


def _told(
    placement: Placement, plan: Plan, found: Assessment, changes: tuple[Change, ...], after: Assessment
) -> WhyNot:
    """Return the answer about one site: what was found there, and what the changes leave over."""
    cost = after.option.cost.per_hour if after.option and not after.violations else None
    chosen = placement.site == found.site.name
    return WhyNot(
        workload=placement.workload,
        site=found.site.name,
        tier=found.site.tier,
        chosen=placement.site,
        violations=found.violations,
        changes=changes,
        verified=chosen or (bool(changes) and not after.violations),
        cost_per_hour=cost,
        cost_difference=_difference(cost, placement),
        currency=plan.currency,
    )


def _difference(cost: float | None, placement: Placement) -> float | None:
    """Return how much dearer a cost is than that of a placement; None where either is unknown."""
    return None if cost is None or placement.cost_per_hour is None else round(cost - placement.cost_per_hour, _DIGITS)


def _alternative(option: Option, placement: Placement) -> Alternative:
    cost = option.cost.per_hour
    return Alternative(option.site.name, option.site.tier, cost, _difference(cost, placement))


def _known(estate: Estate, plan: Plan, workload: str) -> Placement:
    """Return the placement of `workload`; raise where it is unknown or the plan is that of another estate."""
    _known_name("workload", workload, estate.workloads)
    placement = plan.placement(workload)
    if placement is None or plan.estate_sha256 != fingerprint(estate):
        raise CellwrightError.of(
            "plan-of-another-estate", "the plan was made from another version of this estate", hint="plan it again"
        )
    return placement


def _known_name(kind: str, name: str, names: Iterable[str]) -> None:
    """Raise UsageError with the nearest name where `name` is not among `names`."""
    known = sorted(names)
    if name not in known:
        code, message = f"unknown-{kind}", f"the estate has no {kind} {name!r}"
        raise UsageError.of(code, message, expected=listing(known), hint=nearest(name, known))
