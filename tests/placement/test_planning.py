from __future__ import annotations

import gc

import pytest
from small_estates import dataset, estate, link, node, prices, regulation, site, tenant, use, workload

from cellwright.errors import EstateError
from cellwright.estate.model import Boundary, Call, ComputePrices, Control, Estate, SensitivityClass, Tier
from cellwright.placement.garbage import uncollected
from cellwright.placement.plan import Dimension, Placement
from cellwright.placement.planning import plan
from cellwright.placement.summary import total_per_hour

SIGNALLING = SensitivityClass.SIGNALLING
OFFICE = site("office", nodes=(node(cores=64),))
REGION = site("region", Tier.REGION, control=Control.PROVIDER, nodes=(node(count=4, cores=64),))
FAR = link("office", "region", 20.0)


def placed(built: Estate, name: str = "w") -> Placement:
    placement = plan(built).placement(name)
    assert placement is not None
    return placement


def codes(placement: Placement) -> dict[str, list[str]]:
    return {each.site: [violation.code for violation in each.violations] for each in placement.rejections}


def test_without_constraints_the_cheapest_site_wins_and_cost_decides() -> None:
    found = placed(estate(OFFICE, REGION, FAR, workload("w", "office", cores=10, memory=0)))
    assert (found.site, found.tier, found.cost_per_hour, found.decided_by) == (
        "region",
        Tier.REGION,
        1.0,
        Dimension.COST,
    )
    (rejection,) = found.rejections
    (violation,) = rejection.violations
    assert (violation.code, violation.measured, violation.limit, violation.unit) == ("cost.higher", 3.0, 1.0, "EUR/h")
    assert found.decided_because == ("region (1 EUR/h) is the cheapest of 2 feasible sites, and no site was eliminated")


def test_latency_decides_where_it_eliminates_the_cheapest() -> None:
    found = placed(estate(OFFICE, REGION, FAR, workload("w", "office", p99=10.0)))
    assert (found.site, found.decided_by, found.latency_p99_ms) == ("office", Dimension.LATENCY, 1.0)
    assert found.decided_because == (
        "region (0.11 EUR/h) would come first, but round-trip P99 from office to region is 21 ms (network 20 + "
        "service 1), above 10 ms; office (0.31 EUR/h) is the only feasible site"
    )


def test_the_class_of_the_data_decides_not_the_phase() -> None:
    free, kept = dataset("data", "office"), dataset("data", "office", SIGNALLING)
    law = regulation("law", SIGNALLING, boundary=Boundary.PREMISES)
    kpi = regulation("free", SensitivityClass.AGGREGATED_KPI)
    job = workload("w", "office", consumes=(use("data"),))
    assert placed(estate(OFFICE, REGION, FAR, law, kpi, job, free)).site == "region"
    found = placed(estate(OFFICE, REGION, FAR, law, kpi, job, kept))
    assert (found.site, found.decided_by) == ("office", Dimension.SOVEREIGNTY)
    assert {dimension: count for dimension, count in found.eliminated.items() if count} == {Dimension.SOVEREIGNTY: 1}


def test_a_site_is_counted_under_the_first_dimension_that_eliminates_it() -> None:
    data = dataset("data", "office", SIGNALLING, bound=True)
    law = regulation("law", SIGNALLING, boundary=Boundary.PREMISES)
    found = placed(estate(OFFICE, REGION, FAR, data, law, workload("w", "office", p99=5.0, consumes=(use("data"),))))
    assert found.eliminated[Dimension.SOVEREIGNTY] == 1
    assert sum(found.eliminated.values()) == 1
    assert codes(found) == {"region": ["sovereignty.forbidden", "latency.p99", "gravity.bound"]}


def test_ingress_is_paid_for_data_that_comes_from_elsewhere() -> None:
    data = dataset("data", "office")
    job = workload("w", "office", cores=1, memory=0, consumes=(use("data", 25.0),))
    found = placed(estate(OFFICE, REGION, FAR, data, job))
    assert (found.site, found.cost_per_hour) == ("office", 0.3)
    rejected = found.rejections[0].violations[0]
    assert (rejected.code, rejected.measured) == ("cost.higher", 0.35)


def test_a_callee_is_placed_first_and_its_answers_are_paid_for() -> None:
    built = estate(
        OFFICE,
        REGION,
        FAR,
        workload("a-caller", "office", cores=1, memory=0, calls=(Call("tool", 100.0, None),)),
        workload("tool", "office", p99=5.0),
    )
    found = placed(built, "a-caller")
    assert found.calls == (("tool", "office", Tier.ONPREM),)
    assert (found.site, found.cost_per_hour) == ("office", 0.3)
    assert found.rejections[0].violations[0].measured == 1.1


def test_an_unknown_cost_never_beats_a_known_one() -> None:
    cheap = site("cheap", nodes=(node(gpus=1, model="rumoured"),))
    dear = site("dear", nodes=(node(gpus=1),))
    job = workload("w", "cheap", gpus=1, gpu_memory=24)
    found = placed(estate(cheap, dear, link("cheap", "dear", 1.0), job))
    assert found.site == "dear"
    violation = found.rejections[0].violations[0]
    assert (violation.dimension, violation.code, violation.measured) == (Dimension.COST, "cost.unknown", None)


def test_an_unknown_cost_is_placed_where_nothing_known_is_feasible() -> None:
    built = estate(site("cheap", nodes=(node(gpus=1, model="rumoured"),)), workload("w", "cheap", gpus=1))
    found = placed(built)
    assert (found.site, found.cost_per_hour) == ("cheap", None)
    assert total_per_hour(plan(built)) is None


def test_within_a_site_the_cheaper_machine_is_taken() -> None:
    nodes = (node("big", gpus=1, model="H100", gpu_memory=80), node("small", gpus=1))
    found = placed(estate(site("s", nodes=nodes), workload("w", "s", gpus=1, gpu_memory=40)))
    assert (found.node, found.cost_items[2].amount) == ("small", 2.0)


def test_who_has_most_to_lose_chooses_first() -> None:
    small = site("a", Tier.REGION, nodes=(node(cores=10),))
    near = site("b", Tier.METRO, nodes=(node(cores=10),))
    built = estate(
        small, near, link("a", "b", 10.0), workload("flexible", "a", cores=10), workload("tied", "a", cores=10, p99=5.0)
    )
    assert {each.workload: each.site for each in plan(built).placements} == {"flexible": "b", "tied": "a"}
    assert placed(built, "flexible").decided_by is Dimension.CAPACITY
    assert "tied took the rest" in placed(built, "flexible").decided_because


def test_a_workload_whose_room_others_took_is_told_so() -> None:
    only = site("s", nodes=(node(cores=8),))
    found = placed(estate(only, workload("w", "s", cores=5), workload("a", "s", cores=5)), "w")
    assert (found.site, found.decided_by) == (None, Dimension.CAPACITY)
    assert codes(found) == {"s": ["capacity.taken"]}
    assert found.decided_because == (
        "no site is left (eliminated: capacity 1); nearest miss s: s could hold it, but now its nearest machine rack "
        "has 3 cores, 5 cores needed: a took the rest"
    )


def test_a_quota_binds_over_all_workloads_of_a_tenant() -> None:
    built = estate(site("s"), tenant("team", cores=8), *(workload(name, "s", cores=5) for name in "ab"))
    assert [each.site for each in plan(built).placements] == ["s", None]
    assert codes(placed(built, "b")) == {"s": ["quota.cores"]}


def test_an_infeasible_workload_is_a_result_with_its_nearest_miss() -> None:
    built = estate(OFFICE, REGION, FAR, workload("w", "office", p99=0.5, service=2.0))
    found = placed(built)
    assert (found.site, found.cost_per_hour, found.latency_p99_ms) == (None, None, None)
    assert found.decided_by is Dimension.LATENCY
    assert found.decided_because.startswith("no site is left (eliminated: latency 2); nearest miss office: round-trip")
    assert not plan(built).feasible


def test_an_estate_without_sites_has_a_plan_too() -> None:
    found = placed(estate(workload("w", "nowhere")))
    assert (found.site, found.decided_because) == (None, "the estate has no sites")


def test_workloads_that_call_in_a_circle_are_refused() -> None:
    calls = {"a": "b", "b": "a"}
    built = estate(site("s"), *(workload(name, "s", calls=(Call(to, 1.0, None),)) for name, to in calls.items()))
    with pytest.raises(EstateError, match="call-cycle"):
        plan(built)


def test_a_plan_is_valid_until_the_first_of_its_grounds_expires() -> None:
    assert plan(estate(site("s"), workload("w", "s"))).valid_until == "2027-01-01"


def test_a_price_for_one_site_moves_the_workload() -> None:
    cheaper = ComputePrices(Tier.ONPREM, "office", 0.01, 0.0, {}, 0.0)
    assert placed(estate(OFFICE, REGION, FAR, workload("w", "office"), book=prices(cheaper))).site == "office"


def test_the_search_for_garbage_waits_for_the_end_and_then_goes_on_as_before() -> None:
    frozen = gc.get_freeze_count()
    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


def test_a_plan_that_fails_leaves_the_search_for_garbage_on() -> None:
    with pytest.raises(EstateError):
        plan(
            estate(
                OFFICE,
                workload("v", "office", calls=(Call("w", 1.0, None),)),
                workload("w", "office", calls=(Call("v", 1.0, None),)),
            )
        )
    assert gc.isenabled()
