"""Replicas: how many, for whom, how far apart, with whom, and all or nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_estates import dataset, estate, link, node, site, use, workload

from cellwright.estate.model import Replicas, Selector, ServiceClass, Spread, Tier
from cellwright.placement.planning import plan
from cellwright.placement.verify import verify

if TYPE_CHECKING:
    from cellwright.estate.model import Estate
    from cellwright.placement.plan import Placement

POD = {"cores": 8, "memory": 64.0, "gpus": 2}


def sound(built: Estate) -> tuple[Placement, ...]:
    made = plan(built)
    assert verify(built, made) == ()
    return made.placements


def sites_of(built: Estate, name: str = "w") -> list[str | None]:
    return [each.site for each in sound(built) if each.workload == name]


def test_as_many_are_placed_as_there_is_room_for_and_the_rest_say_what_is_missing() -> None:
    built = estate(site("a", nodes=(node(cores=4, count=2),)), workload("w", "a", cores=3, replicas=Replicas(3)))
    found = sound(built)
    assert Counter(each.site for each in found) == {"a": 2, None: 1}
    (left,) = (each for each in found if each.site is None)
    assert [violation.code for violation in left.rejections[0].violations] == ["capacity.taken"]


def test_each_selected_site_has_its_own_replica_that_serves_its_users() -> None:
    edges = [site(name, Tier.FAR_EDGE) for name in "abc"]
    job = workload("w", "d", p99=2.0, replicas=Replicas(per_site=Selector(tiers=frozenset({Tier.FAR_EDGE}))))
    built = estate(*edges, site("d", Tier.METRO), *(link(name, "d", 9.0) for name in "abc"), job)
    assert [(each.site, each.users) for each in sound(built)] == [("a", "a"), ("b", "b"), ("c", "c")]


def test_a_selector_takes_labels_jurisdictions_and_tiers_together() -> None:
    chosen = Selector(frozenset({Tier.METRO}), frozenset({"IT"}), frozenset({("ring", "south")}))
    south = frozenset({("ring", "south")})
    built = estate(
        site("a", Tier.METRO, labels=south),
        site("b", Tier.METRO, labels=south, jurisdiction="FR"),
        site("c", Tier.REGION, labels=south),
        site("d", Tier.METRO),
        workload("w", "a", replicas=Replicas(per_site=chosen)),
    )
    assert sites_of(built) == ["a"]


def test_no_site_selected_means_no_replica() -> None:
    job = workload("w", "a", replicas=Replicas(per_site=Selector(tiers=frozenset({Tier.AI_FACTORY}))))
    assert sites_of(estate(site("a"), job)) == []


def test_one_for_each_home_consumes_its_own_data_and_serves_its_home() -> None:
    uses = (use("x", 30.0), use("y", 2.0))
    job = workload("w", "c", consumes=uses, replicas=Replicas(per_home=("x", "y")))
    data = (dataset("x", "a", bound=True), dataset("y", "b", bound=True))
    built = estate(site("a"), site("b"), site("c", Tier.REGION), link("a", "b", 2.0), link("b", "c", 2.0), *data, job)
    assert [(each.site, each.users) for each in sound(built)] == [("a", "a"), ("b", "b")]


def test_data_that_is_not_of_a_home_is_consumed_by_every_replica() -> None:
    job = workload("w", "b", consumes=(use("x"), use("common")), replicas=Replicas(per_home=("x",)))
    data = (dataset("x", "a"), dataset("common", "b", bound=True))
    assert sites_of(estate(site("a"), site("b", Tier.REGION), link("a", "b", 2.0), *data, job)) == ["b"]


@pytest.mark.parametrize(("spread", "expected"), [(Spread.ANY, 3), (Spread.NODE, 2), (Spread.SITE, 1)])
def test_spread_says_how_many_one_site_of_two_machines_takes(spread: Spread, expected: int) -> None:
    job = workload("w", "a", replicas=Replicas(3), spread=spread)
    assert sites_of(estate(site("a", nodes=(node(count=2),)), job)).count("a") == expected


def test_a_gang_is_whole_on_one_fabric_or_nowhere() -> None:
    def built(fabrics: tuple[str | None, ...], gang: int) -> Estate:
        machines = tuple(node(f"n{index}", fabric=fabric, **POD) for index, fabric in enumerate(fabrics))
        return estate(site("a", nodes=machines), workload("w", "a", gpus=2, replicas=Replicas(gang), gang=True))

    assert sites_of(built(("x", "x", "y"), 2)) == ["a", "a"]
    assert sites_of(built(("x", "y", "y"), 3)) == [None, None, None]
    assert sites_of(built((None, None), 2)) == [None, None]


def test_a_gang_on_one_machine_needs_no_fabric() -> None:
    job = workload("w", "a", gpus=1, replicas=Replicas(2), gang=True)
    assert sites_of(estate(site("a", nodes=(node("n", **POD),)), job)) == ["a", "a"]


def test_time_slices_of_a_gpu_add_up_to_the_whole() -> None:
    share = {"needs": {"gpu_share": 0.4}, "service_class": ServiceClass.BEST_EFFORT}
    job = workload("w", "a", gpus=1, replicas=Replicas(5), **share)
    assert sites_of(estate(site("a", nodes=(node(gpus=2),)), job)).count("a") == 4


def test_time_slices_never_ask_for_more_memory_than_the_gpu_has() -> None:
    share = {"needs": {"gpu_share": 0.1}, "service_class": ServiceClass.BEST_EFFORT}
    job = workload("w", "a", gpus=1, gpu_memory=20.0, replicas=Replicas(5), **share)
    assert sites_of(estate(site("a", nodes=(node(gpus=2, gpu_memory=48.0),)), job)).count("a") == 4


def test_what_needs_one_cell_is_not_split_over_two() -> None:
    machine = node(cores=8, sockets=2, cells=2)
    split, whole = workload("split", "a", cores=5), workload("w", "a", cores=5, needs={"single_cell": True})
    built = estate(site("a", nodes=(machine,)), split, whole)
    assert sites_of(built, "split") == ["a"]
    assert sites_of(built) == [None]


def test_a_gang_leaves_no_crumbs_when_it_does_not_fit() -> None:
    pods = (node("n", count=3, fabric="x", **POD),)
    gang = workload("gang", "a", gpus=2, replicas=Replicas(4), gang=True)
    single = workload("w", "a", gpus=2, replicas=Replicas(3))
    built = estate(site("a", nodes=pods), gang, single)
    assert sites_of(built, "gang") == [None] * 4
    assert sites_of(built) == ["a"] * 3


def test_who_must_be_together_follows_and_who_must_be_apart_keeps_away() -> None:
    places = (site("a", Tier.METRO), site("b", Tier.REGION), link("a", "b", 2.0))
    base = workload("base", "a", p99=2.0)
    near = workload("w", "a", together_with=frozenset({"base"}))
    away = workload("w", "a", apart_from=frozenset({"base"}))
    assert sites_of(estate(*places, base, near)) == ["a"]
    assert sites_of(estate(*places, replace(base, latency=replace(base.latency, p99_ms=None)), away)) == ["a"]
    assert sites_of(estate(*places, base, away)) == ["b"]


def test_whom_nobody_has_placed_nobody_can_follow() -> None:
    base = workload("base", "a", cores=99)
    assert sites_of(estate(site("a"), base, workload("w", "a", together_with=frozenset({"base"})))) == [None]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.integers(1, 40), st.sampled_from(Spread))
def test_replicas_fill_exactly_the_room_there_is(cores: list[int], count: int, spread: Spread) -> None:
    """Identical replicas on machines of one kind: the room can be counted."""
    places = [site(f"s{index}", nodes=(node(cores=each, count=2),)) for index, each in enumerate(cores)]
    roads = [link("s0", f"s{index}", 1.0) for index in range(1, len(cores))]
    job = workload("w", "s0", cores=2, replicas=Replicas(count), spread=spread)
    room = {
        Spread.ANY: sum(2 * (each // 2) for each in cores),
        Spread.NODE: sum(2 * min(1, each // 2) for each in cores),
        Spread.SITE: sum(min(1, each // 2) for each in cores),
    }[spread]
    found = sites_of(estate(*places, *roads, job))
    assert len(found) - found.count(None) == min(count, room)
