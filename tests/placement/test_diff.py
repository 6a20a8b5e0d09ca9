from __future__ import annotations

from dataclasses import replace

from small_estates import estate, link, node, site, workload

from cellwright.estate.model import Estate, Replicas, Tier
from cellwright.placement.diff import difference
from cellwright.placement.planning import plan

REGION = site("region", Tier.REGION, nodes=(node(count=4, cores=64),))
METRO = site("metro", Tier.METRO, nodes=(node(count=4, cores=64),))
SMALL = site("office", nodes=(node(cores=8),))
LINKS = (link("office", "metro", 2.0), link("metro", "region", 20.0))


def without(built: Estate, lost: str) -> Estate:
    return replace(built, sites={**built.sites, lost: replace(built.sites[lost], nodes=())})


def test_a_plan_does_not_differ_from_itself() -> None:
    made = plan(estate(SMALL, METRO, REGION, *LINKS, workload("w", "office")))
    found = difference(made, made)
    assert (found.moves, found.cost_before, found.cost_after) == ((), 0.11, 0.11)


def test_losing_a_site_moves_those_who_were_there_and_nobody_else() -> None:
    near = workload("near", "office", p99=5.0, cores=4, replicas=Replicas(10))
    built = estate(SMALL, METRO, REGION, *LINKS, near, workload("far", "office"))
    before = plan(built)
    after = plan(without(built, "region"), against=before)
    found = difference(before, after)
    assert [move.label for move in found.moved] == ["far"]
    assert found.moved[0].before == "region/rack#1"
    assert (found.lost, found.found) == ((), ())


def test_who_loses_the_last_place_is_told_and_who_finds_one_again_too() -> None:
    built = estate(SMALL, METRO, REGION, *LINKS, workload("near", "office", p99=5.0, cores=16))
    before = plan(built)
    after = plan(without(built, "metro"), against=before)
    lost = difference(before, after)
    assert [(move.label, move.after) for move in lost.lost] == [("near", None)]
    assert [move.label for move in difference(after, before).found] == ["near"]


def test_a_replica_that_is_in_one_plan_only_is_told_too() -> None:
    built = estate(SMALL, METRO, REGION, *LINKS, workload("w", "office", replicas=Replicas(2)))
    fewer = estate(SMALL, METRO, REGION, *LINKS, workload("w", "office"))
    found = difference(plan(built), plan(fewer))
    assert [(move.label, move.because) for move in found.lost] == [("w#2", "not in the plan any more")]
