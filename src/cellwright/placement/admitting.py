"""The smallest set of changes that admits a replica to a site, each tried out before the next is looked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.placement import capacity
from cellwright.placement.filters import registered_filters
from cellwright.placement.judging import Bench
from cellwright.placement.plan import Dimension

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.estate.model import Estate, Site
    from cellwright.placement.changes import Change
    from cellwright.placement.judging import Judgement
    from cellwright.placement.plan import Placement, Plan, Violation
    from cellwright.placement.terrain import Case, Terrain

_MOST_CHANGES: Final = 100  # far more than a site can violate; a change that lifts nothing ends the search before


@dataclass(frozen=True, slots=True, eq=False)
class Admission:
    """Changes, the terrain of the estate that they lead to, and what is found there."""

    changes: tuple[Change, ...]
    terrain: Terrain
    after: Judgement

    @property
    def admitted(self) -> bool:
        """Whether nothing stands against the site any more."""
        return not self.after.violations


def admit(terrain: Terrain, plan: Plan, placement: Placement, found: Judgement) -> Admission:
    """Return the changes that lift all that stands against a site, everybody else staying where the plan has them.

    One change for each violation in order of precedence, each looked for in the estate as those before it have left
    it, so they fit together; what then turns out to be needless is dropped.
    """
    start, changes = terrain, list["Change"]()
    site = found.site.name
    while found.violations and len(changes) < _MOST_CHANGES:
        violation = found.violations[0]
        change = relaxed(found.case, found.site, violation)
        if change is None:
            break
        terrain = terrain.changed(change.apply(terrain.estate))
        found = Bench(terrain, plan, placement).judge(site)
        changes.append(change)
        if violation in found.violations:
            break
    if found.violations or len(changes) < 2:  # noqa: PLR2004 - a single change is never needless
        return Admission(tuple(changes), terrain, found)
    return _without_needless(Admission(tuple(changes), terrain, found), start, plan, placement)


def _without_needless(made: Admission, start: Terrain, plan: Plan, placement: Placement) -> Admission:
    """Return the admission without any change that the others make needless."""
    for change in made.changes:
        fewer = tuple(each for each in made.changes if each is not change)
        terrain = start.changed(applied(start.estate, fewer))
        after = Bench(terrain, plan, placement).judge(made.after.site.name)
        if not after.violations:
            made = Admission(fewer, terrain, after)
    return made


def applied(estate: Estate, changes: Sequence[Change]) -> Estate:
    """Return the estate after all the changes."""
    for change in changes:
        estate = change.apply(estate)
    return estate


def relaxed(case: Case, site: Site, violation: Violation) -> Change | None:
    """Return what the dimension of a violation knows to lift it with, None where nothing is known."""
    if violation.dimension is Dimension.CAPACITY:
        return capacity.relax(case, site, violation)
    filters = (each for each in registered_filters() if each.dimension is violation.dimension)
    return next((change for each in filters if (change := each.relax(case, site, violation))), None)
