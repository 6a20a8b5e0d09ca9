"""Affinity: which workloads and replicas share a site, and which must not.

A workload follows those that it must be together with, so they have their sites before it is judged; where they have
none, there is no site for it either. Keeping apart holds between two workloads whichever of them asks for it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.estate.model import Spread
from cellwright.placement.changes import Change, with_workload
from cellwright.placement.filters import Filter
from cellwright.placement.plan import Dimension, Finding
from cellwright.placement.wording import listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from cellwright.estate.model import Estate, Site, Workload
    from cellwright.placement.plan import Violation
    from cellwright.placement.terrain import Case

TOGETHER: Final = "affinity.together"
APART: Final = "affinity.apart"
SPREAD: Final = "affinity.spread"
OTHER_SITE: Final = "affinity.other-site"


def judge(case: Case) -> Iterator[Finding]:
    """Yield where a replica would be away from what it follows, or beside what it keeps apart from."""
    workload, placed = case.workload, case.standing.sites
    if case.pinned is not None:
        here = _at(case, [case.terrain.index[case.pinned]])
        message = f"this replica of {workload.name} is the one of {case.pinned}; {{site}} has its own or needs none"
        yield _finding(case, OTHER_SITE, workload.name, case.pinned, (message, f"replicas of {workload.name}"), ~here)
    for other in sorted(workload.together_with):
        yield _away(case, other)
    for other in sorted(case.terrain.apart[workload.name]):
        if placed.get(other):
            asking = workload.name if other in workload.apart_from else other
            told = f"{workload.name} keeps apart from {other}, which is at {{site}}", f"apartFrom of {asking}"
            yield _finding(case, APART, other, f"without {other}", told, _at(case, placed[other]))
    if workload.spread is Spread.SITE and placed.get(workload.name):
        message = f"a replica of {workload.name} is at {{site}} already, and no two may be at one site"
        at = _at(case, placed[workload.name])
        yield _finding(case, SPREAD, workload.name, "one replica a site", (message, f"spread of {workload.name}"), at)


def _away(case: Case, other: str) -> Finding:
    """Return where a workload is not that this one must be together with."""
    workload, sites = case.workload, case.standing.sites.get(other, frozenset())
    there = listing([case.terrain.names[site] for site in sorted(sites)]) if sites else "no site"
    message = f"{workload.name} must be together with {other}, which is at {there}, not at {{site}}"
    told = message, f"togetherWith of {workload.name}"
    return _finding(case, TOGETHER, other, there, told, ~_at(case, sites))


def _at(case: Case, sites: Iterable[int]) -> NDArray[np.bool_]:
    """Return which sites of the scope are among some, (n_sites,) bool."""
    at = np.zeros(len(case.terrain.sites), dtype=np.bool_)
    at[list(sites)] = True
    return at[case.scope]


def _finding(  # noqa: PLR0913, PLR0917 - the parts of a finding
    case: Case, code: str, subject: str, limit: str, told: tuple[str, str], at: NDArray[np.bool_]
) -> Finding:
    """Return a finding; `told` is its message and source."""
    return Finding(Dimension.AFFINITY, code, subject, limit, "", *told, at, case.terrain.names[case.scope])


def relax(case: Case, _: Site, violation: Violation) -> Change | None:
    """Return the change that gives up the wish; None for a replica that belongs to another site."""
    name, other = case.workload.name, violation.subject
    if violation.code == TOGETHER:
        text = f"{name} no longer together with {other}"
        away = frozenset({other})
        return _change(
            violation, text, frozenset({name}), lambda job: replace(job, together_with=job.together_with - away)
        )
    if violation.code == SPREAD:
        text = f"replicas of {name} spread over machines, not over sites"
        return _change(violation, text, frozenset({name}), lambda job: replace(job, spread=Spread.NODE))
    if violation.code != APART:
        return None
    pair = frozenset({name, other})
    text = f"{name} no longer apart from {other}"
    return _change(violation, text, pair, lambda job: replace(job, apart_from=job.apart_from - pair))


def _change(violation: Violation, text: str, names: frozenset[str], changed: Callable[[Workload], Workload]) -> Change:
    """Return the change of one or both workloads."""

    def apply(estate: Estate) -> Estate:
        for name in sorted(names):
            estate = with_workload(estate, changed(estate.workloads[name]))
        return estate

    return Change(violation.code, violation.subject, violation.measured, violation.limit, "", text, apply)


FILTER: Final = Filter(Dimension.AFFINITY, judge, relax, heeds_others=True)
