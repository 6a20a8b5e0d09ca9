"""The proof is exact where brute force can tell, and keeps what the assignment promises."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_assignment import check, every_plan, made, tiny_problems

from cellwright.placement.assignment import Problem, assign_sites
from cellwright.placement.proof import Proof, prove

SECONDS = 30.0


def proof_of(problem: Problem) -> Proof:
    start = assign_sites(problem)
    proof = prove(problem, start, SECONDS)
    check(problem, proof.plan)
    worth = (int(proof.plan.unplaced.sum()), proof.cost)
    assert worth <= (int(start.unplaced.sum()), start.cost)
    assert proof.bound <= proof.cost
    return proof


@given(tiny_problems())
@settings(max_examples=60)
def test_the_proved_plan_is_the_best_there_is(problem: Problem) -> None:
    proof = proof_of(problem)
    assert proof.optimal
    assert proof.gap == 0.0
    fewest, cost = min(every_plan(problem))
    assert int(proof.plan.unplaced.sum()) == fewest
    assert proof.cost == pytest.approx(cost)


@given(tiny_problems(), st.data())
@settings(max_examples=40)
def test_more_room_never_raises_the_proved_cost_nor_lowers_the_count(problem: Problem, data: st.DataObject) -> None:
    before = proof_of(problem)
    capacity = problem.capacity.copy()
    site = data.draw(st.integers(0, len(capacity) - 1))
    capacity[site] += data.draw(st.integers(0, 5))
    after = proof_of(replace(problem, capacity=capacity))
    assert after.plan.unplaced.sum() <= before.plan.unplaced.sum()
    if after.plan.unplaced.sum() == before.plan.unplaced.sum():
        assert after.cost <= before.cost + 1e-6


@given(tiny_problems())
@settings(max_examples=40)
def test_identical_rows_cost_the_same_merged_or_split(problem: Problem) -> None:
    rows = np.repeat(np.arange(len(problem.count)), problem.count)
    split = Problem(problem.cost[rows], np.ones(len(rows), np.int64), problem.demand[rows], problem.capacity)
    merged, apart = proof_of(problem), proof_of(split)
    assert merged.plan.unplaced.sum() == apart.plan.unplaced.sum()
    assert merged.cost == pytest.approx(apart.cost)


def test_a_plan_that_is_already_best_is_kept_and_proved() -> None:
    problem = made(0, 20, 4, 0.8)
    proof = proof_of(problem)
    again = prove(problem, proof.plan, SECONDS)
    assert again.optimal
    assert again.cost == proof.cost


def test_without_time_the_start_and_its_bound_remain() -> None:
    problem = made(0, 60, 8, 1.2)
    start = assign_sites(problem)
    proof = prove(problem, start, 0.0)
    assert (proof.cost, proof.bound) == (start.cost, start.bound)
    assert not proof.optimal


def test_a_gap_that_is_good_enough_ends_the_search() -> None:
    problem = made(1, 60, 8, 0.9)
    proof = prove(problem, assign_sites(problem), SECONDS, gap=0.05)
    assert proof.optimal
    assert proof.gap <= 0.05


def test_the_solver_is_loaded_only_for_a_proof() -> None:
    code = "import sys, cellwright.placement.assignment, cellwright.placement.proof; print('highspy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
