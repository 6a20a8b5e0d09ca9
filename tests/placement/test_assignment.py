"""Properties of the assignment of replicas to sites, against an oracle that tries everything."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.placement.assignment import Problem, SitePlan, assign_sites
from cellwright.placement.assignment_candidates import Ground
from cellwright.placement.assignment_problem import Problem as SameProblem
from cellwright.placement.relaxation import Market

if TYPE_CHECKING:
    from collections.abc import Iterator


def problem_of(
    cost: list[list[float]], count: list[int], demand: list[list[float]], capacity: list[list[float]]
) -> Problem:
    return Problem(np.array(cost, float), np.array(count), np.array(demand, float), np.array(capacity, float))


@st.composite
def tiny_problems(draw: st.DrawFn) -> Problem:
    """At most five replicas on at most three sites, with ties, holes and too little room as often as not."""
    n_rows, n_sites, n_resources = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    prices = st.one_of(st.integers(0, 9).map(float), st.just(math.inf))
    cost = draw(st.lists(st.lists(prices, min_size=n_sites, max_size=n_sites), min_size=n_rows, max_size=n_rows))
    count = draw(st.lists(st.integers(0, 2), min_size=n_rows, max_size=n_rows))
    needs = st.lists(st.integers(0, 5), min_size=n_resources, max_size=n_resources)
    demand = draw(st.lists(needs, min_size=n_rows, max_size=n_rows))
    rooms = st.lists(st.integers(0, 9), min_size=n_resources, max_size=n_resources)
    capacity = draw(st.lists(rooms, min_size=n_sites, max_size=n_sites))
    while sum(count) > 5:
        count[count.index(max(count))] -= 1
    return problem_of(cost, count, demand, capacity)


def every_plan(problem: Problem) -> Iterator[tuple[int, float]]:
    """Yield how many replicas are unplaced and what the others cost, for all plans that fit."""
    rows = np.repeat(np.arange(len(problem.count)), problem.count)
    n_sites = len(problem.capacity)
    for choice in itertools.product(range(n_sites + 1), repeat=len(rows)):
        sites = np.array(choice, int)
        put = sites < n_sites
        load = np.zeros_like(problem.capacity)
        np.add.at(load, sites[put], problem.demand[rows[put]])
        price = problem.cost[rows[put], sites[put]]
        if (load <= problem.capacity).all() and np.isfinite(price).all():
            yield int((~put).sum()), float(price.sum())


def check(problem: Problem, plan: SitePlan) -> None:
    """Fail unless the plan is sound, by a count of its own."""
    load = np.zeros_like(problem.capacity)
    placed = np.zeros(len(problem.count), int)
    total = 0.0
    for row, site, count in zip(plan.row.tolist(), plan.site.tolist(), plan.count.tolist(), strict=True):
        assert count >= 1
        assert math.isfinite(problem.cost[row, site])
        load[site] += problem.demand[row] * count
        placed[row] += count
        total += float(problem.cost[row, site]) * count
    assert (load <= problem.capacity * (1 + 1e-9) + 1e-12).all()
    assert (placed + plan.unplaced == problem.count).all()
    assert plan.cost == pytest.approx(total)
    pairs = list(zip(plan.row.tolist(), plan.site.tolist(), strict=True))
    assert pairs == sorted(set(pairs))


def greedy(problem: Problem) -> int:
    """Return how many replicas find no site when each in turn takes the cheapest that has room."""
    free, left = problem.capacity.copy(), 0
    for row in np.repeat(np.arange(len(problem.count)), problem.count):
        for site in np.argsort(problem.cost[row], kind="stable"):
            if math.isfinite(problem.cost[row, site]) and (problem.demand[row] <= free[site]).all():
                free[site] -= problem.demand[row]
                break
        else:
            left += 1
    return left


def made(seed: int, rows: int, sites: int, tight: float, most: int = 1) -> Problem:
    chance = np.random.default_rng(seed)
    demand = chance.integers(1, 20, (rows, 3)).astype(float)
    count = chance.integers(1, most + 1, rows)
    cost = demand.mean(1)[:, None] * chance.uniform(0.5, 2.0, sites) + chance.uniform(0, 3, (rows, sites))
    cost[chance.random((rows, sites)) < 0.5] = np.inf
    capacity = np.tile(np.ceil((demand * count[:, None]).sum(0) / sites / tight), (sites, 1))
    return Problem(cost, count, demand, capacity)


def test_the_problem_is_one_type_under_both_names() -> None:
    assert Problem is SameProblem


@given(tiny_problems())
@settings(max_examples=120)
def test_a_plan_is_sound_and_its_bound_is_below_the_optimum(problem: Problem) -> None:
    plan = assign_sites(problem)
    check(problem, plan)
    plans = sorted(every_plan(problem))
    fewest, _ = plans[0]
    unplaced = int(plan.unplaced.sum())
    assert fewest <= unplaced
    optimum = min(cost for left, cost in plans if left == unplaced)
    assert plan.bound <= optimum + 1e-6
    assert optimum <= plan.cost + 1e-9


@given(tiny_problems(), st.integers(0, 40))
@settings(max_examples=120)
def test_the_market_is_below_the_optimum_at_whatever_prices(problem: Problem, steps: int) -> None:
    ground = Ground.of(problem)
    possible = np.isfinite(ground.screened).any(1)
    problem = replace(problem, count=np.where(possible, problem.count, 0))
    market = Market(replace(ground, problem=problem), 10.0)
    market.trade(steps + 1)
    plans = list(every_plan(problem))
    for left in {left for left, _ in plans}:
        assert market.settle(left, steps) <= min(cost for some, cost in plans if some <= left) + 1e-5


@given(tiny_problems())
def test_where_all_find_room_one_step_of_the_market_is_as_good_as_all(problem: Problem) -> None:
    ample = np.full(problem.capacity.shape, 1.0 + (problem.demand * problem.count[:, None]).sum())
    ground = Ground.of(replace(problem, capacity=ample))
    count = np.where(np.isfinite(ground.screened).any(1), problem.count, 0)
    market = Market(replace(ground, problem=replace(ground.problem, count=count)), 100.0)
    market.trade(300)
    assert len(market.choices) == 1
    assert not market.best.any()
    cheapest = np.where(count > 0, ground.screened.min(1), 0.0)
    assert market.value == pytest.approx(float((cheapest * count).sum()))


@given(tiny_problems())
@settings(max_examples=120)
def test_tiny_problems_place_as_many_replicas_as_possible(problem: Problem) -> None:
    assert int(assign_sites(problem).unplaced.sum()) == min(every_plan(problem))[0]


@pytest.mark.parametrize("tight", [0.6, 0.9, 1.0, 1.4])
@pytest.mark.parametrize("most", [1, 40])
def test_no_fewer_replicas_are_placed_than_by_taking_the_cheapest_in_turn(tight: float, most: int) -> None:
    for seed in range(2):
        problem = made(seed, 40, 8, tight, most)
        plan = assign_sites(problem)
        check(problem, plan)
        assert int(plan.unplaced.sum()) <= greedy(problem)


@pytest.mark.parametrize("tight", [0.5, 0.8, 0.95])
def test_the_cost_is_near_its_bound_where_everything_fits(tight: float) -> None:
    for seed in range(2):
        problem = made(seed, 300, 20, tight)
        plan = assign_sites(problem)
        assert plan.unplaced.sum() == 0
        assert plan.cost <= 1.02 * plan.bound


def test_the_same_problem_gives_the_same_plan() -> None:
    problem = made(3, 40, 8, 0.95, 5)
    one, two = assign_sites(problem), assign_sites(problem)
    for name in ("row", "site", "count", "unplaced"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()
    assert (one.cost, one.bound) == (two.cost, two.bound)


def test_the_problem_is_not_changed() -> None:
    problem = made(1, 40, 8, 1.2, 3)
    before = [part.copy() for part in (problem.cost, problem.count, problem.demand, problem.capacity)]
    assign_sites(problem)
    after = (problem.cost, problem.count, problem.demand, problem.capacity)
    assert all((one == two).all() for one, two in zip(before, after, strict=True))


def test_who_finds_the_cheap_site_full_pays_for_the_other() -> None:
    problem = problem_of([[1, 5]] * 10, [1] * 10, [[1]] * 10, [[4], [10]])
    plan = assign_sites(problem)
    assert plan.cost == 4 * 1 + 6 * 5
    assert plan.bound == pytest.approx(34, rel=1e-3)


def test_identical_replicas_fill_sites_as_a_class() -> None:
    problem = problem_of([[1, 2, 3]], [100_000], [[2.0]], [[60_000], [100_000], [1e9]])
    plan = assign_sites(problem)
    assert list(zip(plan.site.tolist(), plan.count.tolist(), strict=True)) == [(0, 30_000), (1, 50_000), (2, 20_000)]


def test_rows_that_no_site_admits_are_unplaced_at_once() -> None:
    problem = problem_of([[math.inf, math.inf], [1, 2]], [7, 1], [[1], [1]], [[1], [1]])
    plan = assign_sites(problem)
    assert plan.unplaced.tolist() == [7, 0]
    assert (plan.cost, plan.bound) == (1.0, 1.0)
    nothing = assign_sites(problem_of([[math.inf]], [3], [[1]], [[1]]))
    assert (nothing.unplaced.tolist(), nothing.cost, len(nothing.row)) == ([3], 0.0, 0)


def test_a_replica_larger_than_the_site_is_not_placed_there_nor_in_the_bound() -> None:
    plan = assign_sites(problem_of([[1, 9]], [1], [[5, 1]], [[4, 9], [5, 1]]))
    assert plan.site.tolist() == [1]
    assert plan.bound == pytest.approx(9)


def test_single_precision_prices_are_taken_as_they_are() -> None:
    problem = made(2, 50, 10, 0.9)
    single = Problem(problem.cost.astype(np.float32), problem.count, problem.demand, problem.capacity)
    plan = assign_sites(single)
    check(single, plan)


def test_two_small_replicas_make_room_for_a_large_one_that_has_no_other_site() -> None:
    problem = problem_of(
        [[1, 1.5, math.inf], [1, math.inf, 1.5], [1, math.inf, math.inf]],
        [1, 1, 1],
        [[2], [2], [4]],
        [[4], [2], [2]],
    )
    plan = assign_sites(problem)
    assert plan.unplaced.sum() == 0
    assert plan.cost == 4.0


def test_it_is_count_that_goes_before_cost() -> None:
    dear = problem_of([[1, math.inf], [1, 1000]], [1, 1], [[1], [1]], [[1], [1]])
    assert assign_sites(dear).cost == 1001.0


def test_small_replicas_go_before_a_large_one_where_not_all_fit() -> None:
    plan = assign_sites(problem_of([[0], [0]], [2, 2], [[2], [1]], [[2]]))
    assert plan.unplaced.tolist() == [2, 0]


def test_a_crowd_that_needs_many_sites_is_near_its_bound() -> None:
    chance = np.random.default_rng(5)
    demand = chance.integers(1, 9, (6, 2)).astype(float)
    cost = chance.uniform(1, 3, (6, 150))
    problem = Problem(cost, np.full(6, 200), demand, np.full((150, 2), 60.0))
    plan = assign_sites(problem)
    check(problem, plan)
    assert plan.unplaced.sum() == 0
    assert plan.cost <= 1.02 * plan.bound


@given(tiny_problems(), st.integers(1, 20))
def test_twins_of_all_rows_double_what_they_load_at_the_same_prices(problem: Problem, steps: int) -> None:
    one = np.minimum(problem.count, 1)  # rows of several are crowds, which answer each for itself
    single = replace(problem, count=one)
    twins = replace(
        single,
        cost=np.repeat(problem.cost, 2, axis=0),
        count=np.repeat(one, 2),
        demand=np.repeat(problem.demand, 2, axis=0),
        capacity=problem.capacity,
    )
    markets = [Market(Ground.of(each), refusal=100.0) for each in (single, twins)]
    assert len(markets[1].firsts) == len(markets[0].firsts)
    for _ in range(steps):
        (_, load, refused), (_, doubled, both) = (market._respond() for market in markets)
        assert (doubled == 2 * load).all()
        assert both == 2 * refused
        for market in markets:
            market.prices = market.prices + 0.5 * (load > problem.capacity)


def test_prices_are_not_copied_where_every_site_has_room_for_one() -> None:
    roomy = problem_of([[1.0, 2.0]], [1], [[1.0]], [[1.0], [1.0]])
    single = replace(roomy, cost=roomy.cost.astype(np.float32))
    assert Ground.of(single).screened is single.cost
    tight = replace(single, capacity=np.array([[1.0], [0.5]]))
    assert Ground.of(tight).screened.tolist() == [[1.0, math.inf]]
    assert single.cost.tolist() == [[1.0, 2.0]]
