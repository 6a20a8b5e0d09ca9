from __future__ import annotations

import crowds
import pytest
from reading import Reader

from cellwright.report.decisions import MOST_DECISIONS, decisions, works
from cellwright.report.model import FactoryReport
from cellwright.report.page import render

MOST_BYTES = 3_000_000


def page_of(workloads: int, places: int, replicas: int = 1) -> str:
    return render(FactoryReport("A network", crowds.plan(workloads, places, replicas)))


@pytest.fixture(scope="module")
def network() -> str:
    return page_of(10_000, 2_000)


@pytest.fixture(scope="module")
def crowd() -> str:
    return page_of(2, 1_800, 20_000)


def test_ten_thousand_workloads_on_two_thousand_sites_make_a_page_of_a_few_megabytes(network: str) -> None:
    assert len(network.encode()) < MOST_BYTES
    assert Reader(network).faults == []


def test_what_is_not_told_of_is_counted(network: str) -> None:
    words = Reader(network).words
    assert "Of 10,000 workloads the 100 that weigh most are told of" in words
    assert "9,900 other workloads" in words
    assert "9,970 other workloads" in words  # the bars of cost
    assert "9,999 of 10,000 workloads" in words


def test_the_workload_without_a_site_comes_before_the_dearest() -> None:
    plan = crowds.plan(500, 30)
    shown = decisions(plan, works(plan)).shown
    assert [decision.work.name for decision in shown[:2]] == ["work-00499", "work-00049"]
    assert len(shown) == MOST_DECISIONS


def test_no_cost_is_lost_between_what_is_shown_and_the_rest() -> None:
    plan = crowds.plan(400, 30)
    told = decisions(plan, works(plan))
    assert told.rest is not None
    shown = sum(decision.work.cost_per_hour or 0.0 for decision in told.shown)
    everything = sum(placement.cost_per_hour or 0.0 for placement in plan.placements)
    assert shown + (told.rest.cost_per_hour or 0.0) == pytest.approx(everything)


def test_replicas_of_a_workload_are_one_decision_with_sites_and_counts(crowd: str) -> None:
    words = Reader(crowd).words
    assert "work-00000 real-time inference, 20,000 replicas" in words
    assert "39,999 of 40,000 replicas" in words
    assert "on 1,800 sites in all" in words
    assert "the 12 fullest of 1,800 places" in words
    assert "1 without a feasible site" in words
    assert len(crowd.encode()) < MOST_BYTES / 2


def test_seats_of_a_few_replicas_are_told_and_the_rest_counted(crowd: str) -> None:
    words = Reader(crowd).words
    assert "NUMA cell 0, GPU" in words
    assert "MIG on GPU 0 from slice 4" in words
    assert "more replicas, on" in words


def test_quantisation_users_and_the_source_of_latencies_are_shown() -> None:
    words = Reader(page_of(2, 12)).words
    assert "Quantisation int8" in words
    assert "Users at site-00000" in words
    assert "Latency links of the estate + service time (estimated from distance)." in words
    assert "1 over links estimated from distance" in words


def test_every_dimension_has_its_place_in_the_legend(network: str) -> None:
    words = Reader(network).words
    for dimension in ("sovereignty", "latency", "gravity", "operations", "hardware", "quota", "affinity", "capacity"):
        assert f'<i class="swatch d-{dimension}">' in network
        assert f".d-{dimension} " in network
        assert dimension in words
