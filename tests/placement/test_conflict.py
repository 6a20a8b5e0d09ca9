from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from random_estates import estates
from small_estates import dataset, estate, link, node, regulation, site, tenant, use, workload

from cellwright.estate.model import (
    Boundary,
    Control,
    Estate,
    OnCall,
    Replicas,
    SensitivityClass,
    ServiceClass,
    Spread,
    Tier,
)
from cellwright.placement.admitting import applied
from cellwright.placement.conflict import Conflict, barriers, conflicts
from cellwright.placement.plan import Dimension
from cellwright.placement.planning import plan

SIGNALLING = SensitivityClass.SIGNALLING


def stuck(*things: object) -> tuple[Estate, Conflict]:
    """An estate and the one conflict in it."""
    built = estate(*things)
    (found,) = conflicts(built, plan(built))
    return built, found


def test_a_feasible_plan_has_no_conflict() -> None:
    built = estate(site("s"), workload("w", "s"))
    assert conflicts(built, plan(built)) == ()


def test_law_and_latency_that_leave_nothing_are_named_together_and_nothing_else_is() -> None:
    built, found = stuck(
        site("office", nodes=(node(cores=2),)),
        site("abroad", Tier.REGION, jurisdiction="FR", control=Control.PROVIDER, on_call=OnCall.NONE),
        site("far"),
        link("office", "abroad", 4.0),
        link("office", "far", 20.0),
        dataset("records", "office", SIGNALLING),
        regulation("law", SIGNALLING, boundary=Boundary.PREMISES),
        workload("w", "office", p99=10.0, cores=8, consumes=(use("records"),), on_call=OnCall.ALWAYS),
    )
    assert {each.code for each in found.barriers} >= {"latency.p99", "hardware.cores"}
    assert len(found.barriers) == 3
    assert [(each.sites, each.alone) for each in found.barriers] == [(1, 1)] * 3
    assert found.way_out is not None
    assert [change.text for change in found.way_out.changes] == ["6 cores more in machine rack at office"]
    assert (found.way_out.complete, found.way_out.sites) == (True, ("office",))
    assert found.sentence.startswith("w has no site: every site is ruled out by one of these, and each is needed")
    assert "the cheapest way out, planned again, is at office for" in found.sentence
    assert plan(applied(built, found.way_out.changes)).feasible


def test_one_constraint_that_rules_out_everything_stands_alone() -> None:
    _, found = stuck(site("a"), site("b"), link("a", "b", 1.0), tenant("team", cores=4), workload("w", "a", cores=8))
    (barrier,) = found.barriers
    assert (barrier.code, barrier.limit, barrier.sites) == ("quota.cores", 4.0, 2)
    assert "quota.cores of cores (4 cores) at 2 sites rules out every site" in found.sentence


def test_of_ways_out_with_as_few_changes_the_cheapest_is_taken() -> None:
    _, found = stuck(
        site("dear", Tier.FAR_EDGE, nodes=(node(cores=4),)),
        site("cheap", Tier.REGION, nodes=(node(cores=4),)),
        link("dear", "cheap", 1.0),
        workload("w", "dear", cores=8),
    )
    assert found.way_out is not None
    assert found.way_out.sites == ("cheap",)
    assert [change.text for change in found.way_out.changes] == ["4 cores more in machine rack at cheap"]


def test_replicas_without_room_are_led_out_one_after_another() -> None:
    built, found = stuck(
        site("s", nodes=(node(cores=8),)), workload("w", "s", cores=6, replicas=Replicas(3), spread=Spread.ANY)
    )
    assert (len(found.replicas), found.total) == (2, 3)
    assert found.way_out is not None
    assert found.way_out.complete
    assert len(found.way_out.changes) == 2
    assert plan(applied(built, found.way_out.changes)).feasible


def test_a_conflict_without_a_way_out_says_so() -> None:
    _, found = stuck(site("s", nodes=()), site("t", nodes=(node(cores=1),)), workload("w", "s", cores=2))
    assert replace(found, way_out=None).sentence.endswith("no way out was sought or none is known")


def test_a_gang_that_others_keep_from_being_whole_is_told_so_and_led_out() -> None:
    pods = (node("n", cores=8, count=3, fabric="x"),)
    built, found = stuck(
        site("s", nodes=pods),
        workload("held", "s", cores=8),
        workload("w", "s", cores=8, gang=True, replicas=Replicas(3), service_class=ServiceClass.BEST_EFFORT),
    )
    (barrier,) = found.barriers
    assert (barrier.code, barrier.limit, barrier.unit, barrier.sites) == ("capacity.gang", 3.0, "replicas", 1)
    assert found.way_out is not None
    assert [change.text for change in found.way_out.changes] == [
        "3 further machines on one RDMA fabric at s with 8 cores, 1 GiB (x86_64)"
    ]
    assert found.way_out.complete
    assert plan(applied(built, found.way_out.changes)).feasible


def test_a_quota_too_small_for_a_whole_gang_rules_it_out_and_names_what_all_of_it_takes() -> None:
    built, found = stuck(
        site("s"), tenant("team", cores=5), workload("w", "s", cores=2, gang=True, replicas=Replicas(3))
    )
    (barrier,) = found.barriers
    assert (barrier.code, barrier.limit) == ("quota.cores", 5.0)
    assert found.way_out is not None
    assert [change.text for change in found.way_out.changes] == ["quota of tenant team from 5 cores to 6 cores"]
    assert plan(applied(built, found.way_out.changes)).feasible


@settings(max_examples=60)
@given(estates)
def test_barriers_rule_out_every_site_and_none_of_them_can_be_spared(built: Estate) -> None:
    for placement in plan(built).placements:
        if placement.site is not None:
            continue
        against = {
            (each.code, each.subject, each.source): np.zeros_like(each.at) for each in placement.rejections.findings
        }
        for each in placement.rejections.findings:
            against[each.code, each.subject, each.source] |= each.at & (each.dimension is not Dimension.COST)
        chosen = [against[each.code, each.subject, each.source] for each in barriers(placement)]
        if not chosen:
            assert not np.logical_or.reduce([*against.values(), np.zeros(len(built.sites), dtype=bool)]).all()
            continue
        assert np.logical_or.reduce(chosen).all()
        for spared in range(len(chosen)):
            rest = [at for place, at in enumerate(chosen) if place != spared]
            assert not rest or not np.logical_or.reduce(rest).all()


@settings(max_examples=25)
@given(estates)
def test_a_complete_way_out_gives_every_replica_a_site_when_everybody_else_stays(built: Estate) -> None:
    made = plan(built)
    homeless = {each.workload for each in made.placements if each.site is None}
    for found in conflicts(built, made):
        if found.way_out is None or not found.way_out.complete or homeless != {found.workload}:
            continue  # whoever else has no site might take the room that the way out makes
        again = plan(applied(built, found.way_out.changes), made)
        placed = {each.replica: each.site for each in again.placements_of(found.workload)}
        assert all(placed[replica] is not None for replica in found.replicas)
        assert found.sentence
