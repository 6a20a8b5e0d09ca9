from __future__ import annotations

from dataclasses import replace

import pytest
from small_estates import estate, link, node, site, workload

from cellwright.estate.model import Estate, Site, Window
from cellwright.placement.energy import Tally, demand_of, drawn_kwh, energy, node_of, tally
from cellwright.placement.planning import plan


def powered(name: str, *, kw: float | None = 2.0, pue: float | None = 1.5, **facts: object) -> Site:
    return replace(site(name, nodes=(replace(node(cores=8, **facts), power_kw=kw),)), pue=pue)


def test_a_replica_draws_its_share_of_the_machine_and_of_the_facility() -> None:
    place, job = powered("a"), workload("w", "a", cores=2)
    assert drawn_kwh(place, place.nodes[0], job, job.demand) == pytest.approx(2.0 * 2 / 8 * 1.5)


def test_a_window_draws_in_its_hours_alone() -> None:
    place, job = powered("a"), replace(workload("w", "a", cores=2), window=Window(22 * 60, 4 * 60))
    assert drawn_kwh(place, place.nodes[0], job, job.demand) == pytest.approx(0.75 * 6 / 24)


@pytest.mark.parametrize("place", [powered("a", kw=None), powered("a", pue=None)])
def test_unknown_power_and_unknown_pue_are_unknown_energy(place: Site) -> None:
    job = workload("w", "a")
    assert drawn_kwh(place, place.nodes[0], job, job.demand) is None


def test_the_energy_of_a_plan_counts_what_is_placed_and_what_is_unknown() -> None:
    built = estate(
        powered("a"), powered("b", kw=None), link("a", "b", 1.0), workload("near", "a", p99=1.5, cores=4, service=1.0),
        workload("far", "b", p99=1.5, service=1.0), workload("nowhere", "a", cores=99),
    )  # fmt: skip
    found = energy(built, plan(built))
    assert found == Tally(1.5, 1)
    assert found.total is None
    assert found.told("kWh/h") == "? kWh/h (unknown for 1; 1.5 kWh/h for the others)"


def test_an_empty_plan_draws_nothing() -> None:
    built: Estate = estate(powered("a"))
    assert energy(built, plan(built)).told("kWh/h") == "0 kWh/h"


def test_the_second_of_several_machines_is_of_the_same_node() -> None:
    place = site("a", nodes=(node("rack", count=3), node("other")))
    assert node_of(place, "rack#2") is place.nodes[0]
    assert node_of(place, "other") is place.nodes[1]


def test_a_tally_counts_each_value_as_often_as_it_is_there() -> None:
    assert tally([(0.1, 3), (None, 2), (7.0, 0), (None, 0)]) == Tally(0.3, 2)


def test_the_demand_of_a_workload_of_one_form_is_its_own() -> None:
    job = workload("w", "a", cores=3)
    assert demand_of(job, None) == job.demand
