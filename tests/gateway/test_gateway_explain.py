"""What is said for and against each backend, and that the smallest change it names turns a no into a yes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from gateway_kit import FREE, PRICE, RULE, config, remote, spec
from hypothesis import given
from test_gateway_select import ASKS, POLICIES, STANDINGS

from cellwright.estate.model import SensitivityClass
from cellwright.gateway.model import Route
from cellwright.gateway.model_policy import Budget, Criterion, Grade, Policy
from cellwright.gateway.routing.explain import Explanation, explain
from cellwright.gateway.routing.route import compile_table
from cellwright.gateway.routing.select import Ask, order
from cellwright.gateway.routing.standing import Figure, Standing

if TYPE_CHECKING:
    from cellwright.gateway.model import GatewayConfig

ANONYMISED = SensitivityClass.ANONYMISED
WHOLE = Ask()


def explained(
    setup: GatewayConfig,
    ask: Ask = WHOLE,
    data_class: SensitivityClass = ANONYMISED,
    *,
    unread: bool = False,
    **standings: Standing,
) -> Explanation:
    table = compile_table(setup)
    decision = table.decide("auto", data_class)
    assert decision is not None
    known = {item.name: Standing(item) for item in setup.backends}
    return explain(table, decision, ask, known | standings, unread=unread)


def routed(policy: Policy, *backends: str) -> tuple[Route, ...]:
    return (Route("auto", backends or ("cloud", "edge"), None, policy),)


def said(explanation: Explanation) -> dict[str, str]:
    return {verdict.backend: verdict.sentence for verdict in explanation.verdicts}


def test_a_barred_backend_is_told_with_its_rules_and_what_would_admit_it() -> None:
    setup = config(remote(), spec())
    found = explained(setup, data_class=SensitivityClass.SUBSCRIBER_PII)
    assert [(verdict.backend, verdict.place, verdict.decided_by) for verdict in found.verdicts] == [
        ("edge", 1, "listed"),
        ("cloud", None, "rule"),
    ]
    assert said(found)["cloud"] == (
        "never asked: it stands outside every boundary, but rule stay-home keeps data of class subscriber_pii on the "
        "premises (Act 1, article 2); it may answer if it stood on the premises, or for data of class anonymised"
    )
    table = compile_table(setup)
    assert table.admits(ANONYMISED, "cloud")


def test_a_backend_that_may_not_be_sent_what_the_guard_cannot_read_is_told() -> None:
    for takes, places in ((False, [("edge", 1), ("cloud", None)]), (True, [("cloud", 1), ("edge", 2)])):
        found = explained(config(remote(takes_unread=takes), spec()), unread=True)
        assert [(verdict.backend, verdict.place) for verdict in found.verdicts] == places
        assert takes or (found.verdicts[1].decided_by, "takesUnread" in said(found)["cloud"]) == ("guard", True)
    (alone,) = explained(config(remote()), unread=True).verdicts
    assert not alone.may_answer


def test_a_backend_over_the_budget_is_told_with_what_it_takes_and_the_budget_that_would_do() -> None:
    policy = Policy(budget=Budget(first_token_ms=500.0))
    cloud, edge = remote(), spec()
    slow = Standing(cloud, 0, Figure(900.0, "measured here"))
    setup = config(cloud, edge, routes=routed(policy))
    quick = Standing(edge, 0, Figure(100.0, "probe of May"))
    sentence = said(explained(setup, cloud=slow, edge=quick))["cloud"]
    assert sentence == (
        "asked after edge: the first token takes 900 ms at p95 (measured here) against a budget of 500 ms; "
        "a budget of 900 ms admits it"
    )
    admitted = replace(policy, budget=Budget(first_token_ms=900.0))
    assert [each.spec.name for each in order(admitted, Ask(), [slow, quick])] == ["cloud", "edge"]


def test_a_price_is_told_with_what_would_make_it_the_lower_one() -> None:
    dear, cheap = remote(), spec(price=replace(PRICE, input_nano=2_000_000_000))
    setup = config(dear, cheap, routes=routed(Policy((Criterion.PRICE,))))
    found = explained(setup, Ask(tokens_in=1_000_000))
    assert said(found) == {
        "edge": "asked first: it is the cheapest with 2.000000 USD",
        "cloud": "asked after edge: 2.500000 USD for this request is more than 2.000000 USD of edge; "
        "it goes before if it costs over 0.500000 USD less",
    }
    less = remote(price=replace(PRICE, input_nano=2_500_000_000 - 500_000_001))
    standings = [Standing(less), Standing(cheap)]
    assert order(Policy((Criterion.PRICE,)), Ask(tokens_in=1_000_000), standings)[0].spec is less


def test_a_latency_is_told_with_the_one_that_would_be_quick_enough() -> None:
    policy = Policy((Criterion.LATENCY,))
    edge = Standing(spec(), 0, Figure(100.0, "seen"))
    setup = config(remote(), spec(), routes=routed(policy))
    found = explained(setup, Ask(stream=True), cloud=Standing(remote(), 0, Figure(300.0, "seen")), edge=edge)
    (limit,) = re.findall(r"below ([\d.]+) ms it goes before it", said(found)["cloud"])
    enough = Standing(remote(), 0, Figure(float(limit) - 1, "seen"))
    assert order(policy, Ask(stream=True), [edge, enough])[0] is enough


def test_what_is_not_known_is_said_to_be_unknown() -> None:
    policy = Policy((Criterion.LATENCY, Criterion.PRICE), Budget(first_token_ms=500.0))
    setup = config(remote(price=None), spec(), routes=routed(policy))
    found = said(explained(setup, Ask(stream=True)))
    assert "the first token is not known yet, so that one request at a time goes to it" in found["edge"]
    assert "its price is unknown, that of edge is 0.000000 USD" in found["cloud"]
    busy = Standing(remote(), 3)
    assert "not known yet and a request is in flight that will tell" in said(explained(setup, cloud=busy))["cloud"]


def test_a_grade_and_a_load_are_told() -> None:
    setup = config(
        remote("full"), remote("light", grade=Grade.LIGHT), routes=routed(Policy(light_below=0.5), "full", "light")
    )
    found = said(explained(setup, Ask(difficulty=0.2)))
    assert (
        found["light"] == "asked first: its model is light and the request simple (difficulty 0.20, simple below 0.5)"
    )
    assert "the model of light is light and the request simple" in found["full"]
    setup = config(remote(), spec(), routes=routed(Policy((Criterion.LOAD,))))
    found = said(explained(setup, cloud=Standing(remote(), 2)))
    assert found["cloud"] == "asked after edge: 2 requests in flight is more than 0 requests in flight of edge"


@given(POLICIES, ASKS, STANDINGS)
def test_every_backend_gets_its_place_and_a_sentence_whatever_the_policy(
    policy: Policy, ask: Ask, standings: list[Standing]
) -> None:
    named = [
        standing._replace(spec=replace(standing.spec, name=f"b{number}")) for number, standing in enumerate(standings)
    ]
    specs = [standing.spec for standing in named]
    setup = config(*specs, rules=(RULE, FREE), routes=routed(policy, *(item.name for item in specs)))
    found = explained(setup, ask, **{standing.spec.name: standing for standing in named})
    expected = [standing.spec.name for standing in order(policy, ask, named)]
    assert [verdict.backend for verdict in found.verdicts] == expected
    assert [verdict.place for verdict in found.verdicts] == list(range(1, len(named) + 1))
    assert all(verdict.sentence and "None" not in verdict.sentence for verdict in found.verdicts)
    budgets = {verdict.decided_by for verdict in found.verdicts}
    assert budgets <= {"latencyBudget", "grade", "listed", *Criterion}
