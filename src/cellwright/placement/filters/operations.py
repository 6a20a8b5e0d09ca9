"""Operations: the people of a site, or the provider in their place, must be able to run the workload.

At a managed site hardware, firmware and runtime are the provider's duty; every other skill a workload asks for, such as
tuning a model for its edge, has to be there on any tier. On-call cover counts as the site declares it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.estate.model import OnCall
from cellwright.placement.changes import Change, with_site
from cellwright.placement.filters import Filter
from cellwright.placement.plan import Dimension, Finding
from cellwright.placement.wording import listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from cellwright.estate.model import Estate, Operations, Site
    from cellwright.placement.plan import Violation
    from cellwright.placement.terrain import Case, Terrain

SKILL: Final = "operations.skill"
ON_CALL: Final = "operations.on-call"
SOURCE: Final = "site operations"
PROVIDER_SKILLS: Final = frozenset({"hardware", "firmware", "runtime"})  # what "managed" means
_RISING: Final = tuple(OnCall)


def available_skills(operations: Operations) -> frozenset[str]:
    """Return the skills that can be counted on at a site."""
    return operations.skills | PROVIDER_SKILLS if operations.managed else operations.skills


def judge(case: Case) -> Iterator[Finding]:
    """Yield where each skill is missing and where there is too little on-call cover."""
    asked, people = case.workload.readiness, _people(case.terrain)
    for skill in sorted(asked.skills):
        yield _missing(case, people, skill)
    if asked.on_call is not OnCall.NONE:
        at = people.cover[case.scope] < _RISING.index(asked.on_call)
        message = f"on-call cover at {{site}} is {{measured}}, {asked.on_call} is asked for"
        yield _finding(ON_CALL, "on_call", asked.on_call.value, message, at, people.covers[case.scope])


@dataclass(frozen=True, slots=True, eq=False)
class _People:
    """Who can be counted on at the sites of a terrain."""

    skills: tuple[frozenset[str], ...]  # by site
    listed: tuple[str, ...]  # the same in words
    cover: NDArray[np.int8]  # (n_sites,) place among `_RISING`
    covers: tuple[str, ...]  # the same in words


def _people(terrain: Terrain) -> _People:
    answers = terrain.answers()
    if _people not in answers:
        skills = tuple(available_skills(site.operations) for site in terrain.sites)
        covers = tuple(site.operations.on_call.value for site in terrain.sites)
        cover = np.array([_RISING.index(site.operations.on_call) for site in terrain.sites], dtype=np.int8)
        answers[_people] = _People(skills, tuple(", ".join(sorted(each)) or "none" for each in skills), cover, covers)
    found: _People = answers[_people]
    return found


def _missing(case: Case, people: _People, skill: str) -> Finding:
    """Return where nobody has a skill."""
    answers = case.terrain.answers()
    if (_missing, skill) not in answers:
        answers[_missing, skill] = np.array([skill not in each for each in people.skills], dtype=np.bool_)
    at: NDArray[np.bool_] = answers[_missing, skill][case.scope]
    skills = people.skills[case.scope]

    def detail(site: int) -> tuple[str, str]:
        there = listing(sorted(skills[site]))
        return f"nobody at {case.sites[site].name} has the skill {skill} (there: {there})", SOURCE

    message = f"nobody at {{site}} has the skill {skill} (there: {{measured}})"
    found = _finding(SKILL, skill, skill, message, at, people.listed[case.scope])
    return replace(found, detail=detail)


def _finding(  # noqa: PLR0913, PLR0917 - the parts of a finding
    code: str, subject: str, limit: str, message: str, at: NDArray[np.bool_], measured: tuple[str, ...]
) -> Finding:
    return Finding(Dimension.OPERATIONS, code, subject, limit, "", message, SOURCE, at, measured)


def relax(case: Case, site: Site, violation: Violation) -> Change | None:
    """Return the skill or the on-call cover that the site would have to gain."""
    if violation.code == ON_CALL:
        cover = case.workload.readiness.on_call
        text = f"on-call cover of site {site.name} from {site.operations.on_call} to {cover}"
        return _change(violation, site, text, lambda there: replace(there, on_call=cover))
    text, gained = f"site {site.name} gains the skill {violation.subject}", frozenset({violation.subject})
    return _change(violation, site, text, lambda there: replace(there, skills=there.skills | gained))


def _change(violation: Violation, site: Site, text: str, changed: Callable[[Operations], Operations]) -> Change:
    def apply(estate: Estate) -> Estate:
        there = estate.sites[site.name]
        return with_site(estate, replace(there, operations=changed(there.operations)))

    return Change(violation.code, violation.subject, violation.measured, violation.limit, "", text, apply)


FILTER: Final = Filter(Dimension.OPERATIONS, judge, relax, needs=lambda case: case.workload.readiness)
