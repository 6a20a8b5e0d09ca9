"""Each filter alone, judging one workload at all sites."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from judged_cases import cases, naively, told
from random_estates import estates
from small_estates import case, dataset, estate, link, measurement, node, regulation, site, tenant, use, workload

from cellwright.errors import CellwrightError
from cellwright.estate.model import (
    Arch,
    Boundary,
    Call,
    Control,
    Effect,
    Estate,
    Execution,
    Nic,
    OnCall,
    Replicas,
    SensitivityClass,
    Spread,
    Tier,
)
from cellwright.placement import filters
from cellwright.placement.filters import (
    PRECEDENCE,
    affinity,
    gravity,
    hardware,
    latency,
    moving_findings,
    operations,
    quota,
    registered_filters,
    sovereignty,
    standing_findings,
)
from cellwright.placement.plan import Dimension
from cellwright.placement.terrain import Case, Held, Standing, Terrain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    from cellwright.placement.plan import Finding, Violation

PII, SIGNALLING = SensitivityClass.SUBSCRIBER_PII, SensitivityClass.SIGNALLING


def at_site(found: Iterable[Finding], judged: Case, where: str) -> list[Violation]:
    place = [each.name for each in judged.sites].index(where)
    return [each.violation(place, where) for each in found if each.at[place]]


def against(module: ModuleType, judged: Case, where: str) -> list[Violation]:
    """What one filter holds against one site."""
    return at_site(module.judge(judged), judged, where)


def everything(judged: Case, where: str) -> list[Violation]:
    """What all filters hold against one site."""
    return at_site((*standing_findings(judged), *moving_findings(judged)), judged, where)


def codes(found: list[Violation]) -> list[str]:
    return [each.code for each in found]


def test_every_eliminating_dimension_but_capacity_has_a_filter_in_order_of_precedence() -> None:
    dimensions = [each.dimension for each in registered_filters()]
    assert dimensions == sorted(dimensions, key=PRECEDENCE.index)
    assert set(Dimension) - {"capacity", "cost"} <= set(dimensions)


def test_planning_without_a_dimension_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "PluginSet", lambda _: iter([latency.FILTER]))
    registered_filters.cache_clear()
    try:
        with pytest.raises(
            CellwrightError, match="no filter is installed for sovereignty, gravity, operations, hardware, quota"
        ):
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
    found = against(sovereignty, case(built, "w"), "abroad")
    assert [(each.subject, each.code, each.source) for each in found] == [
        ("subscribers", "sovereignty.forbidden", "source of premises"),
        ("subscribers", "sovereignty.needs-review", "source of review"),
        ("traces", "sovereignty.needs-review", "source of review"),
        ("odd", "sovereignty.unclassified", "no regulation document"),
    ]
    assert found[0].measured == "a site in RS that the provider controls"
    assert against(sovereignty, case(built, "w"), "home") == []


def test_latency_is_network_plus_service_against_the_limit() -> None:
    built = estate(site("users"), site("far"), link("users", "far", 7.5), workload("w", "users", p99=10.0, service=3.0))
    (found,) = against(latency, case(built, "w"), "far")
    assert (found.code, found.measured, found.limit, found.unit) == ("latency.p99", 10.5, 10.0, "ms")
    assert found.source == "links users-far"
    assert "network 7.5 + service 3" in found.message
    assert against(latency, case(built, "w"), "users") == []


def test_latency_exactly_at_the_limit_is_within_it() -> None:
    built = estate(site("users"), site("far"), link("users", "far", 0.1), workload("w", "users", p99=0.3, service=0.2))
    assert against(latency, case(built, "w"), "far") == []


@pytest.mark.parametrize("limit", [None, 10.0])
def test_a_site_the_users_cannot_reach_is_never_admitted_and_measures_unknown(limit: float | None) -> None:
    built = estate(site("users"), site("island"), workload("w", "users", p99=limit))
    (found,) = against(latency, case(built, "w"), "island")
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
    (found,) = against(latency, case(built, "w", tool="far", free=None), "users")
    assert (found.code, found.subject, found.measured, found.limit) == ("latency.call", "tool", 5.0, 4.0)
    assert against(latency, case(built, "w", tool="far", free=None), "far") == []


def test_a_callee_that_runs_nowhere_is_not_near() -> None:
    built = estate(site("users"), workload("w", "users", calls=(Call("tool", 1.0, 4.0),)), workload("tool", "users"))
    (found,) = against(latency, case(built, "w", tool=None), "users")
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
    (found,) = against(gravity, case(built, "w"), "near")
    assert (found.code, found.subject, found.measured, found.limit) == ("gravity.bound", "records", "near", "home")
    assert against(gravity, case(built, "w"), "home") == []


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
    (found,) = against(gravity, case(built, "w"), "far")
    assert (found.code, found.measured, found.limit, found.unit) == ("gravity.transfer-time", 1800.0, 600.0, "s")
    assert found.source == "link hub-far"
    assert "450 GB of records need 30 min from home to far over 2 Gbit/s" in found.message
    assert against(gravity, case(built, "w"), "hub") == []


def test_data_without_a_path_never_arrives() -> None:
    built = estate(
        site("home"), site("island"), dataset("records", "home"), workload("w", "home", consumes=(use("records"),))
    )
    (found,) = against(gravity, case(built, "w"), "island")
    assert (found.code, found.measured) == ("gravity.transfer-time", None)


def test_each_missing_skill_and_too_little_cover_are_named() -> None:
    built = estate(
        site("s", skills=["fleet"], on_call=OnCall.BUSINESS_HOURS),
        workload("w", "s", skills=["tuning", "fleet", "ml"], on_call=OnCall.ALWAYS),
    )
    found = against(operations, case(built, "w"), "s")
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
    at = {name: [v.subject for v in against(operations, case(built, "w"), name)] for name in built.sites}
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
    found = everything(case(built, "w"), "far")
    assert [each.code for each in found] == [
        "sovereignty.forbidden",
        "latency.p99",
        "gravity.bound",
        "gravity.transfer-time",
        "operations.skill",
        "operations.on-call",
    ]


def test_data_that_moves_more_often_than_it_can_arrive_piles_up() -> None:
    hourly = use("counters", 1000.0, within_ms=10 * 3.6e6, every_ms=3.6e6)  # 8000 s over 1 Gbit/s
    built = estate(
        site("home"),
        site("away", Tier.REGION),
        link("home", "away", 5.0, gbps=1.0),
        dataset("counters", "home"),
        workload("w", "home", consumes=(hourly,)),
    )
    (found,) = against(gravity, case(built, "w"), "away")
    assert (found.code, found.measured, found.limit, found.unit) == ("gravity.transfer-time", 8000.0, 3600.0, "s")
    assert found.message.endswith("must arrive within 1 h, before the next are due")
    change = gravity.relax(case(built, "w"), built.sites["away"], found)
    assert change is not None
    assert change.text == "within of dataset counters from 1 h to 2.223 h, and every from 1 h to 2.223 h"
    assert not against(gravity, case(change.apply(built), "w"), "away")


def test_one_rule_against_one_dataset_is_one_violation_however_often_it_is_used() -> None:
    built = estate(
        site("home"),
        site("away", Tier.REGION, control=Control.PROVIDER),
        link("home", "away", 5.0),
        dataset("records", "home", PII, bound=True),
        regulation("premises", PII, boundary=Boundary.PREMISES),
        workload("w", "home", consumes=(use("records"), use("records", 2.0))),
    )
    found = everything(case(built, "w"), "away")
    assert [each.code for each in found] == ["sovereignty.forbidden", "gravity.bound"]


def test_what_users_measured_goes_before_any_reckoning() -> None:
    built = estate(
        site("users"),
        site("far"),
        site("island"),
        link("users", "far", 5.0),
        workload("w", "users", p99=10.0, service=1.0),
        measurement("w", "users", "far", 12.5, 4.0),
        measurement("w", "users", "island", 9.0),
    )
    judged = case(built, "w")
    (found,) = against(latency, judged, "far")
    assert (found.measured, found.source) == (12.5, "measured: a probe, 2026-01-01")
    assert against(latency, judged, "island") == []  # whoever measured it has reached it
    assert latency.round_trip_ms(judged, 0) == (4.0, 12.5, "measured: a probe, 2026-01-01")
    assert latency.round_trip_ms(judged, 1) == (None, 9.0, "measured: a probe, 2026-01-01")
    assert latency.round_trip_ms(judged, 2) == (0.5, 1.0, "links of the estate + service time")


def test_the_latest_measurement_counts() -> None:
    old, new = measurement("w", "s", "s", 50.0), measurement("w", "s", "s", 2.0)
    built = estate(
        site("s"), workload("w", "s", p99=10.0), old, replace(new, name="a", checked=new.checked.replace(year=2027))
    )
    assert against(latency, case(built, "w"), "s") == []


def test_a_path_over_an_estimated_link_says_so() -> None:
    built = estate(
        site("users"),
        site("near"),
        site("far"),
        link("users", "near", 2.0),
        link("near", "far", 3.0, estimated=True),
        workload("w", "users", p99=1.5, service=1.0),
    )
    judged = case(built, "w")
    assert [latency.round_trip_ms(judged, at)[2] for at in range(3)] == [
        "links of the estate + service time (estimated from distance)",
        "links of the estate + service time",
        "links of the estate + service time",
    ]
    (found,) = against(latency, judged, "far")
    assert found.source == "links users-near + near-far (estimated from distance)"


def lacking(demand: dict[str, object], *nodes: object, **more: object) -> list[tuple[str, object, object]]:
    """What hardware holds against one site with these nodes, for a workload with this demand."""
    built = estate(site("s", nodes=nodes), workload("w", "s", **{"needs": demand, **more}))
    return [(each.code, each.measured, each.limit) for each in against(hardware, case(built, "w"), "s")]


def test_the_nearest_machine_names_everything_it_lacks() -> None:
    small, large = node("small", cores=2, memory=4), node("large", cores=8, memory=4, gpus=1, gpu_memory=16)
    built = estate(site("s", nodes=(small, large)), workload("w", "s", cores=8, memory=8, gpus=2, gpu_memory=24))
    found = against(hardware, case(built, "w"), "s")
    assert [(each.code, each.measured, each.limit) for each in found] == [
        ("hardware.gpus", 1.0, 2.0),
        ("hardware.gpu-memory", 16.0, 24.0),
        ("hardware.memory", 4.0, 8.0),
    ]
    assert {each.source for each in found} == {"large"}
    assert found[0].message == "gpus at s: its nearest machine large has 1 GPU, 2 GPUs needed"


def test_every_kind_of_hardware_can_be_missing() -> None:
    assert lacking({}, node(arch=Arch.ARM64)) == [("hardware.arch", "arm64", "x86_64")]
    assert lacking({}, node(), untrusted=True) == [("hardware.dpu", "no DPU", "a DPU")]
    only = node(executions=frozenset({Execution.KUBERNETES}))
    assert lacking({}, only, execution=Execution.VM) == [("hardware.execution", "kubernetes", "vm")]
    assert lacking({"sriov": 6}, node(nics=(Nic("a", 0, 4, 25.0),))) == [("hardware.sriov", 4.0, 6.0)]
    huge = {"hugepages_gib": 4.0, "hugepage_mib": 1024}
    assert lacking(huge, node(hugepages_1gib_gib=2.0)) == [("hardware.hugepages", 2.0, 4.0)]
    assert lacking({"nvme_gb": 50.0}, node(nvme_gb=20.0)) == [("hardware.nvme", 20.0, 50.0)]
    mig = {"mig_profile": "2g.12gb"}
    assert lacking(mig, node(gpus=1, model="A30", gpu_memory=24.0)) == [("hardware.mig-profile", 0.0, 1.0)]
    assert lacking(mig, node(gpus=1, model="A30", gpu_memory=24.0, mig=True)) == []
    only = {"gpu_models": frozenset({"H100"})}
    assert lacking(only, node(gpus=1), gpus=1) == [("hardware.gpu-model", "L40S", "H100")]
    assert lacking({"single_cell": True}, node(cores=8, cells=2), cores=6) == [
        ("hardware.numa", pytest.approx(4 / 6), 1.0)
    ]
    assert lacking({}) == [("hardware.nodes", 0.0, 1.0)]


def test_memory_of_gpus_comes_out_of_unified_memory_and_of_no_other() -> None:
    unified = node("b", memory=64, gpus=1, gpu_memory=64, unified=True)
    assert lacking({}, unified, memory=24, gpus=1, gpu_memory=40) == []
    assert lacking({}, unified, memory=25, gpus=1, gpu_memory=40) == [("hardware.memory", 64.0, 65.0)]
    plain = node("a", memory=20, gpus=1, gpu_memory=64)
    assert lacking({}, plain, unified, memory=25, gpus=1, gpu_memory=40) == [("hardware.memory", 20.0, 25.0)]


def test_a_gang_needs_one_fabric_or_one_machine_that_holds_it() -> None:
    gang = {"gang": True, "replicas": Replicas(4), "cores": 8}
    half = [node(name, cores=16, fabric=name) for name in ("east", "west")]
    assert lacking({}, *half, **gang) == [("hardware.fabric", 2.0, 4.0)]
    assert lacking({}, *(replace(each, fabric="both") for each in half), **gang) == []
    assert lacking({}, node(cores=32), **gang) == []
    assert lacking({}, node(cores=32), **gang, spread=Spread.NODE) == [("hardware.fabric", 1.0, 4.0)]


def test_a_quota_counts_what_the_tenant_holds_and_nobody_else() -> None:
    built = estate(site("s"), tenant("team", cores=8, gpus=4), workload("w", "s", cores=4, gpus=1))
    standing = Standing({"team": Held(6, 1.0, 0, ("mine",)), "other": Held(9, 9.0, 9, ("theirs",))})
    judged = case(built, "w")
    assert against(quota, judged, "s") == []
    (found,) = against(quota, replace(judged, standing=standing), "s")
    assert (found.code, found.subject, found.measured, found.limit) == ("quota.cores", "cores", 10.0, 8.0)
    assert "already placed: mine" in found.message


def test_affinity_knows_who_must_and_must_not_share_a_site() -> None:
    built = estate(
        *(site(name) for name in "abcd"),
        workload("w", "a", together_with=frozenset({"cache"}), apart_from=frozenset({"rival"}), spread=Spread.SITE),
        workload("cache", "a"),
        workload("rival", "a"),
        workload("loner", "a", apart_from=frozenset({"w"})),
    )
    placed = {
        name: frozenset(sites) for name, sites in (("cache", {0, 1, 2}), ("rival", {1}), ("w", {2}), ("loner", {3}))
    }
    judged = replace(case(built, "w"), standing=Standing({}, placed))
    assert {name: codes(against(affinity, judged, name)) for name in "abcd"} == {
        "a": [],
        "b": ["affinity.apart"],
        "c": ["affinity.spread"],
        "d": ["affinity.together", "affinity.apart"],
    }
    assert codes(against(affinity, replace(judged, pinned="b"), "a")) == ["affinity.other-site"]
    assert codes(against(affinity, case(built, "w"), "a")) == ["affinity.together"]  # who it follows is nowhere


@given(cases())
def test_judging_all_sites_at_once_finds_what_judging_each_alone_finds(judged: Case) -> None:
    for where in judged.sites:
        assert told(everything(judged, where.name)) == naively(judged, where)


@given(cases())
def test_a_scope_of_one_site_gets_that_sites_part_of_the_answer(judged: Case) -> None:
    for place, where in enumerate(judged.sites):
        alone = replace(judged, scope=slice(place, place + 1))
        assert everything(alone, where.name) == everything(judged, where.name)


@given(estates)
def test_workloads_that_share_answers_get_the_answers_they_would_get_alone(built: Estate) -> None:
    shared = Terrain(built)
    callees = dict.fromkeys(built.workloads, shared.names[0])
    for job in built.workloads.values():
        together = Case(shared, job, callees, shared.variants(job)[0])
        alone = Case(Terrain(built), job, callees, shared.variants(job)[0])
        for name in shared.names:
            assert everything(together, name) == everything(alone, name)


@given(cases())
def test_what_is_told_of_a_site_names_it_and_leaves_no_blank(judged: Case) -> None:
    for where in judged.sites:
        for found in everything(judged, where.name):
            assert "{" not in found.message
            assert found.message
            assert found.source
