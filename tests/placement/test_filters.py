"""Each filter alone, judging one workload at one site."""

from __future__ import annotations

import pytest
from hypothesis import given
from random_estates import estates
from small_estates import case, dataset, estate, link, regulation, site, use, workload

from cellwright.errors import CellwrightError
from cellwright.estate.model import Boundary, Call, Control, Effect, Estate, OnCall, SensitivityClass, Tier
from cellwright.placement import filters
from cellwright.placement.filters import PRECEDENCE, gravity, latency, operations, registered_filters, sovereignty
from cellwright.placement.plan import Dimension
from cellwright.placement.terrain import Case, Terrain

PII, SIGNALLING = SensitivityClass.SUBSCRIBER_PII, SensitivityClass.SIGNALLING


def test_the_four_dimensions_are_registered_in_order_of_precedence() -> None:
    dimensions = [each.dimension for each in registered_filters()]
    assert dimensions == sorted(dimensions, key=PRECEDENCE.index)
    assert {"sovereignty", "latency", "gravity", "operations"} <= set(dimensions)


def test_planning_without_a_dimension_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "PluginSet", lambda _: iter([latency.FILTER]))
    registered_filters.cache_clear()
    try:
        with pytest.raises(CellwrightError, match="no filter is installed for sovereignty, gravity, operations"):
            registered_filters()
    finally:
        registered_filters.cache_clear()


def test_sovereignty_names_every_dataset_and_every_rule() -> None:
    built = estate(
        site("home"),
        site("abroad", Tier.REGION, jurisdiction="RS", control=Control.PROVIDER),
        dataset("subscribers", "home", PII),
        dataset("traces", "home", SIGNALLING),
        dataset("odd", "home", SensitivityClass.LOCATION),
        regulation("premises", PII, boundary=Boundary.PREMISES),
        regulation("review", PII, SIGNALLING, boundary=Boundary.COUNTRY, effect=Effect.REVIEW),
        workload("w", "home", consumes=(use("subscribers"), use("traces"), use("odd"))),
    )
    found = list(sovereignty.judge(case(built, "w"), built.sites["abroad"]))
    assert [(each.subject, each.code, each.source) for each in found] == [
        ("subscribers", "sovereignty.forbidden", "source of premises"),
        ("subscribers", "sovereignty.needs-review", "source of review"),
        ("traces", "sovereignty.needs-review", "source of review"),
        ("odd", "sovereignty.unclassified", "no regulation document"),
    ]
    assert found[0].measured == "a site in RS that the provider controls"
    assert list(sovereignty.judge(case(built, "w"), built.sites["home"])) == []


def test_latency_is_network_plus_service_against_the_limit() -> None:
    built = estate(site("users"), site("far"), link("users", "far", 7.5), workload("w", "users", p99=10.0, service=3.0))
    (found,) = latency.judge(case(built, "w"), built.sites["far"])
    assert (found.code, found.measured, found.limit, found.unit) == ("latency.p99", 10.5, 10.0, "ms")
    assert found.source == "links users-far"
    assert "network 7.5 + service 3" in found.message
    assert list(latency.judge(case(built, "w"), built.sites["users"])) == []


def test_latency_exactly_at_the_limit_is_within_it() -> None:
    built = estate(site("users"), site("far"), link("users", "far", 0.1), workload("w", "users", p99=0.3, service=0.2))
    assert list(latency.judge(case(built, "w"), built.sites["far"])) == []


@pytest.mark.parametrize("limit", [None, 10.0])
def test_a_site_the_users_cannot_reach_is_never_admitted_and_measures_unknown(limit: float | None) -> None:
    built = estate(site("users"), site("island"), workload("w", "users", p99=limit))
    (found,) = latency.judge(case(built, "w"), built.sites["island"])
    assert (found.code, found.measured, found.limit) == ("latency.unreachable", None, limit)


def test_a_call_is_measured_from_where_its_callee_runs() -> None:
    called = (Call("tool", 1.0, 4.0), Call("free", 1.0, None))
    built = estate(
        site("users"),
        site("far"),
        link("users", "far", 5.0),
        workload("w", "users", calls=called),
        workload("tool", "far"),
    )
    (found,) = latency.judge(case(built, "w", tool="far", free=None), built.sites["users"])
    assert (found.code, found.subject, found.measured, found.limit) == ("latency.call", "tool", 5.0, 4.0)
    assert list(latency.judge(case(built, "w", tool="far", free=None), built.sites["far"])) == []


def test_a_callee_that_runs_nowhere_is_not_near() -> None:
    built = estate(site("users"), workload("w", "users", calls=(Call("tool", 1.0, 4.0),)), workload("tool", "users"))
    (found,) = latency.judge(case(built, "w", tool=None), built.sites["users"])
    assert (found.code, found.measured) == ("latency.call", None)
    assert found.message == "tool, which it calls within 4 ms, has no site"


def test_a_bound_dataset_admits_its_home_only() -> None:
    built = estate(
        site("home"),
        site("near"),
        link("home", "near", 1.0),
        dataset("records", "home", bound=True),
        workload("w", "home", consumes=(use("records"),)),
    )
    (found,) = gravity.judge(case(built, "w"), built.sites["near"])
    assert (found.code, found.subject, found.measured, found.limit) == ("gravity.bound", "records", "near", "home")
    assert list(gravity.judge(case(built, "w"), built.sites["home"])) == []


def test_a_transfer_takes_as_long_as_its_narrowest_link_makes_it() -> None:
    built = estate(
        site("home"),
        site("hub"),
        site("far"),
        link("home", "hub", 1.0, gbps=100),
        link("hub", "far", 1.0, gbps=2),
        dataset("records", "home"),
        workload("w", "home", consumes=(use("records", 450.0, within_ms=6e5),)),
    )
    (found,) = gravity.judge(case(built, "w"), built.sites["far"])
    assert (found.code, found.measured, found.limit, found.unit) == ("gravity.transfer-time", 1800.0, 600.0, "s")
    assert found.source == "link hub-far"
    assert "450 GB of records need 30 min from home to far over 2 Gbit/s" in found.message
    assert list(gravity.judge(case(built, "w"), built.sites["hub"])) == []


def test_data_without_a_path_never_arrives() -> None:
    built = estate(
        site("home"), site("island"), dataset("records", "home"), workload("w", "home", consumes=(use("records"),))
    )
    (found,) = gravity.judge(case(built, "w"), built.sites["island"])
    assert (found.code, found.measured) == ("gravity.transfer-time", None)


def test_each_missing_skill_and_too_little_cover_are_named() -> None:
    built = estate(
        site("s", skills=["fleet"], on_call=OnCall.BUSINESS_HOURS),
        workload("w", "s", skills=["tuning", "fleet", "ml"], on_call=OnCall.ALWAYS),
    )
    found = list(operations.judge(case(built, "w"), built.sites["s"]))
    assert [(each.code, each.subject) for each in found] == [
        ("operations.skill", "ml"),
        ("operations.skill", "tuning"),
        ("operations.on-call", "on_call"),
    ]
    assert (found[2].measured, found[2].limit) == ("business_hours", "24x7")


def test_a_provider_brings_hardware_skills_but_no_model_skills() -> None:
    built = estate(
        site("managed", managed=True), site("own", managed=False), workload("w", "own", skills=["hardware", "tuning"])
    )
    at = {name: [v.subject for v in operations.judge(case(built, "w"), built.sites[name])] for name in built.sites}
    assert at == {"managed": ["tuning"], "own": ["hardware", "tuning"]}


def test_every_violation_of_every_dimension_is_recorded() -> None:
    built = estate(
        site("users"),
        site("far", Tier.REGION, jurisdiction="RS", control=Control.PROVIDER, on_call=OnCall.NONE),
        link("users", "far", 90.0, gbps=0.001),
        dataset("records", "users", SIGNALLING, bound=True),
        regulation("premises", SIGNALLING, boundary=Boundary.PREMISES),
        workload("w", "users", p99=10.0, consumes=(use("records"),), skills=["tuning"], on_call=OnCall.ALWAYS),
    )
    found = filters.violations_of_law(case(built, "w"), [built.sites["far"]])["far"]
    assert [each.code for each in found] == [
        "sovereignty.forbidden",
        "latency.p99",
        "gravity.bound",
        "gravity.transfer-time",
        "operations.skill",
        "operations.on-call",
    ]
    assert {each.dimension for each in found} == set(PRECEDENCE) - {Dimension.CAPACITY, Dimension.COST}


def test_data_that_moves_more_often_than_it_can_arrive_piles_up() -> None:
    hourly = use("counters", 1000.0, within_ms=10 * 3.6e6, every_ms=3.6e6)  # 8000 s over 1 Gbit/s
    built = estate(
        site("home"),
        site("away", Tier.REGION),
        link("home", "away", 5.0, gbps=1.0),
        dataset("counters", "home"),
        workload("w", "home", consumes=(hourly,)),
    )
    (found,) = gravity.judge(case(built, "w"), built.sites["away"])
    assert (found.code, found.measured, found.limit, found.unit) == ("gravity.transfer-time", 8000.0, 3600.0, "s")
    assert found.message.endswith("must arrive within 1 h, before the next are due")
    change = gravity.relax(case(built, "w"), built.sites["away"], found)
    assert change is not None
    assert change.text == "within of dataset counters from 1 h to 2.223 h, and every from 1 h to 2.223 h"
    assert not list(gravity.judge(case(change.apply(built), "w"), built.sites["away"]))


def test_one_rule_against_one_dataset_is_one_violation_however_often_it_is_used() -> None:
    built = estate(
        site("home"),
        site("away", Tier.REGION, control=Control.PROVIDER),
        link("home", "away", 5.0),
        dataset("records", "home", PII, bound=True),
        regulation("premises", PII, boundary=Boundary.PREMISES),
        workload("w", "home", consumes=(use("records"), use("records", 2.0))),
    )
    found = filters.violations_of_law(case(built, "w"), [built.sites["away"]])["away"]
    assert [each.code for each in found] == ["sovereignty.forbidden", "gravity.bound"]


@given(estates)
def test_workloads_that_share_answers_get_the_answers_they_would_get_alone(built: Estate) -> None:
    shared, sites = Terrain(built), tuple(built.sites.values())
    callees = dict.fromkeys(built.workloads, sites[0].name)
    for job in built.workloads.values():
        alone = [
            tuple(dict.fromkeys(found for each in registered_filters() for found in each.judge(one, where)))
            for one in [Case(Terrain(built), job, callees)]
            for where in sites
        ]
        assert list(filters.violations_of_law(Case(shared, job, callees), sites).values()) == alone
