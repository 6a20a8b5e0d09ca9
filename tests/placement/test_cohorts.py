from __future__ import annotations

import pytest
from small_estates import dataset, estate, site, use, workload

from cellwright.errors import EstateError
from cellwright.estate.model import Call, Replicas, Selector, ServiceClass, Tier, Window
from cellwright.placement.cohorts import cohorts, stages
from cellwright.placement.periods import Periods

EDGES = tuple(site(name, Tier.FAR_EDGE) for name in ("e1", "e2", "e3"))


def test_a_number_of_replicas_is_one_cohort() -> None:
    (found,) = cohorts(estate(site("s"), workload("w", "s", replicas=Replicas(5))))
    assert (found.count, list(found.replicas), found.total, found.pinned) == (5, [1, 2, 3, 4, 5], 5, None)


def test_one_for_each_selected_site_serves_its_users_and_runs_there() -> None:
    everywhere = Replicas(per_site=Selector(frozenset({Tier.FAR_EDGE})))
    found = cohorts(estate(site("s"), *EDGES, workload("w", "s", replicas=everywhere)))
    assert [(each.pinned, each.workload.latency.users, each.first) for each in found] == [
        ("e1", "e1", 1),
        ("e2", "e2", 2),
        ("e3", "e3", 3),
    ]
    assert {each.total for each in found} == {3}


def test_a_selector_that_selects_nothing_makes_no_replica() -> None:
    nowhere = Replicas(per_site=Selector(frozenset({Tier.METRO})))
    assert cohorts(estate(site("s"), workload("w", "s", replicas=nowhere))) == ()


def test_one_for_each_home_consumes_its_own_dataset_and_what_all_share() -> None:
    data = (dataset("one", "e1"), dataset("two", "e2"), dataset("common", "s"))
    job = workload(
        "w", "s", consumes=(use("one"), use("two"), use("common")), replicas=Replicas(per_home=("one", "two"))
    )
    found = cohorts(estate(site("s"), *EDGES, *data, job))
    told = [(each.workload.latency.users, [used.dataset for used in each.workload.consumes]) for each in found]
    assert told == [("e1", ["one", "common"]), ("e2", ["two", "common"])]
    assert {each.pinned for each in found} == {None}


def test_callees_and_leaders_are_placed_before_those_who_need_them() -> None:
    built = estate(
        site("s"),
        workload("caller", "s", calls=(Call("tool", 1.0, None),)),
        workload("tool", "s"),
        workload("follower", "s", together_with=frozenset({"caller"})),
    )
    assert stages(built) == ({"tool"}, {"caller"}, {"follower"})


def test_guaranteed_workloads_go_first_and_take_what_they_call_along() -> None:
    effort = ServiceClass.BEST_EFFORT
    built = estate(
        site("s"),
        workload("batch", "s", service_class=effort),
        workload("tool", "s", service_class=effort),
        workload("control", "s", calls=(Call("tool", 1.0, None),)),
    )
    assert stages(built) == ({"tool"}, {"control"}, {"batch"})


def test_workloads_that_follow_each_other_in_a_circle_are_refused() -> None:
    built = estate(
        site("s"),
        workload("a", "s", together_with=frozenset({"b"})),
        workload("b", "s", together_with=frozenset({"a"})),
    )
    with pytest.raises(EstateError, match="a, b"):
        stages(built)


def test_a_day_without_windows_is_one_period() -> None:
    periods = Periods([])
    assert (len(periods), periods.within(None)) == (1, (0,))


def test_a_window_that_passes_midnight_covers_the_periods_on_both_sides() -> None:
    night, morning = Window(22 * 60, 6 * 60), Window(5 * 60, 9 * 60)
    periods = Periods([night, morning])
    assert periods.starts == (300, 360, 540, 1320)
    assert periods.within(night) == (0, 3)  # 05:00-06:00 and 22:00-05:00
    assert periods.within(morning) == (0, 1)
    assert periods.within(None) == (0, 1, 2, 3)


def test_windows_that_follow_each_other_share_no_period() -> None:
    day, night = Window(6 * 60, 22 * 60), Window(22 * 60, 6 * 60)
    periods = Periods([day, night])
    assert set(periods.within(day)).isdisjoint(periods.within(night))
    assert sorted((*periods.within(day), *periods.within(night))) == [0, 1]
