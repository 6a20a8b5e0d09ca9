"""What a proof says of a plan, and that it stays true when constraints are relaxed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import event, given, settings
from hypothesis import strategies as st
from random_estates import assembled, estates, things, uncrowded
from small_estates import estate, link, node, site, workload

from cellwright.estate.model import Boundary, Estate, LatencyTarget, Quota, Spread
from cellwright.placement.planning import plan
from cellwright.placement.proving import PlanProof, prove_plan
from cellwright.placement.summary import total_per_hour
from cellwright.placement.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwright.estate.model import Site

SECONDS = 30.0  # far more than so small an estate takes
EPSILON = 1e-6


def without_limits(built: Estate) -> Estate:
    jobs = {name: replace(job, latency=LatencyTarget(job.latency.users, None)) for name, job in built.workloads.items()}
    return replace(built, workloads=jobs)


def without_law(built: Estate) -> Estate:
    """What no regulation names may go nowhere: so each is widened, none is dropped."""
    widened = {name: replace(each, boundary=Boundary.NONE) for name, each in built.regulations.items()}
    return replace(built, regulations=widened)


def without_quotas(built: Estate) -> Estate:
    tenants = {name: replace(each, quota=Quota(None, None, None)) for name, each in built.tenants.items()}
    return replace(built, tenants=tenants)


def with_more_machines(built: Estate) -> Estate:
    def grown(name: str) -> Site:
        place = built.sites[name]
        nodes = tuple(replace(each, count=2 * each.count) for each in place.nodes)
        return replace(place, nodes=nodes, power_budget_kw=None)

    return replace(built, sites={name: grown(name) for name in built.sites})


def without_distance(built: Estate) -> Estate:
    jobs = {
        name: replace(job, apart_from=frozenset(), spread=Spread.ANY if not job.gang else job.spread)
        for name, job in built.workloads.items()
    }
    return replace(built, workloads=jobs)


RELAXED: tuple[Callable[[Estate], Estate], ...] = (
    without_limits,
    without_law,
    without_quotas,
    with_more_machines,
    without_distance,
)


def proven(built: Estate) -> PlanProof:
    return prove_plan(built, plan(built), SECONDS)


def placed(found: PlanProof) -> int:
    return sum(each.site is not None for each in found.plan.placements)


def assert_no_dearer(built: Estate, relaxed: Estate) -> None:
    """The first plan is one of the relaxed estate too: no bound may be above it, and nothing optimal may be dearer."""
    before, after = proven(built), proven(relaxed)
    cost = total_per_hour(before.plan)
    if cost is None or after.bound is None or placed(before) != placed(after):
        return
    event("optimal" if after.optimal else "within a gap")
    assert after.bound <= cost + EPSILON
    if before.bound is not None:
        assert after.bound <= before.bound + EPSILON
    if after.optimal:
        assert (total_per_hour(after.plan) or 0.0) <= cost + EPSILON


@settings(max_examples=60, deadline=None)
@given(things(most=4).map(uncrowded).map(assembled) | estates, st.sampled_from(RELAXED))
def test_relaxing_a_constraint_never_raises_the_proven_least_cost(
    built: Estate, relaxed: Callable[[Estate], Estate]
) -> None:
    assert_no_dearer(built, relaxed(built))


@settings(max_examples=60, deadline=None)
@given(things(most=4).map(uncrowded).map(assembled).map(without_law), st.sampled_from([1.0, 2.0, 6.0, 10.0]))
def test_a_latency_limit_never_makes_the_proven_least_plan_cheaper(built: Estate, limit_ms: float) -> None:
    """Where law and room forbid little, the limit is what keeps replicas from the cheap sites."""
    free = without_limits(built)
    jobs = {
        name: replace(job, latency=LatencyTarget(job.latency.users, job.service_p99_ms + limit_ms))
        for name, job in free.workloads.items()
    }
    assert_no_dearer(replace(free, workloads=jobs), free)


@settings(max_examples=60, deadline=None)
@given(estates)
def test_a_proven_plan_is_sound_no_dearer_and_never_below_its_bound(built: Estate) -> None:
    first = plan(built)
    found = prove_plan(built, first, SECONDS)
    assert verify(built, found.plan) == ()
    total, before = total_per_hour(found.plan), total_per_hour(first)
    unplaced = sum(each.site is None for each in first.placements)
    assert len(found.plan.placements) - placed(found) <= unplaced
    if found.bound is None or total is None or before is None:
        return
    assert 0.0 <= found.bound <= total + EPSILON
    if len(found.plan.placements) - placed(found) == unplaced:
        assert total <= before + EPSILON


def test_an_optimal_plan_says_so_and_stays() -> None:
    near, far = site("near", nodes=(node(cores=4),)), site("far", nodes=(node(cores=4),))
    built = estate(near, far, link("near", "far", 1.0), workload("w", "near"), workload("x", "near"))
    first = plan(built)
    found = prove_plan(built, first, SECONDS)
    assert (found.optimal, found.gap) == (True, 0.0)
    assert found.plan is first
    assert found.sentence("EUR").endswith("this one is optimal")
