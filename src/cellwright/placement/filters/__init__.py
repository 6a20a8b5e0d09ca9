"""Hard constraints, one a file; every filter, ours or an outside one, is an entry point `cellwright.filters`.

A filter judges one case at all its sites at once and records *every* violated constraint: a "no" that names only its
first reason sends people to mend things one at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from cellwright.errors import CellwrightError
from cellwright.placement.plan import Dimension
from cellwright.placement.terrain import ALL_SITES
from cellwright.plugins import PluginSet

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from cellwright.estate.model import Site
    from cellwright.placement.changes import Change
    from cellwright.placement.plan import Finding, Violation
    from cellwright.placement.terrain import Case

PRECEDENCE: Final = tuple(Dimension)
_REQUIRED: Final = (
    Dimension.SOVEREIGNTY,
    Dimension.LATENCY,
    Dimension.GRAVITY,
    Dimension.OPERATIONS,
    Dimension.HARDWARE,
    Dimension.QUOTA,
    Dimension.AFFINITY,
)


@dataclass(frozen=True, slots=True)
class Filter:
    """One kind of hard constraint: `judge` finds what sites violate, `relax` the smallest change that lifts it.

    `needs` returns all that `judge` looks at beside the estate and the scope: cases with equal needs are judged once.
    A filter that looks at the standing of other replicas says so: it is asked again whenever they move.
    """

    dimension: Dimension
    judge: Callable[[Case], Iterable[Finding]]
    relax: Callable[[Case, Site, Violation], Change | None]
    needs: Callable[[Case], Hashable] | None = None  # None: each case is judged by itself
    heeds_others: bool = False


@cache
def registered_filters() -> tuple[Filter, ...]:
    """Return all filters in order of precedence, then by name.

    Raises CellwrightError (`missing-filter`) where a dimension has none: to plan without would admit what the law
    forbids.
    """
    plugins: PluginSet[Filter] = PluginSet("filters")
    filters = tuple(sorted(plugins, key=lambda each: PRECEDENCE.index(each.dimension)))
    missing = [dimension for dimension in _REQUIRED if dimension not in {each.dimension for each in filters}]
    if missing:
        raise CellwrightError.of(
            "missing-filter",
            f"no filter is installed for {', '.join(missing)}; planning without it would admit what must not be",
            hint="reinstall cellwright: its entry points are incomplete",
        )
    return filters


def standing_findings(case: Case) -> tuple[Finding, ...]:
    """Return what every filter finds that does not look at other replicas, in order of precedence."""
    return tuple(found for each in registered_filters() if not each.heeds_others for found in _asked(each, case))


def moving_findings(case: Case) -> tuple[Finding, ...]:
    """Return what every filter finds that looks at where other replicas are, in order of precedence."""
    return tuple(found for each in registered_filters() if each.heeds_others for found in _asked(each, case))


def _asked(judging: Filter, case: Case) -> tuple[Finding, ...]:
    """Return what a filter finds; a question about all sites that was asked before is not asked again."""
    if judging.needs is None or case.scope != ALL_SITES:
        return _judged(judging, case)
    answers, question = case.terrain.answers(), (judging, judging.needs(case))
    if question not in answers:
        answers[question] = _judged(judging, case)
    found: tuple[Finding, ...] = answers[question]
    return found


def _judged(judging: Filter, case: Case) -> tuple[Finding, ...]:
    return tuple(found for found in judging.judge(case) if found.at.any())
