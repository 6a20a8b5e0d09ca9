from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from random_estates import estates
from small_estates import case, estate, node, site, workload

from cellwright.estate.model import Estate, Spread
from cellwright.placement.capacity import over_power, relax, taken
from cellwright.placement.pool import Pool
from cellwright.placement.terrain import Case, Terrain

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwright.placement.plan import Violation


def filled(judged: Case, *others: str) -> Pool:
    """The machines once some workloads have sat down, each where it fits best."""
    terrain = judged.terrain
    pool = Pool(terrain.sites, len(terrain.periods))
    for name in others:
        slot = pool.choose(terrain.variants(terrain.estate.workloads[name])[0].shape)
        assert slot is not None
        pool.take(slot)
    return pool


def against(judged: Case, pool: Pool, where: str, **more: object) -> list[Violation]:
    place = [each.name for each in judged.sites].index(where)
    return [each.violation(place, where) for each in taken(judged, pool, **more) if each.at[place]]


def test_room_that_others_took_is_told_apart_from_room_that_never_was() -> None:
    built = estate(
        site("full", nodes=(node(cores=8),)),
        site("small", nodes=(node(cores=2),)),
        workload("w", "full", cores=4),
        workload("first", "full", cores=6),
    )
    judged = case(built, "w")
    (found,) = against(judged, filled(judged, "first"), "full", holders=lambda _: ["first"])
    assert (found.code, found.subject, found.measured, found.limit) == ("capacity.taken", "cores", 2.0, 4.0)
    assert found.message == (
        "full could hold it, but now its nearest machine rack has 2 cores, 4 cores needed: first took the rest"
    )
    assert against(judged, filled(judged, "first"), "small") == []  # hardware's to tell
    assert taken(judged, filled(judged)) == ()


def test_the_nearest_of_several_machines_is_told_of() -> None:
    racks = node("a", cores=8, memory=8), node("b", count=2, cores=8, memory=32)
    big = [workload(name, "s", cores=6, memory=30) for name in "xy"]
    built = estate(site("s", nodes=racks), workload("w", "s", cores=8, memory=8), *big, workload("z", "s", memory=3))
    judged = case(built, "w")
    found = against(judged, filled(judged, "x", "y", "z"), "s")
    assert [(each.subject, each.source, each.measured) for each in found] == [("cores", "a", 7.0), ("memory", "a", 5.0)]


def test_no_room_but_beside_another_replica_is_told_where_no_two_may_share_a_machine() -> None:
    built = estate(site("s", nodes=(node(count=2),)), workload("w", "s", spread=Spread.NODE))
    judged = case(built, "w")
    assert against(judged, filled(judged, "w"), "s", beside=[0]) == []
    (found,) = against(judged, filled(judged, "w"), "s", beside=[0, 1])
    assert (found.code, found.limit) == ("capacity.spread", "one replica a machine")
    assert relax(judged, built.sites["s"], found).apply(built).workloads["w"].spread is Spread.ANY


def test_each_power_budget_is_told_with_its_own_limit() -> None:
    built = estate(*(site(name) for name in "abc"), workload("w", "a"))
    at, drawn, limits = np.array([True, True, False]), np.array([3.0, 6.5, 1.0]), np.array([2.0, 6.0, 9.0])
    judged = case(built, "w")
    told = [
        each.violation(place, name)
        for each in over_power(judged, at, drawn, limits)
        for place, name in enumerate("abc")
        if each.at[place]
    ]
    assert [(each.measured, each.limit, each.code) for each in told] == [
        (3.0, 2.0, "capacity.power"),
        (6.5, 6.0, "capacity.power"),
    ]
    assert told[1].message == "with w the machines at b would draw 6.5 kW, the site has 6 kW"
    change = relax(judged, built.sites["b"], told[1])
    assert change.text == "power budget of site b from 6 kW to 6.5 kW"
    assert change.apply(built).sites["b"].power_budget_kw == 6.5


@st.composite
def crowds(draw: Callable) -> tuple[Case, Pool]:
    """A case, and machines on which replicas of any workloads sit."""
    built: Estate = draw(estates)
    terrain = Terrain(built)
    pool = Pool(terrain.sites, len(terrain.periods))
    for name in draw(st.lists(st.sampled_from(sorted(built.workloads)), max_size=12)):
        slot = pool.choose(terrain.variants(built.workloads[name])[0].shape)
        if slot:
            pool.take(slot)
    job = built.workloads[draw(st.sampled_from(sorted(built.workloads)))]
    return Case(terrain, job, {}, terrain.variants(job)[0]), pool


@given(crowds())
def test_each_machine_asked_alone_tells_the_same(crowd: tuple[Case, Pool]) -> None:
    judged, pool = crowd
    shape = judged.variant.shape
    for index, name in enumerate(judged.terrain.names):
        machines = range(pool.span(index).start, pool.span(index).stop)
        able = [at for at in machines if pool.able(shape)[at]]
        lacks = [(pool.lacks(shape, slice(at, at + 1), empty=False), pool.node(at).name, at) for at in able]
        found = {(each.subject, each.measured, each.limit) for each in against(judged, pool, name)}
        if not able or any(pool.fits(shape)[at] for at in able):
            assert found == set()
        else:
            nearest = min(lacks, key=lambda each: (len(each[0]), each[1], each[2]))[0]
            assert found == {(each.resource, each.measured[0], each.limit) for each in nearest}


@given(crowds())
def test_a_scope_of_one_site_gets_that_sites_part_of_the_answer(crowd: tuple[Case, Pool]) -> None:
    judged, pool = crowd
    for place, name in enumerate(judged.terrain.names):
        alone = replace(judged, scope=slice(place, place + 1))
        assert against(alone, pool, name) == against(judged, pool, name)
