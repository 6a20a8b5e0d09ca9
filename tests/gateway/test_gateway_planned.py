"""A gateway out of a plan: what is placed becomes backends and routes, what has no server is named."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cellwright.errors import UsageError
from cellwright.estate.model import Boundary, SensitivityClass, Tier
from cellwright.gateway.model import AccessKey, BackendSpec, GatewayConfig, Rule, ServerSpec
from cellwright.gateway.model_policy import Budget
from cellwright.gateway.routing.route import compile_table
from cellwright.placement import encode
from cellwright.placement.planning import plan as make_plan
from cellwright.wiring.estates import load_estate
from cellwright.wiring.planned import with_plan

if TYPE_CHECKING:
    from cellwright.estate.model import Estate
    from cellwright.placement.plan import Plan

OPERATOR = Path(__file__).parents[2] / "examples/operator"
DAY = date(2026, 11, 20)
OWN = Rule("own", frozenset({SensitivityClass.MODEL_ARTEFACT}), Boundary.PREMISES, "house rule")


@cache
def operator() -> tuple[Estate, Plan]:
    """Return the example's estate and its plan, written and read again."""
    estate = load_estate(OPERATOR, DAY)
    return estate, encode.from_json("".join(encode.json_lines(make_plan(estate))), "plan.json")


def server(workload: str, site: str | None = None, model: str = "m") -> ServerSpec:
    backend = BackendSpec("", "openai", model, Tier.REGION, Boundary.NONE, base_url="http://127.0.0.1:1/v1")
    return ServerSpec(workload, site, backend)


def planned(*servers: ServerSpec) -> tuple[GatewayConfig, tuple[str, ...]]:
    keys = (AccessKey("noc", "noc", "0" * 64),)
    estate, plan = operator()
    return with_plan(GatewayConfig(keys, (), (), (OWN,), SensitivityClass.SIGNALLING, servers=servers), plan, estate)


def test_what_is_placed_becomes_a_backend_where_it_stands_and_a_route_of_its_name() -> None:
    found, _ = planned(server("incident-agents"), server("slice-policy"))
    assert [(backend.name, backend.tier, backend.boundary) for backend in found.backends] == [
        ("incident-agents-at-region-milano", Tier.REGION, Boundary.COUNTRY),
        ("slice-policy-at-onprem-napoli", Tier.ONPREM, Boundary.PREMISES),
    ]
    assert [(route.name, route.backends) for route in found.routes] == [
        ("incident-agents", ("incident-agents-at-region-milano",)),
        ("slice-policy", ("slice-policy-at-onprem-napoli",)),
    ]


def test_limits_figures_prices_and_classes_come_from_the_estate() -> None:
    estate, _ = operator()
    priced = next(prices.model for book in estate.price_books.values() for prices in book.tokens)
    found, _ = planned(server("knowledge-retrieval", model=priced))
    (backend,), (route,) = found.backends, found.routes
    assert backend.expected is not None
    assert (backend.expected.first_token_ms, backend.expected.round_trip_ms) == (120.0, 410.0)
    assert backend.expected.source == "measurement knowledge-retrieval-at-roma"
    assert backend.price is not None
    assert route.policy.budget == Budget(round_trip_ms=estate.workloads["knowledge-retrieval"].latency.p99_ms)
    assert route.data_class is SensitivityClass.NETWORK_CONFIGURATION


def test_the_rules_of_the_home_apply_beside_those_of_the_document() -> None:
    estate, _ = operator()
    found, _ = planned(server("incident-agents"))
    home = {name for name, regulation in estate.regulations.items() if "IT" in regulation.jurisdictions}
    assert found.rules[0] is OWN
    assert {rule.name for rule in found.rules[1:]} == home
    decision = compile_table(found).decide("incident-agents", SensitivityClass.SIGNALLING)
    assert decision is not None
    assert decision.allowed == ()  # the region is the provider's


def test_a_server_of_a_site_goes_before_one_of_any() -> None:
    found, notes = planned(server("slice-policy", model="any"), server("slice-policy", "onprem-napoli", "there"))
    assert [backend.model for backend in found.backends] == ["there"]
    assert "no placement of the plan goes with the server of slice-policy" in notes


def test_placements_without_a_server_are_named() -> None:
    _, (lacking, spare) = planned(server("incident-agents"), server("slice-policy", "onprem-roma"))
    assert lacking.startswith("no server in spec.servers goes with alarm-filter at onprem-milano, ")
    assert "slice-policy at onprem-napoli" in lacking
    assert "incident-agents" not in lacking
    assert spare == "no placement of the plan goes with the server of slice-policy at onprem-roma"


def test_a_plan_of_another_estate_or_without_any_server_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no-servers.*placed are alarm-filter at onprem-milano"):
        planned(server("slice-polcy"))
    other = load_estate(OPERATOR, DAY, ["Workload/slice-policy/latency.p99=9 ms"])
    _, plan = operator()
    config, _ = planned(server("slice-policy"))
    with pytest.raises(UsageError, match=r"other-estate.*plan the estate anew"):
        with_plan(config, plan, other)
