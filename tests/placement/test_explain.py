from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from judged_cases import told
from operator_estate import operator, operator_plan
from random_estates import estates
from small_estates import dataset, estate, link, node, prices, regulation, site, tenant, use, workload

from cellwright.errors import CellwrightError, UsageError
from cellwright.estate.model import (
    Boundary,
    Call,
    Control,
    Effect,
    Estate,
    Execution,
    Nic,
    Node,
    OnCall,
    OwnedHardware,
    Replicas,
    Selector,
    SensitivityClass,
    Tier,
)
from cellwright.placement.explain import WhyNot, explain, why_not
from cellwright.placement.plan import Dimension
from cellwright.placement.planning import plan

SIGNALLING = SensitivityClass.SIGNALLING
OFFICE = site("office", nodes=(node(cores=64),))
REGION = site("region", Tier.REGION, control=Control.PROVIDER, nodes=(node(count=4, cores=64),))
FAR = link("office", "region", 20.0)


def asked(built: Estate, where: str = "region", name: str = "w") -> WhyNot:
    return why_not(built, plan(built), name, where)


def texts(answer: WhyNot) -> list[str]:
    return [change.text for change in answer.changes]


def test_a_latency_limit_is_raised_just_enough() -> None:
    answer = asked(estate(OFFICE, REGION, FAR, workload("w", "office", p99=10.0, service=3.14159)))
    assert texts(answer) == ["latency.p99 limit of w from 10 ms to 23.15 ms"]
    assert answer.verified
    assert (answer.chosen, answer.cost_per_hour, answer.cost_difference) == ("office", 0.11, -0.2)


def test_forbidden_data_is_anonymised_where_the_law_lets_anonymised_data_go() -> None:
    built = estate(
        OFFICE,
        REGION,
        FAR,
        dataset("records", "office", SIGNALLING),
        regulation("law", SIGNALLING, boundary=Boundary.PREMISES),
        regulation("free", SensitivityClass.ANONYMISED),
        workload("w", "office", consumes=(use("records"),)),
    )
    answer = asked(built)
    (text,) = texts(answer)
    assert text == (
        "dataset records from class signalling to anonymised: derive records-anonymised at office and consume that (or "
        "amend regulation law after legal review)"
    )
    assert answer.verified


def test_without_that_the_regulation_would_have_to_be_amended() -> None:
    built = estate(
        OFFICE,
        site("abroad", Tier.REGION, jurisdiction="FR", control=Control.PROVIDER),
        link("office", "abroad", 9.0),
        dataset("records", "office", SIGNALLING),
        regulation("law", SIGNALLING, boundary=Boundary.PREMISES),
        regulation("second", SIGNALLING, boundary=Boundary.COUNTRY, effect=Effect.REVIEW),
        workload("w", "office", consumes=(use("records"),)),
    )
    answer = asked(built, "abroad")
    assert [violation.code for violation in answer.violations] == ["sovereignty.forbidden", "sovereignty.needs-review"]
    assert texts(answer) == [
        "regulation law amended after legal review: boundary from premises to bloc with member FR",
        "regulation second amended after legal review: boundary from country to bloc with member FR",
    ]
    assert answer.verified


def test_a_class_nobody_looked_up_needs_a_document() -> None:
    built = estate(
        OFFICE,
        REGION,
        FAR,
        dataset("records", "office", SIGNALLING),
        workload("w", "office", consumes=(use("records"),)),
    )
    answer = asked(built)
    assert texts(answer) == [
        "class signalling of IT named, after legal review, by a regulation document whose boundary is country or wider"
    ]
    assert answer.verified


def test_bound_and_slow_data_needs_a_feed_and_more_time() -> None:
    built = estate(
        OFFICE,
        REGION,
        FAR,
        dataset("records", "office", bound=True),
        workload("w", "office", consumes=(use("records", 2000.0, within_ms=6e5),)),
    )
    answer = asked(built)
    assert texts(answer) == [
        "dataset records no longer bound to office: an export or a feed of it exists",
        "within of dataset records from 10 min to 26.67 min",
    ]
    assert answer.verified


def test_what_no_link_reaches_needs_a_link() -> None:
    built = estate(
        OFFICE, REGION, dataset("records", "office"), workload("w", "office", p99=9.0, consumes=(use("records", 9e3),))
    )
    answer = asked(built)
    assert [violation.code for violation in answer.violations] == ["latency.unreachable", "gravity.transfer-time"]
    assert texts(answer)[0] == "a link from office to region with P99 of at most 8 ms and 1 Gbit/s"
    assert answer.verified


def test_people_and_machines_are_named() -> None:
    region = replace(REGION, nodes=(node(cores=4, gpus=2),))
    built = estate(
        replace(OFFICE, operations=replace(OFFICE.operations, skills=frozenset({"ml"})), nodes=(node(gpus=4),)),
        replace(region, operations=replace(REGION.operations, on_call=OnCall.NONE)),
        FAR,
        workload("w", "office", cores=6, gpus=4, gpu_memory=40, skills=["ml"], on_call=OnCall.ALWAYS),
    )
    answer = asked(built)
    assert texts(answer) == [
        "site region gains the skill ml",
        "on-call cover of site region from none to 24x7",
        "2 GPUs of 48 GiB more in machine rack at region",
        "2 cores more in machine rack at region",
    ]
    assert answer.verified


def test_a_further_machine_and_a_larger_quota_make_room() -> None:
    built = estate(
        site("s", nodes=(node(count=2, cores=8),)),
        tenant("team", cores=20),
        *(workload(name, "s", cores=7) for name in "abc"),
    )
    answer = asked(built, "s", "c")
    assert {violation.code for violation in answer.violations} == {"quota.cores", "capacity.taken"}
    assert texts(answer) == [
        "quota of tenant team from 20 cores to 21 cores",
        "one further machine at s with 7 cores, 1 GiB (x86_64)",
    ]
    assert (answer.chosen, answer.verified) == (None, True)


def test_a_call_to_a_workload_without_a_site_can_only_lose_its_limit() -> None:
    built = estate(
        OFFICE, workload("w", "office", calls=(Call("tool", 1.0, 5.0),)), workload("tool", "office", p99=0.1)
    )
    answer = asked(built, "office")
    assert texts(answer) == ["limit of the call from w to tool dropped"]
    assert answer.verified


def test_a_site_that_only_costs_more_is_chosen_once_it_costs_less() -> None:
    answer = asked(estate(OFFICE, REGION, FAR, workload("w", "office", cores=10, memory=0)), "office")
    assert answer.violations == ()
    assert (answer.cost_per_hour, answer.cost_difference) == (3.0, 2.0)
    (change,) = answer.changes
    assert change.text == "cost at office lower by more than 2 EUR/h: below 1"
    assert answer.verified


def test_the_price_change_flips_the_plan() -> None:
    built = estate(OFFICE, REGION, FAR, workload("w", "office", cores=10, memory=0))
    (change,) = asked(built, "office").changes
    assert plan(change.apply(built)).placements[0].site == "office"


def test_an_unknown_price_has_no_difference_and_no_promise() -> None:
    built = estate(
        replace(OFFICE, nodes=(node(gpus=1, model="rumoured"),)),
        replace(REGION, nodes=(node(gpus=1),)),
        FAR,
        workload("w", "office", gpus=1),
    )
    answer = asked(built, "office")
    assert (answer.violations, answer.changes, answer.cost_difference, answer.verified) == ((), (), None, False)


def test_where_it_already_runs_nothing_has_to_change() -> None:
    answer = asked(estate(OFFICE, REGION, FAR, workload("w", "office")), "region")
    assert (answer.chosen, answer.changes, answer.cost_difference, answer.verified) == ("region", (), 0.0, True)


@pytest.mark.parametrize(
    ("name", "where", "hint"),
    [("alarm-filtre", "onprem-roma", "'alarm-filter'"), ("alarm-filter", "onprem-rome", "'onprem-roma'")],
)
def test_an_unknown_name_gets_the_nearest_one(name: str, where: str, hint: str) -> None:
    with pytest.raises(UsageError, match=f"did you mean {hint}"):
        why_not(operator(), operator_plan(), name, where)


def test_the_plan_of_another_estate_is_refused() -> None:
    with pytest.raises(CellwrightError, match="plan-of-another-estate"):
        explain(operator(), replace(operator_plan(), estate_sha256="0" * 64), "alarm-filter")


def test_an_explanation_counts_what_each_dimension_leaves_and_ranks_what_else_would_do() -> None:
    found = explain(operator(), operator_plan(), "capacity-forecast")
    assert [step.dimension for step in found.steps] == list(Dimension)[:-1]
    assert [step.remaining for step in found.steps] == [218, 218, 218, 18, 18, 18, 18, 18]
    costs = [each.cost_per_hour for each in found.alternatives]
    assert costs == sorted(costs)
    assert len(costs) == 17
    assert all(each.difference >= 0 for each in found.alternatives)


def applied(answer: WhyNot, built: Estate) -> Estate:
    for change in answer.changes:
        built = change.apply(built)
    return built


@settings(max_examples=40)
@given(estates, st.data())
def test_the_answer_repeats_the_plans_rejection_and_its_changes_admit_the_site(
    built: Estate, data: st.DataObject
) -> None:
    made = plan(built)
    assume(made.placements)  # no site may have been selected for a replica each
    placement = data.draw(st.sampled_from(made.placements))
    site = data.draw(st.integers(0, len(made.sites) - 1))
    answer = why_not(built, made, placement.label, made.sites[site].name)
    rejected = [each for each in placement.rejections.at(site).violations if each.dimension is not Dimension.COST]
    if answer.site == answer.chosen:
        assert (answer.verified, answer.changes) == (True, ())
    elif rejected:
        assert told(answer.violations) >= told(rejected)
        assert answer.verified or "affinity.other-site" in {each.code for each in rejected}, texts(answer)
        assert not answer.verified or answer.changes


def test_on_the_example_every_no_can_be_turned_into_a_yes() -> None:
    for name in operator().workloads:
        for where in ("region-belgrade", "metro-roma", min(operator().sites)):
            answer = why_not(operator(), operator_plan(), name, where)
            assert answer.verified, (name, where, texts(answer))


def test_the_changes_fit_together_in_one_estate() -> None:
    answer = why_not(operator(), operator_plan(), "alarm-filter", "region-belgrade")
    assert len(answer.changes) >= 2
    again = why_not(changed := applied(answer, operator()), plan(changed), "alarm-filter", "region-belgrade")
    assert again.violations == ()


def test_no_link_is_asked_to_be_faster_than_light_for_a_service_that_is_too_slow() -> None:
    built = estate(OFFICE, REGION, workload("w", "office", p99=10.0, service=12.0))
    assert texts(asked(built)) == [
        "a link from office to region with P99 of at most 10 ms and 1 Gbit/s",
        "latency.p99 limit of w from 10 ms to 22 ms",
    ]


@pytest.mark.parametrize(
    ("there", "asked_for", "text"),
    [
        (node(), {"untrusted": True}, "a DPU in machine rack at region"),
        (
            node(executions=frozenset({Execution.KUBERNETES})),
            {"execution": Execution.VM},
            "machine rack also runs vm at region",
        ),
        (
            node(nics=(Nic("ens1", 0, 2, 25.0),)),
            {"needs": {"sriov": 6}},
            "4 more SR-IOV functions on network card ens1 of machine rack at region",
        ),
        (
            node(),
            {"needs": {"sriov": 6}},
            "a network card with 6 SR-IOV functions in machine rack at region",
        ),
        (
            node(hugepages_1gib_gib=2.0),
            {"needs": {"hugepages_gib": 6.0, "hugepage_mib": 1024}},
            "4 GiB more in machine rack, set aside in pages of 1 GiB at region",
        ),
        (node(nvme_gb=10.0), {"needs": {"nvme_gb": 35.0}}, "25 GB more NVMe in machine rack at region"),
        (
            node(gpus=1, model="A30", gpu_memory=24.0),
            {"needs": {"mig_profile": "1g.6gb"}},
            "GPUs of machine rack cut into MIG instances, among them 1g.6gb at region",
        ),
        (
            node(cores=8, cells=2),
            {"cores": 6, "needs": {"single_cell": True}},
            "machine rack grown until one of its 2 NUMA cells holds all of it at region",
        ),
        (
            node(gpus=1),
            {"gpus": 1, "gpu_memory": 80.0},
            "one further machine at region with 1 core, 1 GiB, 1 GPU of 80 GiB (x86_64)",
        ),
        (
            node(),
            {"needs": {"mig_profile": "2g.12gb"}},
            "one further machine at region with 1 core, 1 GiB, 1 GPU of 23.44 GiB cut for 2g.12gb (x86_64)",
        ),
    ],
)
def test_the_missing_piece_of_the_nearest_machine_is_named(
    there: Node, asked_for: dict[str, object], text: str
) -> None:
    answer = asked(estate(OFFICE, replace(REGION, nodes=(there,)), FAR, workload("w", "office", **asked_for)))
    assert texts(answer) == [text]
    assert answer.verified


def test_a_gang_gets_one_fabric_or_machines_that_have_one() -> None:
    gang = workload("w", "office", gang=True, replicas=Replicas(3), cores=30)
    racks = tuple(node(name, cores=32) for name in ("east", "mid", "west"))
    answer = asked(estate(OFFICE, replace(REGION, nodes=racks), FAR, gang))
    assert texts(answer) == ["machines east, mid, west at region on one RDMA fabric"]
    assert (answer.verified, answer.chosen_after) == (True, "region")
    answer = asked(estate(OFFICE, replace(REGION, nodes=racks[:2]), FAR, gang))
    assert texts(answer) == ["3 further machines on one RDMA fabric at region with 30 cores, 1 GiB (x86_64)"]
    assert (answer.verified, answer.chosen_after) == (True, "region")


def test_the_answer_says_where_the_changed_estate_sends_it() -> None:
    built = estate(OFFICE, REGION, FAR, workload("w", "office", p99=10.0))
    answer = asked(built)
    assert (answer.chosen, answer.chosen_after) == ("office", "region")
    assert answer.outcome == "planned again with that, w goes to region"
    dear = estate(REGION, site("mine", Tier.FAR_EDGE), link("region", "mine", 20.0), workload("w", "region", p99=10.0))
    answer = asked(dear, "mine")
    assert (answer.verified, answer.chosen_after) == (True, "region")
    assert answer.outcome == "with that mine admits w at 0.51 EUR/h; planned again, it goes to region"


def test_each_replica_is_asked_about_by_its_number() -> None:
    built = estate(site("s", nodes=(node(cores=8),)), workload("w", "s", cores=6, replicas=Replicas(2)))
    made = plan(built)
    placed, homeless = sorted((each.site is None, each.label) for each in made.placements)
    assert explain(built, made, placed[1]).placement.site == "s"
    answer = why_not(built, made, homeless[1], "s")
    assert (answer.workload, answer.chosen, answer.verified, answer.chosen_after) == (homeless[1], None, True, "s")
    assert f"{placed[1]} took the rest" in answer.violations[0].message
    with pytest.raises(UsageError, match="unknown-replica"):
        why_not(built, made, "w#3", "s")


def test_a_replica_that_belongs_to_another_site_cannot_be_had() -> None:
    everywhere = Replicas(per_site=Selector())
    built = estate(OFFICE, REGION, FAR, workload("w", "office", replicas=everywhere))
    answer = asked(built, "region", "w#1")
    assert [violation.code for violation in answer.violations] == ["affinity.other-site"]
    assert (answer.changes, answer.verified, answer.outcome) == ((), False, "no change is known that would admit it")


def test_owned_machines_get_cheaper_too() -> None:
    book = prices()
    owned = OwnedHardware(Tier.ONPREM, None, None, 60000.0, 4.0, 0.5, 1.0, 0.3)
    built = estate(
        replace(OFFICE, pue=1.2),
        REGION,
        FAR,
        workload("w", "office", cores=10, memory=0),
        book=replace(book, owned=(owned,)),
    )
    answer = asked(built, "office")
    assert (answer.violations, answer.verified, answer.chosen_after) == ((), True, "office")


def test_a_change_that_another_makes_needless_is_left_out() -> None:
    built = estate(
        OFFICE,
        REGION,
        FAR,
        tenant("team", cores=5),
        workload("w", "office", cores=8, quantisations=(), needs={"single_cell": True}),
        workload("other", "office", cores=1),
    )
    answer = asked(built)
    for change in answer.changes:
        kept = [each for each in answer.changes if each is not change]
        estate_ = built
        for each in kept:
            estate_ = each.apply(estate_)
        again = asked(estate_)
        assert again.violations
