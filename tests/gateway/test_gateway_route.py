"""Routing: the set filter, and what it says when nothing is left."""

from __future__ import annotations

from gateway_kit import FREE, RULE, config, remote, spec
from hypothesis import given
from hypothesis import strategies as st

from cellwright.estate.model import Boundary, SensitivityClass
from cellwright.gateway.model import Route, Rule
from cellwright.gateway.routing.route import compile_table
from cellwright.policy.residency import WIDENING

CLASSES = st.sampled_from(list(SensitivityClass))
BOUNDARIES = st.sampled_from(list(Boundary))
RULES = st.lists(
    st.builds(Rule, st.just("r"), st.frozensets(CLASSES, min_size=1), BOUNDARIES, st.just("law")), max_size=6
)


def test_a_route_keeps_its_order_of_preference() -> None:
    decision = compile_table(config(remote(), spec())).decide("auto", None)
    assert decision is not None
    assert decision.allowed == ("cloud", "edge")


def test_a_model_is_reached_by_its_own_name() -> None:
    table = compile_table(config(remote(), spec()))
    decision = table.decide("model-edge", None)
    assert decision is not None
    assert (decision.route, decision.allowed) == ("model-edge", ("edge",))
    assert table.decide("no-such-model", None) is None


def test_a_rule_takes_backends_outside_its_boundary_away() -> None:
    decision = compile_table(config(remote(), spec())).decide("auto", SensitivityClass.SUBSCRIBER_PII)
    assert decision is not None
    assert decision.allowed == ("edge",)
    assert [(item.backend, item.rule.name) for item in decision.barred] == [("cloud", "stay-home")]


def test_a_class_that_no_rule_names_stays_on_the_premises() -> None:
    decision = compile_table(config(remote(), spec())).decide("auto", SensitivityClass.LOCATION)
    assert decision is not None
    assert decision.allowed == ("edge",)


def test_a_refusal_names_every_rule_with_its_source() -> None:
    also = Rule("also", RULE.classes, Boundary.COUNTRY, "Act 3")
    decision = compile_table(config(remote(), rules=(RULE, also))).decide("auto", SensitivityClass.SUBSCRIBER_PII)
    assert decision is not None
    assert decision.sentence == (
        "data of class subscriber_pii on route auto: "
        "cloud stands outside every boundary, but rule stay-home keeps the data on the premises (Act 1, article 2); "
        "cloud stands outside every boundary, but rule also keeps the data in the country (Act 3)"
    )


def test_the_class_of_a_route_wins_over_that_of_the_gateway() -> None:
    route = Route("tickets", ("cloud",), SensitivityClass.SUBSCRIBER_PII)
    table = compile_table(config(remote(), routes=(route,), rules=(RULE, FREE)))
    presumed, named = table.decide("tickets", None), table.decide("tickets", SensitivityClass.ANONYMISED)
    assert presumed is not None
    assert presumed.allowed == ()
    assert named is not None
    assert named.allowed == ("cloud",)


@given(RULES, st.lists(BOUNDARIES, min_size=1, max_size=4), CLASSES)
def test_no_backend_outside_a_boundary_is_ever_allowed(
    rules: list[Rule], boundaries: list[Boundary], data_class: SensitivityClass
) -> None:
    specs = [spec(f"b{number}", boundary=boundary) for number, boundary in enumerate(boundaries)]
    table = compile_table(config(*specs, rules=tuple(rules)))
    decision = table.decide("auto", data_class)
    assert decision is not None
    limits = [WIDENING.index(rule.boundary) for rule in rules if data_class in rule.classes]
    reach = min(limits, default=0)
    expected = [item.name for item in specs if WIDENING.index(item.boundary) <= reach]
    assert list(decision.allowed) == expected
    assert {item.backend for item in decision.barred} == {item.name for item in specs} - set(expected)
    assert [item.name for item in specs if table.admits(data_class, item.name)] == expected
