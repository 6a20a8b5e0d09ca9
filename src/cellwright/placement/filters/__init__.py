"""Hard constraints, one dimension a file; every filter, ours or an outside one, is an entry point `cellwright.filters`.

A filter judges one workload at one site and records *every* violated constraint: a "no" that names only its first
reason sends people to mend things one at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from cellwright.errors import CellwrightError
from cellwright.placement.plan import Dimension
from cellwright.plugins import PluginSet

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

    from cellwright.estate.model import Site
    from cellwright.placement.changes import Change
    from cellwright.placement.plan import Violation
    from cellwright.placement.terrain import Case

PRECEDENCE: Final = tuple(Dimension)
_REQUIRED: Final = (Dimension.SOVEREIGNTY, Dimension.LATENCY, Dimension.GRAVITY, Dimension.OPERATIONS)


@dataclass(frozen=True, slots=True)
class Filter:
    """One kind of hard constraint: `judge` yields what a site violates, `relax` the smallest change that lifts it.

    `needs` returns all that `judge` looks at beside the site and the estate: cases with equal needs are judged once.
    """

    dimension: Dimension
    judge: Callable[[Case, Site], Iterator[Violation]]
    relax: Callable[[Case, Site, Violation], Change | None]
    needs: Callable[[Case], Hashable] | None = None  # None: each case is judged by itself


@cache
def registered_filters() -> tuple[Filter, ...]:
    """Return all filters in order of precedence, then by name.

    Raises CellwrightError (`missing-filter`) where one of the four dimensions has none: to plan without would admit
    what the law forbids.
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


def violations_of_law(case: Case, sites: Iterable[Site]) -> dict[str, tuple[Violation, ...]]:
    """Return everything that any filter holds against each site, in order of precedence and without repetition."""
    filters = [(each, _answers(each, case)) for each in registered_filters()]
    return {
        site.name: tuple(violation for each, known in filters for violation in _judged(each, known, case, site))
        for site in sites
    }


def _answers(judging: Filter, case: Case) -> dict[str, tuple[Violation, ...]]:
    """Return what a filter has already said of cases with the needs of this one, by site."""
    return case.terrain.answers((judging, judging.needs(case))) if judging.needs else {}


def _judged(judging: Filter, known: dict[str, tuple[Violation, ...]], case: Case, site: Site) -> tuple[Violation, ...]:
    if site.name not in known:
        known[site.name] = tuple(dict.fromkeys(judging.judge(case, site)))
    return known[site.name]
