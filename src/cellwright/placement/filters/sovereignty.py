"""Sovereignty: data goes only where every regulation of its home lets it go, or where nobody has to be asked.

Of a site the law sees its jurisdiction and who controls it, so each rule is asked once for every such kind of site.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.estate.model import Boundary, Effect, Regulation, SensitivityClass
from cellwright.placement.changes import Change, unused, with_dataset, with_regulation, with_workload
from cellwright.placement.filters import Filter
from cellwright.placement.plan import Dimension, Finding
from cellwright.policy.residency import FORBIDDEN, applicable_to, described, may_leave, rules_around, tightest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cellwright.estate.model import Dataset, Estate, Site, Workload
    from cellwright.placement.plan import Violation
    from cellwright.placement.terrain import Case, Terrain
    from cellwright.policy.residency import Reason, Rule, Verdict


def judge(case: Case) -> Iterator[Finding]:
    """Yield one finding for each dataset and each rule that stands against it somewhere."""
    kinds = _kinds(case.terrain)
    for name in dict.fromkeys(use.dataset for use in case.workload.consumes):
        dataset, home = case.data(name)
        for rule in rules_around(dataset, home, _applicable(case.terrain, dataset, home)):
            yield Finding(
                dimension=Dimension.SOVEREIGNTY,
                code=rule.code,
                subject=name,
                limit=rule.limit,
                unit="",
                message=rule.message,
                source=rule.source,
                at=_outside(case.terrain, rule, home)[case.scope],
                measured=kinds.words[case.scope],
            )


@dataclass(frozen=True, slots=True, eq=False)
class _Kinds:
    """The sites of a terrain by what the law sees of them."""

    examples: tuple[Site, ...]  # one of each kind
    of: NDArray[np.intp]  # (n_sites,) index into `examples`
    words: tuple[str, ...]  # of each site


def _kinds(terrain: Terrain) -> _Kinds:
    answers = terrain.answers()
    if _kinds not in answers:
        numbers: dict[tuple[str, str], int] = {}
        of = [numbers.setdefault((site.jurisdiction, site.control), len(numbers)) for site in terrain.sites]
        examples = tuple(terrain.sites[of.index(number)] for number in range(len(numbers)))
        words = [described(site) for site in examples]
        answers[_kinds] = _Kinds(examples, np.array(of, dtype=np.intp), tuple(words[number] for number in of))
    found: _Kinds = answers[_kinds]
    return found


def _applicable(terrain: Terrain, dataset: Dataset, home: Site) -> tuple[Regulation, ...]:
    """Return the regulations of a dataset, looked for once for each class and jurisdiction."""
    answers, question = terrain.answers(), (_applicable, dataset.sensitivity, home.jurisdiction)
    if question not in answers:
        answers[question] = applicable_to(dataset, home, terrain.estate.regulations.values())
    found: tuple[Regulation, ...] = answers[question]
    return found


def _outside(terrain: Terrain, rule: Rule, home: Site) -> NDArray[np.bool_]:
    """Return against which sites a rule stands, (n_sites,) bool; datasets with like homes share the answer."""
    answers, here = terrain.answers(), terrain.index[home.name]
    question = (_outside, rule.boundary, rule.members, home.jurisdiction)
    if question not in answers:
        kinds = _kinds(terrain)
        against = [rule.stands_against(home, example) for example in kinds.examples]
        answers[question] = np.array(against, dtype=np.bool_)[kinds.of]
    found: NDArray[np.bool_] = answers[question]
    if not found[here]:
        return found
    if (question, here) not in answers:  # data may always be processed at its home
        found = found.copy()
        found[here] = False
        answers[question, here] = found
    elsewhere: NDArray[np.bool_] = answers[question, here]
    return elsewhere


def relax(case: Case, site: Site, violation: Violation) -> Change | None:
    """Return the change that lets the data go: an anonymised dataset where the law allows that, else the law's."""
    dataset, home = case.data(violation.subject)
    reasons = _verdict(case, dataset, home, site).reasons
    reason = next((each for each in reasons if each.message == violation.message), None)
    if reason is None:
        return None
    if reason.code == FORBIDDEN and dataset.sensitivity is not SensitivityClass.ANONYMISED:
        twin = _anonymised(case.estate, dataset)
        if _verdict(case, twin, home, site).allowed:
            return _derive(case.workload, dataset, twin, reason)
    if reason.regulation is None:
        return _classify(dataset, home, site, reason)
    return _amend(case.estate.regulations[reason.regulation], home, site, reason)


def _verdict(case: Case, dataset: Dataset, home: Site, site: Site) -> Verdict:
    return may_leave(dataset, home, site, case.estate.regulations.values())


def _anonymised(estate: Estate, dataset: Dataset) -> Dataset:
    """Return the dataset that anonymisation at home would derive."""
    return replace(
        dataset,
        name=unused(f"{dataset.name}-anonymised", estate.datasets),
        sensitivity=SensitivityClass.ANONYMISED,
        derived_from=(dataset.name,),
    )


def _derive(workload: Workload, dataset: Dataset, twin: Dataset, reason: Reason) -> Change:
    """Return the change that lets the workload consume an anonymised derivative."""

    def apply(estate: Estate) -> Estate:
        before = estate.workloads[workload.name]
        consumes = tuple(
            replace(use, dataset=twin.name) if use.dataset == dataset.name else use for use in before.consumes
        )
        return with_workload(with_dataset(estate, twin), replace(before, consumes=consumes))

    text = (
        f"dataset {dataset.name} from class {dataset.sensitivity} to anonymised: derive {twin.name} at {dataset.home} "
        f"and consume that (or amend regulation {reason.regulation} after legal review)"
    )
    return Change(
        reason.code, dataset.name, dataset.sensitivity.value, SensitivityClass.ANONYMISED.value, "", text, apply
    )


def _classify(dataset: Dataset, home: Site, site: Site, reason: Reason) -> Change:
    """Return the change that adds the missing regulation document, as wide as `site` needs and no wider."""
    boundary = tightest(home, site)

    def apply(estate: Estate) -> Estate:
        regulation = Regulation(
            name=unused(f"{dataset.sensitivity}-{home.jurisdiction}-reviewed".lower(), estate.regulations),
            jurisdictions=frozenset({home.jurisdiction}),
            classes=frozenset({dataset.sensitivity}),
            boundary=boundary,
            effect=Effect.DENY,
            members=frozenset({site.jurisdiction}) if boundary is Boundary.BLOC else frozenset(),
            source="legal review, to be made",
            url=None,
            checked=date.min,
            expires=date.max,
        )
        return with_regulation(estate, regulation)

    text = (
        f"class {dataset.sensitivity} of {home.jurisdiction} named, after legal review, by a regulation document whose "
        f"boundary is {_described(boundary, site)} or wider"
    )
    return Change(reason.code, dataset.name, None, boundary.value, "", text, apply)


def _amend(regulation: Regulation, home: Site, site: Site, reason: Reason) -> Change:
    """Return the change that widens a regulation's boundary just enough, which only a legal review can do."""
    boundary = tightest(home, site)
    members = regulation.members | {site.jurisdiction} if boundary is Boundary.BLOC else regulation.members

    def apply(estate: Estate) -> Estate:
        current = estate.regulations.get(regulation.name)  # None: a change that would have added it was left out
        return with_regulation(estate, replace(current, boundary=boundary, members=members)) if current else estate

    text = (
        f"regulation {regulation.name} amended after legal review: boundary from {regulation.boundary} to "
        f"{_described(boundary, site)}"
    )
    return Change(reason.code, regulation.name, regulation.boundary.value, boundary.value, "", text, apply)


def _described(boundary: Boundary, site: Site) -> str:
    return f"bloc with member {site.jurisdiction}" if boundary is Boundary.BLOC else boundary.value


def _needs(case: Case) -> tuple[str, ...]:
    return tuple(use.dataset for use in case.workload.consumes)


FILTER: Final = Filter(Dimension.SOVEREIGNTY, judge, relax, _needs)
