"""What holds of every plan, by a verifier that knows nothing of the planner."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from other_seats import other_seats
from random_estates import SITE_NAMES, assembled, estates, things, uncrowded

from cellwright.estate.model import Dataset, Estate, Link, Measurement, Phase, Site, Workload
from cellwright.placement.encode import from_json, to_json
from cellwright.placement.plan import Dimension, Plan
from cellwright.placement.planning import plan
from cellwright.placement.verify import verify

BUDGET = settings(max_examples=60, deadline=None)
SLOW = settings(max_examples=20, deadline=None)
EPSILON = 1e-6


@settings(max_examples=150, deadline=None)
@given(estates)
def test_no_plan_breaks_a_hard_constraint(built: Estate) -> None:
    assert verify(built, plan(built)) == ()


@BUDGET
@given(things(), st.integers(0, 10**6))
def test_the_order_of_documents_makes_no_difference_to_a_single_byte(parts: list[object], seed: int) -> None:
    shuffled = random.Random(seed).sample(parts, len(parts))  # noqa: S311 - no secret
    assert to_json(plan(assembled(parts))) == to_json(plan(assembled(shuffled)))


@BUDGET
@given(estates, st.permutations(list(Phase)))
def test_the_phase_is_a_label_that_changes_no_placement(built: Estate, order: list[Phase]) -> None:
    relabel = dict(zip(Phase, order, strict=True))
    jobs = {name: replace(job, phase=relabel[job.phase]) for name, job in built.workloads.items()}
    assert where(plan(replace(built, workloads=jobs))) == where(plan(built))


def where(made: Plan) -> list[object]:
    return [(each.label, each.site, each.node, each.seating, each.cost_per_hour) for each in made.placements]


def renamed(parts: list[object], names: dict[str, str]) -> Estate:
    """The same estate with other names for its sites."""
    found: list[object] = []
    for part in parts:
        match part:
            case Site():
                found.append(replace(part, name=names[part.name]))
            case Link():
                found.append(replace(part, a=names[part.a], b=names[part.b]))
            case Dataset():
                found.append(replace(part, home=names[part.home]))
            case Workload():
                found.append(replace(part, latency=replace(part.latency, users=names[part.latency.users])))
            case Measurement():
                found.append(replace(part, users=names[part.users], site=names[part.site]))
            case _:
                found.append(part)
    return assembled(found)


@BUDGET
@given(things())
def test_names_of_sites_that_sort_alike_change_nothing_else(parts: list[object]) -> None:
    names = {name: f"site-{name}" for name in SITE_NAMES}
    before, after = plan(assembled(parts)), plan(renamed(parts, names))
    found = [
        (each.label, names.get(each.site or ""), each.node, each.seating, each.cost_per_hour)
        for each in before.placements
    ]
    assert where(after) == found


@BUDGET
@given(things().map(uncrowded), st.permutations(SITE_NAMES))
def test_names_of_sites_decide_neither_who_has_one_nor_what_it_costs(parts: list[object], order: list[str]) -> None:
    names = dict(zip(SITE_NAMES, order, strict=True))
    before, after = plan(assembled(parts)), plan(renamed(parts, names))

    def told(made: Plan) -> Counter[object]:
        return Counter((each.workload, each.site is None, each.cost_per_hour) for each in made.placements)

    assert told(before) == told(after)


@BUDGET
@given(estates)
def test_a_plan_survives_json_byte_for_byte(built: Estate) -> None:
    text = to_json(plan(built))
    again = from_json(text)
    assert to_json(again) == text
    assert verify(built, again) == ()


@BUDGET
@given(estates)
def test_every_other_site_has_a_reason_and_every_elimination_is_counted(built: Estate) -> None:
    for each in plan(built).placements:
        assert [rejection.site for rejection in each.rejections] == sorted(set(built.sites) - {each.site})
        assert all(rejection.violations for rejection in each.rejections)
        first = [rejection.violations[0].dimension for rejection in each.rejections]
        counted = {dimension: first.count(dimension) for dimension in Dimension if dimension is not Dimension.COST}
        assert {key: value for key, value in each.eliminated.items() if value} == {
            key: value for key, value in counted.items() if value
        }
        for rejection in each.rejections:
            order = [list(Dimension).index(violation.dimension) for violation in rejection.violations]
            assert order == sorted(order)


@BUDGET
@given(estates)
def test_no_site_against_which_only_cost_stands_is_cheaper_than_the_chosen_one(built: Estate) -> None:
    for each in plan(built).placements:
        for rejection in each.rejections:
            (first, *_) = rejection.violations
            if first.code == "cost.higher":
                assert each.cost_per_hour is not None
                assert float(first.measured) > each.cost_per_hour - EPSILON


@SLOW
@given(things(most=1).map(assembled))
def test_a_single_workload_of_one_replica_goes_to_the_cheapest_seat_there_is(built: Estate) -> None:
    """Prices that are unknown lose against any that is known."""
    made = plan(built)
    if len(made.placements) != 1:
        return
    (found,) = made.placements
    costs = [cost for _, cost in other_seats(built, made, 0)]
    if not costs:
        return
    known = [cost for cost in costs if cost is not None]
    assert found.site is not None
    assert known == [] or found.cost_per_hour is not None
    assert known == [] or found.cost_per_hour <= min(known) + EPSILON


@SLOW
@given(estates)
def test_no_replica_is_left_without_a_site_while_a_seat_is_free(built: Estate) -> None:
    made = plan(built)
    for index, each in enumerate(made.placements):
        if each.site is None and each.replica == 1 and not built.workloads[each.workload].gang:
            assert next(other_seats(built, made, index), None) is None


@SLOW
@given(estates)
def test_nobody_would_be_cheaper_at_another_free_seat(built: Estate) -> None:
    """Of those whom nobody calls or follows: others stay where whoever hangs on them needs them."""
    made = plan(built)
    hung_on = {call.workload for job in built.workloads.values() for call in job.calls}
    hung_on |= {name for job in built.workloads.values() for name in job.together_with}
    for index, each in enumerate(made.placements):
        job = built.workloads[each.workload]
        if each.site is None or each.replica > 1 or job.gang or each.workload in hung_on:
            continue
        cheaper = [
            (other, cost)
            for other, cost in other_seats(built, made, index)
            if cost is not None and (each.cost_per_hour is None or cost < each.cost_per_hour - EPSILON)
        ]
        assert cheaper == []


def seats(made: Plan) -> dict[tuple[str, int], tuple[str, str | None]]:
    return {(each.workload, each.replica): (each.site, each.node) for each in made.placements if each.site}


@BUDGET
@given(estates)
def test_planning_again_against_the_same_plan_moves_nobody(built: Estate) -> None:
    made = plan(built)
    again = plan(built, against=made)
    assert verify(built, again) == ()
    assert seats(made).items() <= seats(again).items()


@BUDGET
@given(estates, st.sampled_from(SITE_NAMES), st.sampled_from([None, 0, 1, 3]))
def test_a_plan_against_another_is_sound_and_moves_no_more_than_it_may(
    built: Estate, lost: str, max_moves: int | None
) -> None:
    """Whoever sat at the lost site has to move and does not count."""
    before = plan(built)
    changed = replace(built, sites={**built.sites, lost: replace(built.sites[lost], nodes=())})
    after = plan(changed, against=before, max_moves=max_moves)
    assert verify(changed, after) == ()
    was, now = seats(before), seats(after)
    moved = [replica for replica in was.keys() & now.keys() if was[replica][0] != lost and was[replica] != now[replica]]
    assert max_moves is None or len(moved) <= max_moves
