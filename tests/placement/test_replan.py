"""Planning against a previous plan: who may stay stays, and no more move than may."""

from __future__ import annotations

from dataclasses import replace

from small_estates import estate, link, node, prices, site, workload

from cellwright.estate.model import ComputePrices, Replicas, Tier
from cellwright.placement.diff import difference
from cellwright.placement.encode import from_json, to_json
from cellwright.placement.planning import plan
from cellwright.placement.verify import verify

REGION = site("region", Tier.REGION, nodes=(node(count=2, cores=64),))
METRO = site("metro", Tier.METRO, nodes=(node(count=2, cores=64),))
LINKS = (link("metro", "region", 20.0),)
MANY = workload("many", "metro", cores=8, memory=1, replicas=Replicas(12))
CHEAP_METRO = ComputePrices(Tier.METRO, "metro", 0.01, 0.001, {}, 0.0)


def test_the_same_estate_against_its_own_plan_is_the_same_plan() -> None:
    built = estate(METRO, REGION, *LINKS, MANY)
    made = plan(built)
    assert to_json(plan(built, against=made)) == to_json(made)
    assert to_json(plan(built, against=from_json(to_json(made)))) == to_json(made)


def test_without_moves_to_spend_nobody_moves_to_save_money() -> None:
    before = plan(estate(METRO, REGION, *LINKS, MANY))
    cheaper = estate(METRO, REGION, *LINKS, MANY, book=prices(CHEAP_METRO))
    assert difference(before, plan(cheaper, against=before)).moves == ()


def test_at_most_so_many_move_to_save_money() -> None:
    before = plan(estate(METRO, REGION, *LINKS, MANY))
    cheaper = estate(METRO, REGION, *LINKS, MANY, book=prices(CHEAP_METRO))
    after = plan(cheaper, against=before, max_moves=5)
    assert len(difference(before, after).moved) == 5
    assert verify(cheaper, after) == ()
    assert len(difference(before, plan(cheaper, against=before, max_moves=100)).moved) == 12


def test_who_may_no_longer_be_where_it_was_moves_even_if_no_move_is_left() -> None:
    before = plan(estate(METRO, REGION, *LINKS, MANY))
    strict = replace(MANY, latency=replace(MANY.latency, p99_ms=5.0))
    after = plan(estate(METRO, REGION, *LINKS, strict), against=before, max_moves=0)
    assert {placement.site for placement in after.placements} == {"metro"}


def test_a_new_replica_finds_room_by_one_move_where_that_is_allowed() -> None:
    built = estate(METRO, REGION, *LINKS, workload("wide", "metro", cores=8, memory=1, replicas=Replicas(16)))
    before = plan(built)
    assert {placement.site for placement in before.placements} == {"region"}
    tied = workload("tied", "region", p99=5.0, cores=8, memory=1)
    grown = replace(built, workloads={**built.workloads, "tied": tied})
    stuck, helped = plan(grown, against=before, max_moves=0), plan(grown, against=before, max_moves=1)
    assert not stuck.feasible
    assert helped.feasible
    assert len(difference(before, helped).moved) == 1
    assert verify(grown, helped) == ()
