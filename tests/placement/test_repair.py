"""Repair: few moves that make room for waiting replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pool_estates import PERIODS, check, node, shape, shapes, site, sites

from cellwright.estate.model import Gpus, Site
from cellwright.placement.pool import Pool
from cellwright.placement.repair import repair

if TYPE_CHECKING:
    from cellwright.placement.shape import Shape


@given(
    sites(),
    st.lists(shapes(), min_size=5, max_size=40),
    st.lists(st.tuples(shapes(), st.booleans()), min_size=1, max_size=8),
    st.integers(0, 4),
    st.randoms(use_true_random=False),
)
def test_repair_keeps_capacities_masks_and_every_seat_and_its_bound_of_moves(
    places: list[Site], first: list[Shape], late: list[tuple[Shape, bool]], most: int, random: object
) -> None:
    pool = Pool(places, PERIODS)
    masks = [None, np.array([random.random() < 0.7 for _ in range(len(pool))])]
    seats = []
    for wanted in [*first, *first]:
        mask = masks[random.random() < 0.3]
        slot = pool.choose(wanted, within=mask)
        if slot is not None:
            pool.take(slot)
            seats.append((slot, mask))
    waiting = [(wanted, masks[masked]) for wanted, masked in late]
    done = repair(pool, seats, waiting, most)
    assert len(done.moves) <= most
    assert len({seat for seat, _ in done.moves}) == len(done.moves)
    held = [slot for slot, _ in seats]
    for seat, slot in done.moves:
        assert slot.shape == held[seat].shape
        held[seat] = slot
    allowed = [mask for _, mask in seats]
    for index, slot in done.placed:
        assert slot.shape == waiting[index][0]
        held.append(slot)
        allowed.append(waiting[index][1])
    assert all(mask is None or mask[slot.machine] for slot, mask in zip(held, allowed, strict=True))
    check(pool, held)
    for slot in held:
        pool.release(slot)
    assert (
        pool._states.rows[pool._state].tobytes()
        == Pool(places, PERIODS)._states.rows[Pool(places, PERIODS)._state].tobytes()
    )


def test_a_replica_that_can_be_elsewhere_makes_room() -> None:
    pool = Pool([site("a", node("t", gpus=Gpus("T4", 1, 16.0)), node("l", gpus=Gpus("L40S", 1, 48.0)))])
    slot = pool.choose(shape(gpus=1), np.array([0]))
    pool.take(slot)
    only_t4 = shape(gpus=1, gpu_models=frozenset({"T4"}))
    assert pool.choose(only_t4) is None
    done = repair(pool, [(slot, None)], [(only_t4, None)], 1)
    assert [(seat, pool.label(new.machine)) for seat, new in done.moves] == [(0, "l")]
    assert [(index, pool.label(new.machine)) for index, new in done.placed] == [(0, "t")]


def test_a_move_may_push_another_replica_on() -> None:
    nodes = [node(name, gpus=Gpus(model, 1, 16.0)) for name, model in (("a", "A10"), ("b", "B1"), ("c", "C1"))]
    pool = Pool([site("s", *nodes)])
    first = shape(gpus=1, gpu_models=frozenset({"A10", "B1"}))
    second = shape(gpus=1, gpu_models=frozenset({"B1", "C1"}))
    seats = [pool.choose(first, np.array([0])), pool.choose(second, np.array([1]))]
    for slot in seats:
        pool.take(slot)
    wanted = shape(gpus=1, gpu_models=frozenset({"A10"}))
    assert repair(pool, [(slot, None) for slot in seats], [(wanted, None)], 1).placed == ()
    done = repair(pool, [(slot, None) for slot in seats], [(wanted, None)], 2)
    assert [pool.label(new.machine) for _, new in done.moves] == ["b", "c"]
    assert len(done.placed) == 1


def test_a_machine_is_cleared_for_a_replica_that_needs_all_of_it() -> None:
    pool = Pool([site("s", node("a", gpus=Gpus("T4", 4, 16.0)), node("b", gpus=Gpus("T4", 3, 16.0)))])
    seats = [pool.choose(shape(gpus=1), np.array([0])) for _ in range(1)]
    pool.take(seats[0])
    seats.append(pool.choose(shape(gpus=1), np.array([0])))
    pool.take(seats[1])
    done = repair(pool, [(slot, None) for slot in seats], [(shape(gpus=4), None)], 2)
    assert [pool.label(new.machine) for _, new in done.moves] == ["b", "b"]
    assert [pool.label(new.machine) for _, new in done.placed] == ["a"]


def test_a_move_that_a_mask_forbids_is_not_made() -> None:
    pool = Pool([site("a", node("t", gpus=Gpus("T4", 1, 16.0)), node("l", gpus=Gpus("L40S", 1, 48.0)))])
    slot = pool.choose(shape(gpus=1), np.array([0]))
    pool.take(slot)
    only_t4 = shape(gpus=1, gpu_models=frozenset({"T4"}))
    done = repair(pool, [(slot, np.array([True, False]))], [(only_t4, None)], 1)
    assert (done.moves, done.placed) == ((), ())


def test_a_waiting_replica_goes_only_where_it_may() -> None:
    pool = Pool([site("a", node("x", gpus=Gpus("T4", 1, 16.0)), node("y", gpus=Gpus("T4", 1, 16.0)))])
    slot = pool.choose(shape(gpus=1), np.array([0]))
    pool.take(slot)
    other = pool.choose(shape(gpus=1), np.array([1]))
    pool.take(other)
    pool.release(other)
    done = repair(pool, [(slot, None)], [(shape(gpus=1), np.array([True, False]))], 1)
    assert [(pool.label(new.machine)) for _, new in (*done.moves, *done.placed)] == ["y", "x"]
    assert repair(pool, [(done.placed[0][1], None)], [(shape(gpus=1), np.array([False, False]))], 1).placed == ()


def test_no_more_is_moved_than_is_allowed() -> None:
    nodes = [node(f"t{index}", gpus=Gpus("T4", 1, 16.0)) for index in range(3)]
    pool = Pool([site("a", *nodes, node("l", gpus=Gpus("L40S", 3, 48.0)))])
    seats = []
    for machine in range(3):
        slot = pool.choose(shape(gpus=1), np.array([machine]))
        pool.take(slot)
        seats.append((slot, None))
    only_t4 = shape(gpus=1, gpu_models=frozenset({"T4"}))
    done = repair(pool, seats, [(only_t4, None)] * 3, 2)
    assert (len(done.moves), [index for index, _ in done.placed]) == (2, [0, 1])


def test_what_cannot_be_cleared_stays_as_it_was() -> None:
    pool = Pool([site("s", node("a", gpus=Gpus("T4", 4, 16.0)), node("b", gpus=Gpus("T4", 1, 16.0)))])
    seats = []
    for _ in range(2):
        slot = pool.choose(shape(gpus=1), np.array([0]))
        pool.take(slot)
        seats.append((slot, None))
    before = pool._states.rows[pool._state].tobytes()
    done = repair(pool, seats, [(shape(gpus=4), None)], 5)
    assert (done.moves, done.placed) == ((), ())
    assert pool._states.rows[pool._state].tobytes() == before
