from __future__ import annotations

from dataclasses import replace
from statistics import median

import pytest
from hypothesis import given, settings
from random_estates import estates
from small_estates import dataset, estate, link, node, prices, regulation, site, use, workload

from cellwright.estate.model import (
    Boundary,
    Call,
    ComputePrices,
    Estate,
    Replicas,
    Selector,
    SensitivityClass,
    Tier,
)
from cellwright.placement.comparison import EDGE, Column, Comparison, compare
from cellwright.placement.planning import plan

PII = SensitivityClass.SUBSCRIBER_PII


def compared(built: Estate) -> Comparison:
    return compare(built, plan(built))


def country() -> Estate:
    """Two regions, a metro site and an edge; records may not leave the country, and one region is abroad."""
    return estate(
        site("cloud-cheap", Tier.REGION, jurisdiction="FR"),
        site("cloud-home", Tier.REGION),
        site("edge", Tier.FAR_EDGE),
        site("metro", Tier.METRO),
        link("edge", "metro", 2.0),
        link("metro", "cloud-home", 8.0),
        link("metro", "cloud-cheap", 18.0),
        dataset("records", "edge", PII),
        regulation("law", PII, boundary=Boundary.COUNTRY),
        workload("anomaly", "edge", p99=5.0, service=1.0, consumes=(use("records", 3.0),)),
        workload("report", "edge", service=1.0, consumes=(use("records", 1.0),)),
        book=prices(ComputePrices(Tier.REGION, "cloud-cheap", 0.05, 0.01, {}, 0.01)),
    )


def test_all_cloud_is_cheapest_breaks_the_law_and_misses_the_limit() -> None:
    cloud = compared(country()).all_cloud
    assert (cloud.late, cloud.unlawful, cloud.nowhere) == (1, 2, 0)
    assert (cloud.median_p99_ms, cloud.worst_p99_ms) == (21.0, 21.0)
    assert cloud.backhaul_gb_per_h == 4.0
    assert cloud.cost.total == pytest.approx(2 * (0.05 + 0.01) + 4 * 0.01)


def test_all_edge_is_near_lawful_and_dear() -> None:
    edge = compared(country()).all_edge
    assert (edge.late, edge.unlawful, edge.worst_p99_ms, edge.backhaul_gb_per_h) == (0, 0, 1.0, 0.0)
    assert edge.cost.total == pytest.approx(2 * (0.5 + 0.01))


def test_the_plan_keeps_every_limit_and_costs_less_than_all_edge() -> None:
    found = compared(country())
    assert (found.plan.late, found.plan.unlawful, found.plan.other_violations) == (0, 0, 0)
    assert found.plan.cost.total < found.all_edge.cost.total


def test_a_design_without_a_machine_says_so_and_counts_nothing_else() -> None:
    built = estate(site("edge", Tier.FAR_EDGE), site("factory", Tier.AI_FACTORY), workload("w", "edge"))
    cloud = compared(built).all_cloud
    assert (cloud.replicas, cloud.nowhere, cloud.median_p99_ms, cloud.cost.total) == (1, 1, None, 0.0)


def test_a_machine_that_is_too_small_is_no_machine() -> None:
    small = site("edge", Tier.FAR_EDGE, nodes=(node(cores=1),))
    built = estate(small, site("metro", Tier.METRO), link("edge", "metro", 2.0), workload("w", "edge", cores=4))
    assert compared(built).all_edge.worst_p99_ms == 3.0


def test_every_replica_counts_and_a_pin_to_a_site_is_not_heeded_by_the_designs() -> None:
    edges = [site(f"e{index}", Tier.FAR_EDGE) for index in range(3)]
    links = [link(each.name, "cloud", 10.0) for each in edges]
    everywhere = Replicas(per_site=Selector(tiers=frozenset({Tier.FAR_EDGE})))
    job = replace(workload("filter", "e0", service=1.0), replicas=everywhere)
    found = compared(estate(site("cloud", Tier.REGION), *edges, *links, job))
    assert [(each.replicas, each.worst_p99_ms) for each in found.columns] == [(3, 1.0), (3, 11.0), (3, 1.0)]
    assert found.all_cloud.cost.total == pytest.approx(3 * 0.11)


def test_calls_cross_sites_only_where_the_two_are_apart() -> None:
    built = estate(
        site("cloud", Tier.REGION),
        site("edge", Tier.FAR_EDGE),
        link("cloud", "edge", 5.0),
        workload("tool", "edge", p99=2.0, service=1.0),
        workload("agent", "edge", calls=(Call("tool", 7.0, None),)),
    )
    found = compared(built)
    assert [each.backhaul_gb_per_h for each in found.columns] == [7.0, 0.0, 0.0]


def test_a_callee_that_no_site_is_selected_for_sends_nothing() -> None:
    nowhere = Replicas(per_site=Selector(tiers=frozenset({Tier.METRO})))
    tool = replace(workload("tool", "edge"), replicas=nowhere)
    agent = workload("agent", "edge", calls=(Call("tool", 7.0, None),))
    found = compared(estate(site("edge", Tier.FAR_EDGE), tool, agent))
    assert [(each.replicas, each.backhaul_gb_per_h) for each in found.columns] == [(1, 0.0)] * 3


def test_an_unknown_cost_is_counted_and_shown_as_unknown() -> None:
    machine = node(gpus=1, model="rumoured")
    built = estate(site("cloud", Tier.REGION, nodes=(machine,)), workload("w", "cloud", gpus=1), workload("v", "cloud"))
    cloud = compared(built).all_cloud
    assert cloud.cost.total is None
    assert cloud.cost.told("EUR/h") == "? EUR/h (unknown for 1; 0.11 EUR/h for the others)"


def test_users_who_cannot_reach_a_design_are_counted_and_not_averaged_away() -> None:
    built = estate(site("cloud", Tier.REGION), site("edge", Tier.FAR_EDGE), workload("w", "edge", p99=9.0))
    cloud = compared(built).all_cloud
    assert (cloud.unreachable, cloud.late, cloud.worst_p99_ms) == (1, 1, None)


def test_the_sentences_give_all_three_figures_with_their_units() -> None:
    unknown = "? kWh/h (unknown for 2)"
    first, *others = compared(country()).sentences()
    assert first == (
        "Latency: P99 7 ms (median) to 11 ms (worst) as planned, P99 21 ms (median) to 21 ms (worst) all-cloud, "
        "P99 1 ms (median) to 1 ms (worst) all-edge; limits missed: 0, 1, 0."
    )
    assert others == [
        "Backhaul: 4 GB/h as planned, 4 GB/h all-cloud, 0 GB/h all-edge.",
        "Sovereignty: rules broken: 0 as planned, 2 all-cloud, 0 all-edge.",
        f"Energy: {unknown} as planned, {unknown} all-cloud, {unknown} all-edge.",
        "Cost: 0.36 EUR/h as planned, 0.16 EUR/h all-cloud, 1.02 EUR/h all-edge.",
    ]


def test_the_table_has_a_row_for_each_figure_and_a_column_for_each_design() -> None:
    rows = compared(country()).rows()
    assert ("sovereignty rules broken", "0", "2", "0") in rows
    assert len({label for label, *_ in rows}) == len(rows) == 9


def test_an_estate_without_sites_compares_nothing() -> None:
    found = compared(estate())
    assert all((each.replicas, each.cost.total) == (0, 0.0) for each in found.columns)


@settings(max_examples=25)
@given(estates)
def test_a_plan_never_breaks_what_the_designs_are_reproached_with(built: Estate) -> None:
    made = plan(built)
    found = compare(built, made)
    assert (found.plan.late, found.plan.unlawful, found.plan.other_violations, found.plan.unreachable) == (0, 0, 0, 0)
    _agrees(found.plan, [each for each in made.placements if each.site])
    assert found == compare(built, made)


def _agrees(column: Column, placed: list) -> None:
    """Check a column against the plan's own words."""
    p99 = [each.latency_p99_ms for each in placed]
    assert column.nowhere == column.replicas - len(placed)
    assert column.median_p99_ms == (median(p99) if p99 else None)
    assert column.cost.unknown == sum(each.cost_per_hour is None for each in placed)
    assert column.cost.known == pytest.approx(sum(each.cost_per_hour or 0.0 for each in placed))
    assert column.backhaul_gb_per_h == pytest.approx(
        sum(item.quantity for each in placed for item in each.cost_items if item.meter == "ingress")
    )


@settings(max_examples=25)
@given(estates)
def test_no_plan_puts_a_replica_in_the_cloud_cheaper_or_at_the_edge_nearer_than_the_designs(built: Estate) -> None:
    made = plan(built)
    found = compare(built, made)
    tiers = {each.tier for each in made.placements}
    lone = len(built.workloads) == 1 and made.feasible
    if lone and tiers == {Tier.REGION} and not found.plan.cost.unknown:
        assert found.all_cloud.cost.total <= found.plan.cost.total
    if lone and tiers <= EDGE and found.plan.worst_p99_ms is not None:
        forms = next(iter(built.workloads.values())).quantisations
        measured = built.measurements  # "nearest" is by the links, a measured round trip may say otherwise
        assert forms or measured or found.all_edge.worst_p99_ms <= found.plan.worst_p99_ms
