"""Operations: the people of a site, or the provider in their place, must be able to run the workload.

At a managed site hardware, firmware and runtime are the provider's duty; every other skill a workload asks for, such as
tuning a model for its edge, has to be there on any tier. On-call cover counts as the site declares it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cellwright.estate.model import OnCall
from cellwright.placement.changes import Change, with_site
from cellwright.placement.filters import Filter
from cellwright.placement.plan import Dimension, Violation
from cellwright.placement.wording import listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.estate.model import Estate, Operations, Site
    from cellwright.placement.terrain import Case

SKILL: Final = "operations.skill"
ON_CALL: Final = "operations.on-call"
PROVIDER_SKILLS: Final = frozenset({"hardware", "firmware", "runtime"})  # what "managed" means
_RISING: Final = tuple(OnCall)


def available_skills(operations: Operations) -> frozenset[str]:
    """Return the skills that can be counted on at a site."""
    return operations.skills | PROVIDER_SKILLS if operations.managed else operations.skills


def judge(case: Case, site: Site) -> Iterator[Violation]:
    """Yield a violation for each missing skill and for too little on-call cover."""
    asked, offered = case.workload.readiness, site.operations
    available = available_skills(offered)
    for skill in sorted(asked.skills - available):
        message = f"nobody at {site.name} has the skill {skill} (there: {listing(sorted(available))})"
        yield _violation(SKILL, skill, ", ".join(sorted(available)) or "none", skill, message)
    if _RISING.index(offered.on_call) < _RISING.index(asked.on_call):
        message = f"on-call cover at {site.name} is {offered.on_call}, {asked.on_call} is asked for"
        yield _violation(ON_CALL, "on_call", offered.on_call.value, asked.on_call.value, message)


def _violation(code: str, subject: str, measured: str, limit: str, message: str) -> Violation:
    return Violation(Dimension.OPERATIONS, code, subject, measured, limit, "", message, "site operations")


def relax(case: Case, site: Site, violation: Violation) -> Change | None:
    """Return the skill or the on-call cover that the site would have to gain."""
    if violation.code == ON_CALL:
        cover = case.workload.readiness.on_call
        text = f"on-call cover of site {site.name} from {site.operations.on_call} to {cover}"
        return _change(violation, site, text, replace(site.operations, on_call=cover))
    text = f"site {site.name} gains the skill {violation.subject}"
    skills = site.operations.skills | {violation.subject}
    return _change(violation, site, text, replace(site.operations, skills=skills))


def _change(violation: Violation, site: Site, text: str, operations: Operations) -> Change:
    def apply(estate: Estate) -> Estate:
        return with_site(estate, replace(estate.sites[site.name], operations=operations))

    return Change(violation.code, violation.subject, violation.measured, violation.limit, "", text, apply)


FILTER: Final = Filter(Dimension.OPERATIONS, judge, relax, needs=lambda case: case.workload.readiness)
