"""Pools of machines: what fits where, what is taken and given back, and what is lacking."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pool_estates import PERIODS, check, node, shape, shapes, site, sites

from cellwright.estate.model import Gpus, Nic, Site
from cellwright.placement.pool import Pool
from cellwright.placement.shape import Shape
from cellwright.placement.slots import Draw, Seating, Slot

A100 = Gpus("A100-80GB", 1, 80.0, mig=True)


def fill(pool: Pool, wanted: list[Shape], keep: list[bool]) -> list[Slot]:
    """Seat all that have room; every second one that is not to be kept is given back at once."""
    held: list[Slot] = []
    for each, stays in zip(wanted, keep, strict=True):
        slot = pool.choose(each)
        if slot is None:
            continue
        pool.take(slot)
        if stays:
            held.append(slot)
        else:
            pool.release(slot)
        if len(held) % 4 == 3:
            pool.release(held.pop(0))
    return held


def snapshot(pool: Pool) -> bytes:
    return pool._states.rows[pool._state].tobytes()


FILLINGS = st.lists(st.tuples(shapes(), st.booleans()), max_size=25)


@given(sites(), FILLINGS)
def test_capacities_hold_on_every_cell_gpu_and_period(places: list[Site], filling: list[tuple[Shape, bool]]) -> None:
    wanted = [each for each, _ in filling]
    pool = Pool(places, PERIODS, [(each, 1.0) for each in wanted[::2]])
    check(pool, fill(pool, wanted, [stays for _, stays in filling]))


@given(sites(), FILLINGS, shapes())
def test_release_undoes_take(places: list[Site], filling: list[tuple[Shape, bool]], last: Shape) -> None:
    pool = Pool(places, PERIODS)
    empty = snapshot(pool)
    held = fill(pool, [each for each, _ in filling], [stays for _, stays in filling])
    before = snapshot(pool)
    slot = pool.choose(last)
    if slot is not None:
        pool.take(slot)
        pool.release(slot)
    assert snapshot(pool) == before
    for each in held:
        pool.release(each)
    assert snapshot(pool) == empty


@given(sites(), FILLINGS, shapes())
def test_a_machine_fits_if_and_only_if_it_can_be_chosen_and_lacks_nothing(
    places: list[Site], filling: list[tuple[Shape, bool]], asked: Shape
) -> None:
    pool = Pool(places, PERIODS, [(asked, 1.0)])
    empty = pool.fits(asked)
    fill(pool, [each for each, _ in filling], [stays for _, stays in filling])
    fits = pool.fits(asked)
    assert np.array_equal(pool.able(asked), empty)
    assert not (fits & ~empty).any()
    for machine in range(len(pool)):
        only = np.array([machine])
        chosen = pool.choose(asked, only)
        assert (chosen is not None) == fits[machine]
        assert chosen is None or chosen.machine == machine
        assert (pool.lacks(asked, only, empty=False) == ()) == fits[machine]
        assert (pool.lacks(asked, only, empty=True) == ()) == empty[machine]
        copies, taken = pool.copies(asked, machine), []
        while len(taken) < 30 and (slot := pool.choose(asked, only)):
            pool.take(slot)
            taken.append(slot)
        assert len(taken) == min(copies, 30)
        for slot in taken:
            pool.release(slot)


@given(sites(), FILLINGS, shapes(), st.randoms(use_true_random=False))
def test_choose_keeps_within_what_it_is_given(
    places: list[Site], filling: list[tuple[Shape, bool]], asked: Shape, random: object
) -> None:
    pool = Pool(places, PERIODS)
    fill(pool, [each for each, _ in filling], [stays for _, stays in filling])
    within = np.array([random.random() < 0.5 for _ in range(len(pool))])
    for number in range(len(places)):
        slot = pool.choose(asked, pool.span(number), within)
        assert (slot is None) == (not (pool.fits(asked, pool.span(number)) & within[pool.span(number)]).any())
        if slot is not None:
            assert within[slot.machine]
            assert pool.site_of[slot.machine] == number


@given(sites(), FILLINGS, shapes())
def test_what_is_free_covers_what_fits(places: list[Site], filling: list[tuple[Shape, bool]], asked: Shape) -> None:
    pool = Pool(places, PERIODS)
    fill(pool, [each for each, _ in filling], [stays for _, stays in filling])
    free, names = pool.free()
    needed = pool.demand_vector(asked)
    assert free.shape == (len(places), len(names))
    assert needed.shape == (len(names),)
    for number in range(len(places)):
        if pool.fits(asked, pool.span(number)).any():
            assert (needed <= free[number] + 1e-6).all()


def test_a_node_stands_for_as_many_machines_as_it_says() -> None:
    pool = Pool([site("a", node("x", count=2), node("y")), site("b"), site("c", node("x"))])
    assert [pool.label(machine) for machine in range(4)] == ["x#1", "x#2", "y", "x"]
    assert pool.site_of.tolist() == [0, 0, 0, 2]
    assert [pool.span(number) for number in range(3)] == [slice(0, 3), slice(3, 3), slice(3, 4)]


def test_a_day_workload_and_a_night_workload_share_a_gpu() -> None:
    pool = Pool([site("a", node(gpus=Gpus("T4", 1, 16.0)))], 2)
    pool.take(pool.choose(shape(gpus=1, periods=(0,))))
    assert not pool.fits(shape(gpus=1, periods=(0,)))[0]
    assert pool.fits(shape(gpus=1, periods=(1,)))[0]
    assert not pool.fits(shape(gpus=1, periods=(0, 1)))[0]


def test_a_slice_free_by_day_and_another_by_night_do_not_make_an_instance() -> None:
    pool = Pool([site("a", node(gpus=A100))], 2)
    half = shape(mig_profile="3g.40gb", periods=(0,))
    first = pool.choose(half)
    pool.take(first)
    later = Slot(0, shape(mig_profile="3g.40gb", periods=(1,)), pool.choose(half).seating)
    pool.take(later)
    assert first.instances != later.instances
    assert not pool.fits(shape(mig_profile="3g.40gb", periods=(0, 1)))[0]
    assert pool.fits(shape(mig_profile="3g.40gb", periods=(1,)))[0]


def test_pinned_workloads_take_whole_cores() -> None:
    pool = Pool([site("a", node(cores=4, threads_per_core=2))])
    assert pool.copies(shape(cores=3, pinned=True), 0) == 2
    assert pool.copies(shape(cores=3), 0) == 2
    assert pool.copies(shape(cores=1, pinned=True), 0) == 4
    assert pool.copies(shape(cores=1), 0) == 8


def test_pinned_workloads_take_whole_cores_of_each_cell() -> None:
    pool = Pool([site("a", node(cores=4, threads_per_core=2, cells=2))])
    for cell in (0, 1):
        single = shape(cores=1)
        pool.take(Slot(0, single, Seating((cell,), (Draw(threads=1, memory_kib=1 << 20),), (), ())))
    chosen = pool.choose(shape(cores=4, pinned=True))
    assert [draw.threads for draw in chosen.seating.draws] == [2, 2]
    assert not pool.fits(shape(cores=5, pinned=True))[0]
    assert pool.fits(shape(cores=5))[0]


def test_hugepages_are_carved_out_of_memory() -> None:
    pool = Pool([site("a", node(hugepages_1gib_gib=60.0))])
    assert pool.copies(shape(memory=1.0), 0) == 4
    assert pool.copies(shape(memory=0.0, cores=0, hugepages_gib=20.0, hugepage_mib=1024), 0) == 3


def test_unified_memory_holds_what_gpus_hold() -> None:
    shared = Pool([site("a", node(gpus=Gpus("GB10", 1, 64.0), unified_memory=True))])
    wish = Shape(shape(memory=30.0, gpus=1).demand.__class__(1, 30.0, 1, 40.0, shape().demand.archs))
    assert [lack.resource for lack in shared.lacks(wish, empty=True)] == ["memory"]


def test_all_lacks_are_named_with_what_there_is_and_what_is_needed() -> None:
    pool = Pool([site("a", node(cores=4), node("m", gpus=A100))])
    lacks = {
        lack.resource: lack for lack in pool.lacks(shape(cores=6, memory=100.0, mig_profile="1g.10gb"), empty=True)
    }
    assert list(lacks) == ["mig-profile", "cores", "memory"]
    assert lacks["cores"].short.tolist() == [True, False]
    assert lacks["cores"].measured.tolist() == [4.0, 8.0]
    assert lacks["memory"].limit == pytest.approx(100.0)
    assert lacks["mig-profile"].measured.tolist() == [0.0, 7.0]


def test_enough_in_total_but_in_no_one_cell_is_a_numa_lack() -> None:
    pool = Pool([site("a", node(cores=8, cells=2, nics=(Nic("e", 1, 8, 25.0),)))])
    assert [lack.resource for lack in pool.lacks(shape(cores=6, single_cell=True), empty=True)] == ["numa"]
    assert pool.lacks(shape(cores=6), empty=True) == ()
    chosen = pool.choose(shape(cores=2, single_cell=True, sriov=2))
    assert chosen.cells == (1,)


def test_states_that_no_machine_is_in_are_forgotten() -> None:
    pool = Pool([site("a", node(cores=200))])
    one, two = shape(cores=1), shape(cores=1, memory=0.001)
    for count in range(12_000):
        slot = pool.choose(two if count % 3 else one)
        if slot is None:
            pool = Pool([site("a", node(cores=200))])
            continue
        pool.take(slot)
    assert len(pool._states) < 5_000


def test_the_same_requests_get_the_same_slots() -> None:
    def run() -> list[Slot | None]:
        pool = Pool([site("a", node(gpus=Gpus("T4", 4, 16.0), count=3, cells=2))], targets=[(shape(gpus=2), 1.0)])
        found = []
        for count in range(12):
            found.append(pool.choose(shape(gpus=1 + count % 2)))
            if found[-1]:
                pool.take(found[-1])
        return found

    assert run() == run()


@given(sites(), st.lists(st.tuples(shapes(), st.booleans(), st.booleans()), max_size=25))
def test_sites_with_room_follow_what_is_taken_and_given_back(
    places: list[Site], filling: list[tuple[Shape, bool, bool]]
) -> None:
    pool = Pool(places, PERIODS)
    held: list[Slot] = []
    for each, stays, asks in filling:
        if (slot := pool.choose(each)) is not None:
            pool.take(slot)
            held.append(slot)
        if held and not stays:
            pool.release(held.pop(0))
        if asks:  # not after every change: what was missed meanwhile must be heard too
            naive = [bool(pool.fits(each, pool.span(place)).any()) for place in range(len(places))]
            assert pool.sites_with_room(each).tolist() == naive
