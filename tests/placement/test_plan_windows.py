"""Hours of the day: what runs at different hours shares machines, GPUs, slices and power; what overlaps does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_estates import estate, node, prices, site, workload

from cellwright.estate.model import Execution, ServiceClass, Window
from cellwright.placement.planning import plan
from cellwright.placement.verify import verify

if TYPE_CHECKING:
    from cellwright.estate.model import Estate
    from cellwright.placement.plan import Plan

DAY, NIGHT, EVENING = Window(480, 1200), Window(1200, 480), Window(1080, 1320)


def sound(built: Estate) -> Plan:
    made = plan(built)
    assert verify(built, made) == ()
    return made


def placed(built: Estate) -> set[str]:
    return {each.workload for each in sound(built).placements if each.site}


@pytest.mark.parametrize(
    ("machine", "demand"),
    [
        (node(cores=4), {"cores": 4}),
        (node(memory=8.0), {"memory": 8.0}),
        (node(gpus=1), {"gpus": 1}),
        (node(gpus=1, model="A30", mig=True), {"needs": {"mig_profile": "4g.24gb"}}),
        (node(hugepages_1gib_gib=4.0), {"needs": {"hugepages_gib": 4.0, "hugepage_mib": 1024}}),
        (node(nvme_gb=10.0), {"needs": {"nvme_gb": 10.0}}),
    ],
    ids=["cores", "memory", "gpu", "mig", "hugepages", "nvme"],
)
def test_day_and_night_share_what_there_is_once_and_an_evening_finds_nothing(
    machine: object, demand: dict[str, object]
) -> None:
    jobs = [workload(name, "a", window=window, **demand) for name, window in (("day", DAY), ("night", NIGHT))]
    late = workload("late", "a", window=EVENING, service_class=ServiceClass.BEST_EFFORT, **demand)
    built = estate(site("a", nodes=(machine,)), *jobs, late, book=prices(gpu_hour={"L40S": 2.0, "A30": 1.0}))
    assert placed(built) == {"day", "night"}


def test_a_power_budget_holds_at_every_hour_not_over_the_day() -> None:
    machine = node(cores=4, count=2, power_kw=1.0)
    jobs = [workload(name, "a", cores=4, window=window) for name, window in (("day", DAY), ("night", NIGHT))]
    assert placed(estate(site("a", nodes=(machine,), power_budget_kw=1.0), *jobs)) == {"day", "night"}
    both = [workload(name, "a", cores=4, window=DAY) for name in ("one", "two")]
    assert len(placed(estate(site("a", nodes=(machine,), power_budget_kw=1.0), *both))) == 1


def test_who_runs_all_day_shares_with_nobody() -> None:
    machine = node(gpus=1)
    always, night = workload("always", "a", gpus=1), workload("night", "a", gpus=1, window=NIGHT)
    assert len(placed(estate(site("a", nodes=(machine,)), always, night))) == 1


def test_windows_that_touch_do_not_overlap() -> None:
    windows = (Window(0, 480), Window(480, 960), Window(960, 0))
    jobs = [workload(f"w{index}", "a", gpus=1, window=window) for index, window in enumerate(windows)]
    assert placed(estate(site("a", nodes=(node(gpus=1),)), *jobs)) == {"w0", "w1", "w2"}


def test_a_window_pays_for_its_hours_alone() -> None:
    built = estate(site("a", nodes=(node(),)), workload("day", "a", cores=4, memory=0.0, window=DAY))
    (found,) = sound(built).placements
    assert found.cost_per_hour == pytest.approx(4 * 0.3 * 12 / 24)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 1439), st.integers(1, 1439), st.integers(1, 4), st.integers(0, 1)),
        min_size=1,
        max_size=12,
    )
)
def test_no_hour_of_the_day_is_overfull_whatever_the_windows(jobs: list[tuple[int, int, int, int]]) -> None:
    works = [
        workload(f"w{index:02d}", "a", cores=cores, gpus=gpus, window=Window(start, (start + length) % 1440))
        for index, (start, length, cores, gpus) in enumerate(jobs)
    ]
    built = estate(site("a", nodes=(node(cores=6, gpus=1),)), *works)
    made = sound(built)
    for each in made.placements:
        if each.site is None:
            assert _blocked(built, made, each.workload)


def _blocked(built: Estate, made: Plan, name: str) -> bool:
    """Whether at some minute of its window the machine has too little left for a workload."""
    job, there = built.workloads[name], [built.workloads[each.workload] for each in made.placements if each.site]
    for minute in range(1440):
        if _runs(job.window, minute):
            now = [each for each in there if _runs(each.window, minute)]
            cores, gpus = sum(each.demand.cores for each in now), sum(each.demand.gpus for each in now)
            if cores + job.demand.cores > 6 or gpus + job.demand.gpus > 1:
                return True
    return False


def _runs(window: Window | None, minute: int) -> bool:
    return window is None or (minute - window.start_min) % 1440 < (window.end_min - window.start_min) % 1440


def test_a_bare_metal_job_by_night_needs_a_machine_that_offers_it() -> None:
    machine = node(executions=frozenset({Execution.KUBERNETES}))
    job = workload("solver", "a", window=NIGHT, execution=Execution.BARE_METAL)
    assert placed(estate(site("a", nodes=(machine,)), job)) == set()
