"""Where replicas sit: what stays free is what the replicas still to come can use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pool_estates import node, shape, shapes, site

from cellwright.estate.model import Gpus
from cellwright.placement.pool import Pool

if TYPE_CHECKING:
    from cellwright.placement.shape import Shape

T4, L40S = Gpus("T4", 2, 16.0), Gpus("L40S", 2, 48.0)


def seat(pool: Pool, wanted: Shape) -> str:
    slot = pool.choose(wanted)
    if slot is None:
        return "nowhere"
    pool.take(slot)
    return pool.label(slot.machine)


def test_a_share_goes_where_it_leaves_no_rest() -> None:
    large, small = shape(gpus=1, gpu_share=0.81), shape(gpus=1, gpu_share=0.19)
    pool = Pool([site("a", node("x", gpus=T4), node("y", gpus=T4))], targets=[(large, 1.0), (small, 1.0)])
    assert [seat(pool, large) for _ in range(4)].count("nowhere") == 0
    assert [seat(pool, small) for _ in range(4)].count("nowhere") == 0
    assert seat(pool, small) == "nowhere"


def test_machines_with_many_free_gpus_are_left_to_those_that_need_many() -> None:
    one, four = shape(gpus=1), shape(gpus=4)
    pool = Pool(
        [site("a", node("big", gpus=Gpus("T4", 4, 16.0)), node("little", gpus=T4))], targets=[(one, 4.0), (four, 1.0)]
    )
    assert [seat(pool, one), seat(pool, one), seat(pool, four)] == ["little", "little", "big"]


def test_whoever_runs_on_any_model_leaves_the_scarce_one_free() -> None:
    anywhere, scarce = shape(gpus=1), shape(gpus=1, gpu_models=frozenset({"T4"}))
    pool = Pool(
        [site("a", node("t", gpus=T4), node("x", gpus=L40S, count=3))], targets=[(anywhere, 3.0), (scarce, 1.0)]
    )
    assert {seat(pool, anywhere) for _ in range(6)} == {"x#1", "x#2", "x#3"}
    assert [seat(pool, scarce), seat(pool, scarce)] == ["t", "t"]


def test_workloads_without_gpus_leave_the_processors_of_gpu_machines_free() -> None:
    plain, with_gpu = shape(cores=4), shape(cores=4, gpus=1)
    pool = Pool([site("a", node("g", gpus=T4), node("p"))], targets=[(plain, 2.0), (with_gpu, 1.0)])
    assert [seat(pool, plain), seat(pool, plain), seat(pool, plain)] == ["p", "p", "g"]


def test_instances_leave_room_for_larger_ones() -> None:
    small, large = shape(mig_profile="1g.10gb"), shape(mig_profile="4g.40gb")
    pool = Pool([site("a", node(gpus=Gpus("A100-80GB", 1, 80.0, mig=True)))], targets=[(small, 1.0), (large, 1.0)])
    assert [seat(pool, small), seat(pool, small), seat(pool, small), seat(pool, large)] == ["n"] * 4


def test_without_targets_the_fullest_machine_goes_first() -> None:
    pool = Pool([site("a", node("x"), node("y"))])
    pool.take(pool.choose(shape(cores=2), slice(1, 2)))
    assert seat(pool, shape(cores=2)) == "y"


def test_cells_are_filled_one_after_another() -> None:
    pool = Pool([site("a", node(cores=8, cells=2))], targets=[(shape(cores=4, single_cell=True), 1.0)])
    assert [seat(pool, shape(cores=2)), seat(pool, shape(cores=2))] == ["n", "n"]
    assert pool.fits(shape(cores=4, single_cell=True))[0]


def test_only_what_no_cell_has_alone_is_drawn_from_several() -> None:
    pool = Pool([site("a", node(cores=8, cells=2))])
    assert pool.choose(shape(cores=4)).cells in {(0,), (1,)}
    assert pool.choose(shape(cores=5)).cells == (0, 1)


@given(st.lists(st.tuples(shapes(), st.floats(0.1, 9.0)), min_size=1, max_size=8), st.integers(1, 4), st.data())
def test_the_short_way_to_value_a_machine_agrees_with_the_long_one(
    targets: list[tuple[Shape, float]], gpus: int, data: st.DataObject
) -> None:
    machine = node(cores=24, gpus=Gpus("L40S", gpus, 48.0), dpu=True)
    pool = Pool([site("a", machine, node("other", gpus=Gpus("T4", 2, 16.0)))], targets=targets)
    prospects, row = pool._prospects[0], pool._full[0].tolist()
    row[0] = data.draw(st.integers(0, row[0]))
    for column in range(pool._layout.shares.start, pool._layout.shares.start + gpus):
        row[column] = data.draw(st.sampled_from([0, 190, 530, 1000]))
    if prospects._plain:
        assert prospects._plain_value(row) == pytest.approx(prospects._value(row))
