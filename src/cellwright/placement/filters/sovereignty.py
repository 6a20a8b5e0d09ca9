"""Sovereignty: data goes only where every regulation of its home lets it go, or where nobody has to be asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Final

from cellwright.estate.model import Boundary, Effect, Regulation, SensitivityClass
from cellwright.placement.changes import Change, unused, with_dataset, with_regulation, with_workload
from cellwright.placement.filters import Filter
from cellwright.placement.plan import Dimension, Violation
from cellwright.policy.residency import FORBIDDEN, may_leave, tightest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.estate.model import Dataset, Estate, Site, Workload
    from cellwright.placement.terrain import Case
    from cellwright.policy.residency import Reason, Verdict


def judge(case: Case, site: Site) -> Iterator[Violation]:
    """Yield one violation for each dataset and each rule that stands against it."""
    for use in case.workload.consumes:
        for reason in _verdict(case, *case.data(use.dataset), site).reasons:
            yield Violation(
                dimension=Dimension.SOVEREIGNTY,
                code=reason.code,
                subject=use.dataset,
                measured=reason.measured,
                limit=reason.limit,
                unit="",
                message=reason.message,
                source=reason.source,
            )


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
        current = estate.regulations[regulation.name]
        return with_regulation(estate, replace(current, boundary=boundary, members=members))

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
