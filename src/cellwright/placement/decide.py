"""Which dimension decided a placement and why, told from the finished assignment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellwright.placement.capacity import best_fit, quota_violations, taken, too_small
from cellwright.placement.filters import PRECEDENCE, violations_of_law
from cellwright.placement.plan import Dimension, Rejection, Violation
from cellwright.placement.screening import options
from cellwright.placement.wording import money

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwright.estate.model import Site
    from cellwright.placement.occupancy import Occupancy
    from cellwright.placement.screening import Option, Screening
    from cellwright.placement.terrain import Case

ELIMINATORS = PRECEDENCE[:-1]  # cost ranks, it eliminates nothing


@dataclass(frozen=True, slots=True)
class Assessment:
    """One site for one workload, all others being where they are: what it violates and what it would cost."""

    site: Site
    violations: tuple[Violation, ...]  # in order of precedence
    option: Option | None  # the cheapest with room; else the cheapest that could hold it; None: the site cannot

    @property
    def eliminated_by(self) -> Dimension | None:
        """The first dimension that eliminates the site."""
        return self.violations[0].dimension if self.violations else None


@dataclass(frozen=True, slots=True)
class Step:
    """What one dimension leaves over, and the cheapest site of what it leaves."""

    dimension: Dimension
    eliminated: int
    remaining: int
    best: Assessment | None


@dataclass(frozen=True, slots=True)
class Decision:
    """Why a workload is where it is."""

    dimension: Dimension
    because: str
    steps: tuple[Step, ...]


def assess(screening: Screening, occupancy: Occupancy) -> tuple[Assessment, ...]:
    """Return the assessment of every site, by name; `occupancy` must not hold the workload itself."""
    case = screening.case
    offers: dict[str, list[Option]] = {}
    for option in screening.options:
        offers.setdefault(option.site.name, []).append(option)
    return _assess(case, screening.law, offers, case.terrain.sites, occupancy)


def assess_site(case: Case, site: Site, occupancy: Occupancy) -> Assessment:
    """Return the assessment of one site alone."""
    offers = {site.name: options(case, [site])}
    return _assess(case, violations_of_law(case, [site]), offers, [site], occupancy)[0]


def _assess(
    case: Case,
    law: Mapping[str, tuple[Violation, ...]],
    offers: Mapping[str, Sequence[Option]],  # by site, best first
    sites: Sequence[Site],
    occupancy: Occupancy,
) -> tuple[Assessment, ...]:
    quota = quota_violations(occupancy, case)
    lacking = too_small(case, (site for site in sites if not offers.get(site.name)))
    return tuple(
        _with_room(case, site, (*law[site.name], *quota), offers[site.name], occupancy)
        if offers.get(site.name)
        else Assessment(site, (*law[site.name], *quota, *lacking[site.name]), None)
        for site in sites
    )


def _with_room(
    case: Case, site: Site, against: tuple[Violation, ...], offers: Sequence[Option], occupancy: Occupancy
) -> Assessment:
    """Return the assessment of a site that could hold the workload: its best option with room, or who took the room."""
    demand = case.workload.demand
    roomy = next((option for option in offers if best_fit(occupancy, site, option.node, demand)), None)
    if roomy:
        return Assessment(site, against, roomy)
    full = taken(occupancy, demand, site, (option.node for option in offers))
    return Assessment(site, (*against, *full), offers[0])


def decide(assessments: tuple[Assessment, ...], currency: str) -> Decision:
    """Return which dimension decided: the last whose eliminations changed the cheapest site that was left."""
    steps = _steps(assessments)
    if not steps[-1].remaining:
        return Decision(*_nowhere(assessments, steps), steps)
    deciding = None
    before = _best(assessments)
    unconstrained = before
    for step in steps:
        if step.best is not before:
            deciding, unconstrained, before = step, before, step.best
    if deciding is None:
        return Decision(Dimension.COST, _cheapest_of_all(steps[-1], len(assessments), currency), steps)
    return Decision(deciding.dimension, _because(deciding, unconstrained, steps[-1], currency), steps)


def reject(assessment: Assessment, chosen: Option | None, currency: str) -> Rejection:
    """Return why the site of `assessment` was not chosen."""
    site = assessment.site
    if assessment.violations or chosen is None or assessment.option is None:
        return Rejection(site.name, site.tier, assessment.violations)
    return Rejection(site.name, site.tier, (_dearer(assessment.option, chosen, currency),))


def _dearer(option: Option, chosen: Option, currency: str) -> Violation:
    """Return that a feasible site costs more, as much, or nobody knows how much."""
    measured, limit = option.cost.per_hour, chosen.cost.per_hour
    here, there = option.site.name, f"{chosen.site.name} ({money(limit, currency)})"
    if measured is None:
        code, message = "cost.unknown", f"{here} would do, but its cost is unknown; {there} goes before it"
    elif measured == limit:
        code, message = "cost.equal", f"{here} would do and costs the same as {there}, which comes first by name"
    else:
        code, message = "cost.higher", f"{here} would do, but costs {money(measured, currency)}, more than {there}"
    source = option.cost.items[0].source
    return Violation(Dimension.COST, code, here, measured, limit, f"{currency}/h", message, source)


def _nowhere(assessments: tuple[Assessment, ...], steps: tuple[Step, ...]) -> tuple[Dimension, str]:
    """Return the dimension that eliminated the last site, and what was missing at the nearest miss."""
    last = next((step for step in steps if not step.remaining), steps[-1])
    if not assessments:
        return last.dimension, "the estate has no sites"
    counts = ", ".join(f"{step.dimension} {step.eliminated}" for step in steps if step.eliminated)
    nearest = min(assessments, key=lambda each: (len(each.violations), each.site.name))
    reasons = "; ".join(violation.message for violation in nearest.violations)
    return last.dimension, f"no site is left (eliminated: {counts}); nearest miss {nearest.site.name}: {reasons}"


def _cheapest_of_all(last: Step, sites: int, currency: str) -> str:
    """Return the sentence for a site that would be chosen even if nothing were forbidden."""
    gone = sites - last.remaining
    others = f"none of the {gone} eliminated sites would come before it" if gone else "no site was eliminated"
    return f"{_chosen(last, currency)}, and {others}"


def _because(deciding: Step, passed: Assessment | None, last: Step, currency: str) -> str:
    """Return the sentence that names the site which was passed over, and what stood against it."""
    if passed is None:
        return _chosen(last, currency)
    reason = next(each.message for each in passed.violations if each.dimension is deciding.dimension)
    return f"{_priced(passed, currency)} would come first, but {reason}; {_chosen(last, currency)}"


def _chosen(last: Step, currency: str) -> str:
    """Return what distinguishes the chosen site among those that are left."""
    if last.remaining == 1:
        return f"{_priced(last.best, currency)} is the only feasible site"
    return f"{_priced(last.best, currency)} is the cheapest of {last.remaining} feasible sites"


def _priced(assessment: Assessment | None, currency: str) -> str:
    """Return the name of a site and its cost."""
    if assessment is None or assessment.option is None:
        return "?"
    return f"{assessment.site.name} ({money(assessment.option.cost.per_hour, currency)})"


def _steps(assessments: tuple[Assessment, ...]) -> tuple[Step, ...]:
    """Return what each dimension leaves over, in order of precedence."""
    steps = []
    left = assessments
    for dimension in ELIMINATORS:
        kept = tuple(each for each in left if each.eliminated_by is not dimension)
        steps.append(Step(dimension, len(left) - len(kept), len(kept), _best(kept)))
        left = kept
    return tuple(steps)


def _best(assessments: tuple[Assessment, ...]) -> Assessment | None:
    """Return the cheapest site that can hold the workload at all; a site that cannot has no price to win with."""
    able = [(each.option.rank, each) for each in assessments if each.option is not None]
    return min(able, key=lambda pair: pair[0])[1] if able else None
