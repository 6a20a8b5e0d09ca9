from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from random_estates import assembled, things
from small_estates import dataset, estate, link, node, regulation, site, tenant, use, workload

from cellwright.estate.model import Boundary, Estate, Replicas, Selector, SensitivityClass, Tier
from cellwright.placement.plan import Dimension
from cellwright.placement.planning import plan
from cellwright.placement.shadow import ShadowPrice, shadow_prices, verify

PII = SensitivityClass.SUBSCRIBER_PII
LIFTED_FOR_ALL = {Dimension.SOVEREIGNTY, Dimension.LATENCY, Dimension.GRAVITY, Dimension.OPERATIONS}


def priced(built: Estate, top: int = 5) -> tuple[ShadowPrice, ...]:
    return shadow_prices(built, plan(built), top)


def edge_and_cloud(*jobs: object, **facts: object) -> Estate:
    cloud = site("cloud", Tier.REGION, **facts)
    return estate(cloud, site("edge", Tier.FAR_EDGE), link("cloud", "edge", 10.0), *jobs)


def test_a_latency_limit_costs_the_difference_to_the_cheapest_site_it_alone_keeps_away() -> None:
    (found,) = priced(edge_and_cloud(workload("w", "edge", p99=5.0)))
    assert (found.constraint.code, found.constraint.subject, found.to) == ("latency.p99", "w", "cloud")
    assert found.saving_per_hour == pytest.approx(0.4)
    assert found.sentence() == (
        "latency.p99 of w (links of the estate + service time) costs 0.4 EUR/h: without it 1 replica of w would move, "
        "most to cloud (estimate)"
    )


def test_a_site_that_two_constraints_stand_against_is_the_price_of_neither() -> None:
    built = edge_and_cloud(workload("w", "edge", p99=5.0, skills=("tuning",)), skills=())
    taught = replace(
        built.sites["edge"], operations=replace(built.sites["edge"].operations, skills=frozenset({"tuning"}))
    )
    assert priced(replace(built, sites=dict(built.sites) | {"edge": taught})) == ()


def test_a_regulation_is_priced_across_workloads() -> None:
    jobs = [workload(name, "edge", consumes=(use("records", 0.0),)) for name in ("a", "b")]
    law = regulation("law", PII, boundary=Boundary.COUNTRY)
    (found,) = priced(edge_and_cloud(dataset("records", "edge", PII), law, *jobs, jurisdiction="FR"))
    assert (found.constraint.source, found.movers, found.workloads) == ("source of law", 2, ("a", "b"))
    assert found.saving_per_hour == pytest.approx(0.8)


def test_a_limit_of_many_replicas_is_one_constraint_whoever_their_users_are() -> None:
    edges = [site(f"e{index}", Tier.FAR_EDGE) for index in range(3)]
    everywhere = Replicas(per_site=Selector(tiers=frozenset({Tier.FAR_EDGE})))
    job = replace(workload("filter", "e0", p99=5.0), replicas=everywhere)
    links = [link(each.name, "cloud", 10.0) for each in edges]
    built = estate(site("cloud", Tier.REGION), *edges, *links, job)
    assert len({each.constraint for each in priced(built)}) <= 1


def test_the_dearest_constraint_comes_first_and_no_more_are_told_than_were_asked_for() -> None:
    built = edge_and_cloud(*(workload(f"w{n}", "edge", p99=5.0, cores=n) for n in (1, 3, 2)))
    assert [each.constraint.subject for each in priced(built)] == ["w3", "w2", "w1"]
    assert [each.constraint.subject for each in priced(built, 1)] == ["w3"]


def test_what_keeps_a_replica_from_having_any_site_is_told_without_a_price() -> None:
    (found,) = priced(estate(site("edge"), tenant(cores=1), workload("w", "edge", cores=4)))
    assert (found.constraint.code, found.movers, found.rescued, found.saving_per_hour) == ("quota.cores", 0, 1, 0.0)
    assert found.sentence() == "quota.cores of cores (tenant team) keeps 1 replica of w from having any site (estimate)"


def test_room_that_others_take_has_a_price_too() -> None:
    built = edge_and_cloud(workload("w1", "edge", cores=30), workload("w2", "edge", cores=30))
    (found,) = priced(built)
    assert found.constraint.code.startswith("capacity")
    assert found.saving_per_hour == pytest.approx(30 * 0.4)


def test_nothing_is_cheaper_than_a_cost_that_nobody_knows() -> None:
    unknown = site("edge", Tier.FAR_EDGE, nodes=(node(gpus=1, model="rumoured"),))
    cloud = site("cloud", Tier.REGION, nodes=(node(gpus=1),))
    built = estate(cloud, unknown, link("cloud", "edge", 10.0), workload("w", "edge", p99=5.0, gpus=1))
    assert priced(built) == ()


def test_a_constraint_that_is_lifted_and_planned_again_saves_what_was_estimated() -> None:
    built = edge_and_cloud(workload("w", "edge", p99=5.0))
    (found,) = priced(built)
    verified = verify(built, plan(built), found)
    assert verified.saving_per_hour == pytest.approx(found.saving_per_hour)
    assert verified.sentence("EUR") == ("planned again, it saves 0.4 EUR/h: latency.p99 limit of w from 5 ms to 11 ms")


def test_an_estimate_that_forgets_room_is_put_right_by_planning_again() -> None:
    jobs = [workload(name, "edge", cores=20, consumes=(use("records", 0.0),)) for name in ("a", "b")]
    law = regulation("law", PII, boundary=Boundary.COUNTRY)
    large = site("edge", Tier.FAR_EDGE, nodes=(node(cores=64),))
    abroad = site("cloud", Tier.REGION, jurisdiction="FR")
    built = estate(abroad, large, link("cloud", "edge", 10.0), dataset("records", "edge", PII), law, *jobs)
    (found,) = priced(built)
    assert found.saving_per_hour == pytest.approx(2 * 20 * 0.4)
    assert verify(built, plan(built), found).saving_per_hour == pytest.approx(20 * 0.4)


def test_verifying_what_keeps_a_replica_homeless_says_how_many_are_placed() -> None:
    built = estate(site("edge"), tenant(cores=1), workload("w", "edge", cores=4))
    (found,) = priced(built)
    verified = verify(built, plan(built), found)
    assert verified.placed == 1
    assert "1 replica more would have a site" in verified.sentence("EUR")


@settings(max_examples=25)
@given(things(most=1).map(assembled))
def test_for_one_replica_alone_planning_again_saves_at_least_what_was_estimated(built: Estate) -> None:
    """Of a single replica: several may have to share what one change frees, and a new machine has its own price."""
    made = plan(built)
    for found in shadow_prices(built, made):
        assert found.saving_per_hour >= 0.0
        if len(made.placements) == 1 and found.constraint.dimension in LIFTED_FOR_ALL:
            verified = verify(built, made, found)
            assert verified.changes
            if found.movers:
                assert verified.saving_per_hour >= found.saving_per_hour - 1e-9, found.sentence()
            assert verified.placed == found.rescued


@settings(max_examples=15)
@given(things().map(assembled))
def test_the_same_plan_has_the_same_shadow_prices(built: Estate) -> None:
    made = plan(built)
    assert shadow_prices(built, made) == shadow_prices(built, made)
