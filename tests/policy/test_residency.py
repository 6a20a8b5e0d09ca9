from __future__ import annotations

from datetime import date
from itertools import product

import pytest

from cellwright.estate.model import (
    Boundary,
    Control,
    Dataset,
    Effect,
    Location,
    OnCall,
    Operations,
    Regulation,
    SensitivityClass,
    Site,
    Tier,
)
from cellwright.policy.residency import (
    FORBIDDEN,
    NEEDS_REVIEW,
    UNCLASSIFIED,
    WIDENING,
    Outcome,
    lies_within,
    may_leave,
    tightest,
)


def site(
    name: str, jurisdiction: str = "IT", control: Control = Control.OPERATOR, tier: Tier = Tier.ONPREM, **more: bool
) -> Site:
    operations = Operations(managed=True, skills=frozenset(), on_call=OnCall.ALWAYS)
    return Site(name, tier, jurisdiction, control, more.get("isolated", False), Location(0, 0), operations, ())


def regulation(
    boundary: Boundary, effect: Effect = Effect.DENY, *, name: str = "law", members: frozenset[str] = frozenset()
) -> Regulation:
    classes = frozenset({SensitivityClass.SIGNALLING})
    checked, expires = date(2026, 1, 1), date(2027, 1, 1)
    return Regulation(name, frozenset({"IT"}), classes, boundary, effect, members, "Article 1", None, checked, expires)


HOME = site("central-office")
DATA = Dataset("records", SensitivityClass.SIGNALLING, HOME.name, 1.0, bound=False, derived_from=())
OTHER_OFFICE = site("other-office")
REGION = site("region", control=Control.PROVIDER, tier=Tier.REGION)
PARIS = site("paris", "FR", Control.OPERATOR)
BELGRADE = site("belgrade", "RS", Control.PROVIDER, Tier.REGION)
EVERYWHERE = (OTHER_OFFICE, REGION, PARIS, BELGRADE)


@pytest.mark.parametrize(
    ("boundary", "allowed"),
    [
        (Boundary.PREMISES, {"other-office"}),
        (Boundary.COUNTRY, {"other-office", "region"}),
        (Boundary.BLOC, {"other-office", "region", "paris"}),
        (Boundary.NONE, {"other-office", "region", "paris", "belgrade"}),
    ],
)
def test_each_boundary_admits_what_lies_within_it(boundary: Boundary, allowed: set[str]) -> None:
    rule = regulation(boundary, members=frozenset({"FR"}))
    assert {each.name for each in EVERYWHERE if may_leave(DATA, HOME, each, [rule]).allowed} == allowed


def test_an_isolated_metro_zone_is_premises_only_under_the_operators_control() -> None:
    rule = regulation(Boundary.PREMISES)
    dedicated = site("metro", control=Control.PROVIDER, tier=Tier.METRO, isolated=True)
    owned = site("metro", control=Control.OPERATOR, tier=Tier.METRO, isolated=True)
    assert not may_leave(DATA, HOME, dedicated, [rule]).allowed
    assert may_leave(DATA, HOME, owned, [rule]).allowed


def test_every_regulation_that_stands_against_it_is_named_with_measured_and_limit() -> None:
    rules = [regulation(Boundary.PREMISES, name="b"), regulation(Boundary.COUNTRY, name="a")]
    verdict = may_leave(DATA, HOME, BELGRADE, rules)
    assert [(reason.regulation, reason.code) for reason in verdict.reasons] == [("a", FORBIDDEN), ("b", FORBIDDEN)]
    assert verdict.reasons[0].measured == "a site in RS that the provider controls"
    assert verdict.reasons[0].limit == "sites in IT"
    assert verdict.reasons[1].limit == "sites in IT that the operator controls"
    assert verdict.reasons[0].source == "Article 1"


def test_a_review_that_nobody_has_made_is_not_a_permission() -> None:
    verdict = may_leave(DATA, HOME, REGION, [regulation(Boundary.PREMISES, Effect.REVIEW)])
    assert [reason.code for reason in verdict.reasons] == [NEEDS_REVIEW]
    assert verdict.outcome is Outcome.NEEDS_REVIEW
    assert not verdict.allowed


def test_a_denial_outweighs_a_review() -> None:
    rules = [regulation(Boundary.PREMISES, Effect.REVIEW, name="a"), regulation(Boundary.COUNTRY, name="b")]
    assert may_leave(DATA, HOME, BELGRADE, rules).outcome is Outcome.FORBIDDEN


def test_a_class_no_regulation_names_stays_on_the_premises_until_reviewed() -> None:
    assert may_leave(DATA, HOME, OTHER_OFFICE, []).allowed
    for elsewhere in (REGION, PARIS, BELGRADE):
        verdict = may_leave(DATA, HOME, elsewhere, [])
        assert [reason.code for reason in verdict.reasons] == [UNCLASSIFIED]
        assert verdict.outcome is Outcome.NEEDS_REVIEW


def test_a_regulation_of_another_jurisdiction_or_class_permits_nothing() -> None:
    foreign = Regulation(
        "foreign",
        frozenset({"FR"}),
        frozenset(SensitivityClass),
        Boundary.NONE,
        Effect.DENY,
        frozenset(),
        "elsewhere",
        None,
        date(2026, 1, 1),
        date(2027, 1, 1),
    )
    assert not may_leave(DATA, HOME, REGION, [foreign]).allowed


def test_data_may_always_be_processed_at_its_home() -> None:
    assert may_leave(DATA, REGION, REGION, [regulation(Boundary.PREMISES)]).allowed


def test_the_home_jurisdiction_belongs_to_every_bloc() -> None:
    assert lies_within(Boundary.BLOC, HOME, REGION, frozenset())


def test_a_wider_boundary_never_admits_less() -> None:
    for home, target, members in product((HOME, REGION), EVERYWHERE, (frozenset[str](), frozenset({"FR"}))):
        admitted = [lies_within(boundary, home, target, members) for boundary in WIDENING]
        assert admitted == sorted(admitted)


@pytest.mark.parametrize(
    ("target", "boundary"),
    [
        (OTHER_OFFICE, Boundary.PREMISES),
        (REGION, Boundary.COUNTRY),
        (PARIS, Boundary.BLOC),
        (BELGRADE, Boundary.BLOC),
    ],
)
def test_the_tightest_boundary_is_found(target: Site, boundary: Boundary) -> None:
    assert tightest(HOME, target) is boundary
