"""The policy in a gateway's document: built as written, or refused in its place."""

from __future__ import annotations

import pytest
from test_gateway_config import WHOLE, problems

from cellwright.gateway.config import load_config
from cellwright.gateway.model_policy import BreakerSettings, Budget, Criterion, Expected, Grade, Hedge, Policy

ROUTE = "{name: auto, backends: [cloud, local], dataClass: anonymised}"
POLICY = f"""\
{ROUTE[:-1]},
       prefer: [latency, price, load], latencyBudget: {{firstToken: 800 ms, roundTrip: 10 s}}, lightBelow: 0.4,
       hedgeAfter: p95, restart: true}}"""
BACKEND = (
    "tier: region\n      grade: light\n      maxConcurrency: 8\n      measured: {firstToken: 300 ms, source: probe}"
)


def test_a_policy_is_built_as_written() -> None:
    text = WHOLE.replace(ROUTE, POLICY).replace("tier: region", BACKEND)
    config = load_config(f"{text}  breaker: {{failures: 3, share: 0.2, window: 1 min, rest: 5 s}}\n", "g.yaml")
    criteria = (Criterion.LATENCY, Criterion.PRICE, Criterion.LOAD)
    assert config.routes[0].policy == Policy(criteria, Budget(800.0, 10_000.0), 0.4, Hedge(None), restart=True)
    assert (config.backends[0].grade, config.backends[0].max_concurrency) == (Grade.LIGHT, 8)
    assert config.backends[0].expected == Expected(300.0, None, "probe")
    assert config.breaker == BreakerSettings(3, 0.2, 60_000.0, 5_000.0)


def test_a_hedge_may_wait_for_a_duration() -> None:
    config = load_config(WHOLE.replace(ROUTE, f"{ROUTE[:-1]}, hedgeAfter: 300 ms}}"), "g.yaml")
    assert config.routes[0].policy == Policy(hedge=Hedge(300.0))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("prefer: [prize]", "did you mean 'price'?"),
        ("latencyBudget: {}", "expected firstToken, roundTrip or both"),
        ("latencyBudget: {firstToken: 800}", "error[wrong-unit]"),
        ("lightBelow: 1.5", "lightBelow is the number 1.5"),
        ("hedgeAfter: p99", "expected p95, the 95th percentile"),
        ("hedgeAfter: 300", "expected p95, the 95th percentile"),
        ("restart: yes please", "error[wrong-type]"),
        ("prefer: [price, price]", "'price' twice"),
    ],
)
def test_a_policy_that_cannot_be_is_refused_in_its_place(policy: str, expected: str) -> None:
    (problem,) = problems(WHOLE.replace(ROUTE, f"{ROUTE[:-1]}, {policy}}}"))
    assert problem.startswith("g.yaml:20:")
    assert expected in problem
