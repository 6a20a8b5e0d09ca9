"""The published default placements come out as results of data, latency, gravity and cost, and move when those do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from operator_estate import operator, operator_plan, placed, with_data, with_job

from cellwright.estate.model import Phase, SensitivityClass, Tier
from cellwright.placement.changes import with_site
from cellwright.placement.plan import Dimension
from cellwright.placement.planning import plan

ON_PREMISES = {Tier.ONPREM, Tier.AI_FACTORY}
TABLE_ONE = {
    Phase.DATA_PREPARATION: {Tier.REGION},
    Phase.TRAINING: {Tier.REGION},
    Phase.FINE_TUNING: {Tier.REGION},
    Phase.CONTEXT_CREATION: ON_PREMISES,  # where its knowledge base is
    Phase.REALTIME_INFERENCE: ON_PREMISES,
    Phase.INTERACTIVE_INFERENCE: {Tier.METRO},
    Phase.BATCH_INFERENCE: {Tier.REGION},
    Phase.EDGE_PREFILTER: ON_PREMISES,
    Phase.MODEL_OPTIMISATION: {Tier.REGION},
    Phase.AGENT_ORCHESTRATION: {Tier.REGION},  # its tools are on the premises
}


def test_the_example_has_one_workload_for_each_row_of_the_table() -> None:
    assert sorted(each.phase for each in operator_plan().placements) == sorted(TABLE_ONE)


def test_all_ten_rows_land_on_the_tiers_of_the_table() -> None:
    landed = {each.phase: each.tier for each in operator_plan().placements}
    assert {phase: tier for phase, tier in landed.items() if tier not in TABLE_ONE[phase]} == {}


def test_the_phase_plays_no_part_in_it() -> None:
    jobs = {name: replace(job, phase=Phase.TRAINING) for name, job in operator().workloads.items()}
    relabelled = plan(replace(operator(), workloads=jobs))
    assert [each.site for each in relabelled.placements] == [each.site for each in operator_plan().placements]


@pytest.mark.parametrize(
    ("workload", "dimension"),
    [
        ("alarm-filter", Dimension.SOVEREIGNTY),
        ("knowledge-retrieval", Dimension.SOVEREIGNTY),
        ("slice-policy", Dimension.LATENCY),
        ("experience-scoring", Dimension.LATENCY),
        ("capacity-forecast", Dimension.COST),
        ("counter-preparation", Dimension.COST),
        ("incident-agents", Dimension.COST),
    ],
)
def test_each_row_is_decided_by_what_the_paper_says_decides_it(workload: str, dimension: Dimension) -> None:
    assert placed(operator(), workload).decided_by is dimension


@pytest.mark.parametrize(
    ("workload", "dataset", "sensitivity", "tiers"),
    [
        ("counter-preparation", "pm-counters", SensitivityClass.SIGNALLING, ON_PREMISES),
        ("alarm-model-training", "alarm-corpus", SensitivityClass.SIGNALLING, {Tier.AI_FACTORY}),
        ("ticket-fine-tuning", "ticket-resolutions", SensitivityClass.TROUBLE_TICKET, {Tier.AI_FACTORY}),
        ("experience-scoring", "experience-index", SensitivityClass.SUBSCRIBER_PII, ON_PREMISES),
        ("capacity-forecast", "capacity-history", SensitivityClass.SUBSCRIBER_PII, ON_PREMISES),
        ("incident-agents", "incident-digests", SensitivityClass.LOCATION, ON_PREMISES),
    ],
)
def test_a_more_sensitive_class_brings_the_workload_onto_the_premises(
    workload: str, dataset: str, sensitivity: SensitivityClass, tiers: set[Tier]
) -> None:
    found = placed(with_data(dataset, sensitivity=sensitivity), workload)
    assert found.tier in tiers
    assert found.decided_by is Dimension.SOVEREIGNTY


@pytest.mark.parametrize("home", ["onprem-napoli", "onprem-palermo", "ai-factory-bologna"])
def test_retrieval_follows_its_knowledge_base(home: str) -> None:
    assert placed(with_data("network-knowledge-base", home=home), "knowledge-retrieval").site == home


def test_the_filter_follows_the_appliances_that_hold_its_data() -> None:
    assert placed(with_data("core-signalling", home="onprem-torino"), "alarm-filter").site == "onprem-torino"


def test_data_free_to_move_and_unbound_lets_the_filter_move_to_a_region() -> None:
    free = with_data("core-signalling", sensitivity=SensitivityClass.ANONYMISED, bound=False)
    assert placed(free, "alarm-filter").tier is Tier.REGION


def test_bound_data_of_a_free_class_still_pulls_the_model_by_gravity_alone() -> None:
    found = placed(with_data("core-signalling", sensitivity=SensitivityClass.ANONYMISED), "alarm-filter")
    assert (found.site, found.decided_by) == ("onprem-milano", Dimension.GRAVITY)


@pytest.mark.parametrize(
    ("limit_ms", "tiers"), [(8.0, ON_PREMISES), (12.0, {Tier.METRO}), (100.0, {Tier.REGION}), (None, {Tier.REGION})]
)
def test_a_looser_latency_limit_moves_inference_away_from_the_users(limit_ms: float | None, tiers: set[Tier]) -> None:
    latency = replace(operator().workloads["slice-policy"].latency, p99_ms=limit_ms)
    assert placed(with_job("slice-policy", latency=latency), "slice-policy").tier in tiers


def test_the_orchestrator_runs_in_a_region_and_its_tools_next_to_their_data() -> None:
    found = placed(operator(), "incident-agents")
    assert found.tier is Tier.REGION
    assert {name: tier for name, _, tier in found.calls} == {
        "knowledge-retrieval": Tier.ONPREM,
        "alarm-filter": Tier.ONPREM,
    }


def test_a_site_that_loses_its_people_loses_its_workload() -> None:
    napoli = operator().sites["onprem-napoli"]
    unstaffed = replace(napoli, operations=replace(napoli.operations, skills=frozenset()))
    found = placed(with_site(operator(), unstaffed), "slice-policy")
    assert found.site is None
    assert found.decided_by is Dimension.OPERATIONS


def test_every_site_but_the_chosen_one_names_code_measured_and_limit() -> None:
    for each in operator_plan().placements:
        assert len(each.rejections) == len(operator().sites) - 1
        for rejection in each.rejections:
            assert rejection.violations
            assert all(violation.code and violation.message and violation.source for violation in rejection.violations)
