"""The order of the backends that sovereignty allows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gateway_kit import PRICE, remote, spec
from hypothesis import given
from hypothesis import strategies as st

from cellwright.estate.model import Tier
from cellwright.gateway.model_policy import Budget, Criterion, Grade, Policy
from cellwright.gateway.routing.select import Ask, fit, order
from cellwright.gateway.routing.standing import Figure, Standing

LATENCY, PRICE_, LOAD = Criterion.LATENCY, Criterion.PRICE, Criterion.LOAD
STREAM = Ask(stream=True, tokens_in=1000, tokens_out=100)
CHEAP = replace(PRICE, input_nano=1, output_nano=1)


def standing(name: str, first_ms: float | None = None, in_flight: int = 0, **changes: object) -> Standing:
    return Standing(spec(name, **changes), in_flight, Figure(first_ms, "test"), Figure(first_ms, "test"))


def names(policy: Policy, *standings: Standing, ask: Ask = STREAM) -> list[str]:
    return [each.spec.name for each in order(policy, ask, standings)]


def test_nothing_preferred_keeps_the_order_of_the_route() -> None:
    assert names(Policy(), standing("b", 900.0, 5), standing("a", 1.0)) == ["b", "a"]


def test_who_keeps_the_budget_goes_before_who_does_not() -> None:
    policy = Policy(budget=Budget(first_token_ms=500.0))
    assert names(policy, standing("slow", 501.0), standing("quick", 500.0)) == ["quick", "slow"]


def test_the_unknown_gets_one_request_at_a_time_until_it_is_known() -> None:
    policy = Policy(budget=Budget(first_token_ms=500.0))
    assert names(policy, standing("new"), standing("quick", 100.0)) == ["new", "quick"]
    assert names(policy, standing("new", None, 1), standing("quick", 100.0)) == ["quick", "new"]
    assert names(policy, standing("slow", 900.0), standing("new", None, 1)) == ["new", "slow"]
    assert names(Policy((LATENCY,)), standing("quick", 100.0), standing("new")) == ["new", "quick"]
    assert names(Policy((LATENCY,)), standing("new", None, 1), standing("quick", 100.0)) == ["quick", "new"]


def test_a_stream_is_judged_by_its_first_token_and_a_whole_answer_by_its_round_trip() -> None:
    early = Standing(spec("early"), 0, Figure(50.0, ""), Figure(9000.0, ""))
    soon = Standing(spec("soon"), 0, Figure(500.0, ""), Figure(1000.0, ""))
    assert names(Policy((LATENCY,)), soon, early) == ["early", "soon"]
    assert names(Policy((LATENCY,)), early, soon, ask=Ask()) == ["soon", "early"]
    assert names(Policy(budget=Budget(round_trip_ms=2000.0)), early, soon) == ["soon", "early"]


def test_latencies_within_a_step_are_alike_and_the_next_criterion_decides() -> None:
    policy = Policy((LATENCY, PRICE_))
    dear, cheap = standing("dear", 101.0), standing("cheap", 103.0, price=CHEAP)
    assert names(policy, dear, cheap) == ["cheap", "dear"]
    assert names(policy, dear, standing("cheap", 300.0, price=CHEAP)) == ["dear", "cheap"]


def test_the_price_is_that_of_the_request() -> None:
    talker = replace(PRICE, input_nano=1_000_000, output_nano=90_000_000)
    reader = replace(PRICE, input_nano=9_000_000, output_nano=1_000_000)
    both = standing("reader", price=reader), standing("talker", price=talker)
    assert names(Policy((PRICE_,)), *both, ask=Ask(tokens_in=100_000, tokens_out=10)) == ["talker", "reader"]
    assert names(Policy((PRICE_,)), *both, ask=Ask(tokens_in=10, tokens_out=100_000)) == ["reader", "talker"]


def test_an_unknown_price_comes_last_and_prices_in_two_currencies_decide_nothing() -> None:
    euro = replace(CHEAP, currency="EUR")
    assert names(Policy((PRICE_,)), standing("gift", price=None), standing("priced")) == ["priced", "gift"]
    assert names(Policy((PRICE_,)), standing("dollar"), standing("euro", price=euro)) == ["dollar", "euro"]


def test_load_is_a_share_where_all_say_what_they_take_else_a_count() -> None:
    small, large = standing("small", None, 2, max_concurrency=4), standing("large", None, 3, max_concurrency=64)
    assert names(Policy((LOAD,)), small, large) == ["large", "small"]
    assert names(Policy((LOAD,)), large, standing("open", None, 2)) == ["open", "large"]


def test_a_simple_request_goes_to_the_light_model_of_the_cloud_tier_and_a_difficult_one_to_the_full() -> None:
    policy = Policy(light_below=0.5)
    edge = standing("edge", grade=Grade.LIGHT)
    heavy, light = (Standing(remote(grade.value, grade=grade)) for grade in (Grade.FULL, Grade.LIGHT))
    assert names(policy, heavy, edge, light, ask=Ask(difficulty=0.4)) == ["light", "edge", "full"]
    assert names(policy, light, edge, heavy, ask=Ask(difficulty=0.5)) == ["full", "edge", "light"]
    assert names(policy, heavy, edge, light, ask=Ask(difficulty=None)) == ["full", "edge", "light"]


def test_a_light_model_over_the_budget_stays_behind_a_full_one_within_it() -> None:
    policy = Policy(budget=Budget(first_token_ms=500.0), light_below=0.5)
    light = standing("light", 900.0, tier=Tier.REGION, grade=Grade.LIGHT)
    full = standing("full", 100.0, tier=Tier.REGION)
    assert names(policy, light, full, ask=Ask(difficulty=0.1)) == ["full", "light"]


STANDINGS = st.lists(
    st.builds(
        lambda first, trip, busy, price, tier, grade, limit: Standing(
            spec(price=price, tier=tier, grade=grade, max_concurrency=limit), busy, Figure(first, ""), Figure(trip, "")
        ),
        st.none() | st.floats(0.0, 1e5),
        st.none() | st.floats(0.0, 1e5),
        st.integers(0, 9),
        st.sampled_from([None, PRICE, CHEAP, replace(CHEAP, currency="EUR")]),
        st.sampled_from([Tier.REGION, Tier.ONPREM]),
        st.sampled_from(Grade),
        st.none() | st.integers(1, 9),
    ),
    min_size=1,
    max_size=6,
)
POLICIES = st.builds(
    Policy,
    st.permutations(list(Criterion)).flatmap(lambda all_: st.integers(0, 3).map(lambda n: tuple(all_[:n]))),
    st.builds(Budget, st.none() | st.floats(1.0, 1e5), st.none() | st.floats(1.0, 1e5)),
    st.none() | st.floats(0.01, 1.0),
)
ASKS = st.builds(Ask, st.booleans(), st.integers(0, 10**6), st.integers(0, 10**6), st.none() | st.floats(0.0, 1.0))


@given(POLICIES, ASKS, STANDINGS)
def test_an_order_loses_nobody_is_always_the_same_and_never_puts_over_the_budget_first(
    policy: Policy, ask: Ask, standings: list[Standing]
) -> None:
    found = order(policy, ask, standings)
    assert sorted(map(id, found)) == sorted(map(id, standings))
    assert [id(each) for each in order(policy, ask, standings)] == [id(each) for each in found]
    fits = [fit(policy, each) for each in found]
    assert fits == sorted(fits)


@pytest.mark.parametrize("criterion", list(Criterion))
def test_the_alike_stay_as_listed(criterion: Criterion) -> None:
    assert names(Policy((criterion,)), standing("b", 100.0), standing("a", 100.0)) == ["b", "a"]
