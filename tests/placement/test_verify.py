"""The verifier finds nothing in a sound plan, and each of its rules in a plan that breaks just that one."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from small_estates import CHECKED, dataset, link, measurement, prices, tenant
from sound_plans import (
    GIB,
    GPU_HOUR,
    ONE_ANSWER,
    of,
    planned,
    sound,
    with_demand,
    with_machine,
    with_place,
    with_placement,
    with_seating,
    with_work,
    world,
)

from cellwright.economics.compute import CostItem
from cellwright.estate.model import (
    Arch,
    Boundary,
    Call,
    ComputePrices,
    Execution,
    LatencyTarget,
    OwnedHardware,
    Phase,
    Readiness,
    Replicas,
    Spread,
    Tier,
    Window,
)
from cellwright.placement import verify as verifier
from cellwright.placement.slots import Draw
from cellwright.placement.verify import verify

if TYPE_CHECKING:
    from cellwright.estate.model import Estate
    from cellwright.placement.plan import Plan

WORLD = world()
SOUND = sound(WORLD)


def codes(built: Estate, made: Plan) -> set[str]:
    return {each.code for each in verify(built, made)}


def seating(label: str, **changed: object) -> Plan:
    return with_seating(SOUND, label, **changed)


def without(label: str) -> Plan:
    return replace(SOUND, placements=tuple(each for each in SOUND.placements if each.label != label))


def draws(label: str, **changed: int) -> Plan:
    (found,) = (each for each in SOUND.placements if each.label == label)
    return seating(label, draws=(replace(found.seating.draws[0], **changed),))


def work(name: str, **changed: object) -> Estate:
    return with_work(WORLD, name, **changed)


def demand(name: str, **changed: object) -> Estate:
    return with_demand(WORLD, name, **changed)


def machine(name: str, **changed: object) -> Estate:
    return with_machine(WORLD, "milan", name, **changed)


def place(**changed: object) -> Estate:
    return with_place(WORLD, "milan", **changed)


def epyc_gpus(**changed: object) -> Estate:
    (gpus,) = (each.gpus for each in WORLD.sites["milan"].nodes if each.name == "epyc")
    return machine("epyc", gpus=replace(gpus, **changed))


def quota(**limits: float) -> Estate:
    return replace(WORLD, tenants={"team": tenant(**limits)})


def elsewhere(boundary: Boundary) -> Estate:
    rule = replace(WORLD.regulations["free"], boundary=boundary)
    return replace(WORLD, regulations={**WORLD.regulations, "free": rule})


PLANS: dict[str, tuple[str, Plan]] = {
    "another estate": ("plan.estate", replace(SOUND, estate_sha256="0" * 64)),
    "a site left out": ("plan.sites", replace(SOUND, sites=SOUND.sites[:1])),
    "another currency": ("plan.currency", replace(SOUND, currency="USD")),
    "valid for ever": ("plan.valid-until", replace(SOUND, valid_until="9999-12-31")),
    "never expires": ("plan.valid-until", replace(SOUND, valid_until=None)),
    "a stranger": ("replica.unknown", with_placement(SOUND, "probe", workload="nobody")),
    "one twice": ("replica.twice", with_placement(SOUND, "speech#2", replica=1)),
    "one missing": ("replica.count", without("speech#2")),
    "a workload missing": ("replica.count", without("chat")),
    "another tenant": ("replica.facts", with_placement(SOUND, "chat", tenant="other")),
    "another phase": ("replica.facts", with_placement(SOUND, "chat", phase=Phase.TRAINING)),
    "one of three": ("replica.facts", with_placement(SOUND, "speech#1", replicas=3)),
    "other users": ("replica.users", with_placement(SOUND, "chat", users="milan")),
    "no such site": ("replica.machine", with_placement(SOUND, "chat", site="rome")),
    "no such machine": ("replica.machine", with_placement(SOUND, "chat", node="epyc#3")),
    "no number": ("replica.machine", with_placement(SOUND, "chat", node="epyc")),
    "another tier": ("replica.tier", with_placement(SOUND, "chat", tier=Tier.REGION)),
    "not at its own site": ("replica.site", with_placement(SOUND, "probe", site="milan", node="dgx", tier=Tier.METRO)),
    "no form": ("replica.form", with_placement(SOUND, "chat", quantisation=None)),
    "an unknown form": ("replica.form", with_placement(SOUND, "chat", quantisation="int2")),
    "a form too many": ("replica.form", with_placement(SOUND, "probe", quantisation="int4")),
    "takes nothing": ("replica.seating", with_placement(SOUND, "chat", seating=None)),
    "location abroad": ("law.boundary", with_placement(SOUND, "learner#1", site="nice", node="box")),
    "wrong latency": ("latency.figure", with_placement(SOUND, "chat", latency_p99_ms=19.0)),
    "unknown latency": ("latency.figure", with_placement(SOUND, "chat", latency_p50_ms=None)),
    "claims a measurement": ("latency.source", with_placement(SOUND, "chat", latency_source="measured: a probe")),
    "calls where nobody is": ("call.site", with_placement(SOUND, "chat", calls=(("speech", "nice", Tier.METRO),))),
    "calls nobody": ("call.site", with_placement(SOUND, "chat", calls=(("speech", None, None),))),
    "a cell that is not there": ("cell.unknown", seating("chat", cells=(2,))),
    "a cell twice": ("cell.unknown", seating("by-day", cells=(0, 0), draws=(Draw(2), Draw(2, GIB)))),
    "fewer draws than cells": ("cell.unknown", seating("chat", cells=(0, 1))),
    "too few threads": ("seating.amount", draws("chat", threads=3)),
    "too little memory": ("seating.amount", draws("chat", memory_kib=GIB)),
    "no hugepages": ("seating.amount", draws("packets#1", large_pages=0)),
    "hugepages of the wrong size": ("seating.amount", draws("packets#1", large_pages=0, small_pages=8192)),
    "one function of two": ("seating.amount", draws("packets#1", functions=1)),
    "half a core": (
        "seating.pinned",
        seating("packets#1", cells=(0, 1), draws=(Draw(3), Draw(5, 8 * GIB, 0, 16, 2))),
    ),
    "two cells for one": (
        "cell.single",
        seating("packets#1", cells=(0, 1), draws=(Draw(4), Draw(4, 8 * GIB, 0, 16, 2))),
    ),
    "functions of the other cell": ("machine.functions", seating("packets#1", cells=(0,))),
    "a GPU too few": ("gpu.count", seating("training#1", gpus=(0,))),
    "a GPU too many": ("gpu.count", seating("probe", gpus=(0,))),
    "whole instead of cut": ("gpu.count", seating("speech#1", gpus=(0,), instances=())),
    "a GPU that is not there": ("gpu.unknown", seating("chat", gpus=(4,))),
    "a GPU twice": ("gpu.unknown", seating("training#1", gpus=(1, 1))),
    "a GPU that is taken": ("gpu.share", seating("training#1", gpus=(2, 3))),
    "an instance on another": ("gpu.slice", seating("speech#2", instances=((0, 0),))),
    "an instance at the end": ("gpu.start", seating("speech#2", instances=((0, 7),))),
    "half a gang": ("gang.partial", with_placement(SOUND, "training#2", site=None, node=None, seating=None)),
    "too cheap": ("cost.per-hour", with_placement(SOUND, "chat", cost_per_hour=0.5)),
    "unknown cost": ("cost.per-hour", with_placement(SOUND, "chat", cost_per_hour=None)),
    "items that do not add up": ("cost.items", with_placement(SOUND, "chat", cost_items=(CostItem("", 1.0, ""),))),
}
DEAR = prices(ComputePrices(Tier.METRO, "milan", 9.0, 0.01, GPU_HOUR, 0.01), gpu_hour=GPU_HOUR)
UNPRICED = prices(gpu_hour={})
OWNED = replace(DEAR, owned=(OwnedHardware(Tier.METRO, None, "epyc", 1e4, 5.0, 0.8, 2.0, 0.1),))
ESTATES: dict[str, tuple[str, Estate]] = {
    "data that may not leave": ("law.boundary", elsewhere(Boundary.COUNTRY)),
    "data of the premises": ("law.boundary", elsewhere(Boundary.PREMISES)),
    "no regulation": ("law.unclassified", replace(WORLD, regulations={})),
    "users who are cut off": ("latency.unreachable", replace(WORLD, links={})),
    "a slower link": ("latency.p99", replace(WORLD, links={"milan-nice": link("milan", "nice", 18.5)})),
    "a tighter limit": ("latency.p99", work("chat", latency=LatencyTarget("nice", 19.9))),
    "a slow measurement": (
        "latency.p99",
        replace(WORLD, measurements={"m": measurement("chat", "nice", "milan", 31.0)}),
    ),
    "a measurement ignored": (
        "latency.source",
        replace(WORLD, measurements={"m": measurement("chat", "nice", "milan", 20.0, 10.0)}),
    ),
    "a call of another place": ("call.site", work("by-day", calls=(ONE_ANSWER,))),
    "a skill that is missing": ("operations.skill", work("chat", readiness=Readiness(frozenset({"tuning"}), "none"))),
    "nobody at night": (
        "operations.on-call",
        work("probe", readiness=Readiness(frozenset(), WORLD.sites["milan"].operations.on_call)),
    ),
    "bound data": (
        "gravity.bound",
        replace(WORLD, datasets={**WORLD.datasets, "counters": dataset("counters", "nice", bound=True)}),
    ),
    "a thin link": ("gravity.transfer", replace(WORLD, links={"milan-nice": link("milan", "nice", 8.0, 0.005)})),
    "another architecture": ("hardware.arch", demand("chat", archs=frozenset({Arch.ARM64}))),
    "another execution": ("hardware.execution", work("chat", execution=Execution.BARE_METAL)),
    "no DPU": ("hardware.dpu", machine("epyc", dpu=False)),
    "no GPU": ("hardware.gpu", machine("epyc", gpus=None)),
    "another GPU": ("hardware.gpu-model", demand("chat", gpu_models=frozenset({"H100-80GB"}))),
    "cut GPUs": ("hardware.mig", epyc_gpus(model="A30", mig=True)),
    "a profile of another GPU": ("hardware.mig-profile", demand("speech", mig_profile="1g.5gb")),
    "small GPUs": ("hardware.gpu-memory", epyc_gpus(memory_gib=39.0)),
    "small instances": ("hardware.gpu-memory", demand("speech", gpu_memory_gib=10.0)),
    "guaranteed shares": ("gpu.time-slice", work("slice-a", service_class="guaranteed")),
    "larger shares": ("gpu.share", demand("slice-a", gpu_share=0.6)),
    "shares of more memory": ("gpu.shared-memory", demand("slice-a", gpu_memory_gib=39.0)),
    "all day long": ("gpu.share", work("by-day", window=None)),
    "windows that overlap": ("gpu.share", work("by-night", window=Window(22 * 60, 7 * 60))),
    "larger instances": ("gpu.slice", demand("speech", mig_profile="2g.20gb")),
    "fewer cores": ("machine.threads", machine("epyc", cores=12)),
    "less memory": ("machine.memory", machine("epyc", memory_gib=120.0)),
    "fewer hugepages": ("machine.pages", machine("epyc", hugepages_1gib_gib=31.0)),
    "fewer functions": ("machine.functions", machine("epyc", nics=())),
    "less cache": ("machine.nvme", machine("epyc", nvme_gb=99.0)),
    "no fabric": ("gang.fabric", machine("epyc", fabric=None)),
    "a gang of three": ("gang.partial", work("training", replicas=Replicas(3))),
    "one at each site": ("spread.site", work("packets", spread=Spread.SITE)),
    "one on each machine": ("spread.node", work("speech", spread=Spread.NODE)),
    "company that is not there": ("affinity.together", work("packets", together_with=frozenset({"probe"}))),
    "company that is there": ("affinity.apart", work("chat", apart_from=frozenset({"speech"}))),
    "a smaller budget": ("power.budget", place(power_budget_kw=4.0)),
    "a budget for nobody knows what": ("power.unknown", machine("dgx", power_kw=None)),
    "a quota of cores": ("quota.cores", quota(cores=10)),
    "a quota of memory": ("quota.memory", quota(memory=10.0)),
    "a quota of GPUs": ("quota.gpus", quota(gpus=8)),
    "an accuracy that is asked for": ("model.accuracy", work("chat", min_accuracy=1.01)),
    "another price": ("cost.per-hour", replace(WORLD, price_books={"list": DEAR})),
    "a price that is missing": ("cost.per-hour", replace(WORLD, price_books={"list": UNPRICED})),
    "machines that were bought": ("cost.per-hour", replace(WORLD, price_books={"list": OWNED})),
    "a price book that expires": (
        "plan.valid-until",
        replace(WORLD, price_books={"list": replace(DEAR, expires=CHECKED)}),
    ),
}


def test_nothing_is_found_in_a_sound_plan() -> None:
    assert verify(WORLD, SOUND) == ()


@pytest.mark.parametrize(("code", "made"), PLANS.values(), ids=PLANS)
def test_a_corrupted_plan_is_caught(code: str, made: Plan) -> None:
    assert code in codes(WORLD, made)


@pytest.mark.parametrize(("code", "built"), ESTATES.values(), ids=ESTATES)
def test_a_plan_that_an_estate_does_not_bear_is_caught(code: str, built: Estate) -> None:
    assert code in codes(built, of(built, SOUND))


def test_a_gang_at_two_sites_is_caught() -> None:
    moved = with_placement(SOUND, "training#2", site="nice", node="box", tier=Tier.FAR_EDGE)
    assert "gang.site" in codes(WORLD, moved)


def test_a_call_that_takes_too_long_is_caught() -> None:
    calls = work("probe", calls=(Call("speech", 1.0, 7.9),))
    made = with_placement(SOUND, "probe", calls=(("speech", "milan", Tier.METRO),))
    assert "call.p99" in codes(calls, of(calls, made))
    patient = work("probe", calls=(Call("speech", 1.0, 8.0),))
    assert "call.p99" not in codes(patient, of(patient, made))


def test_compute_slices_that_are_not_there_are_caught() -> None:
    """No profile of a known GPU gets this far without sharing memory slices, so the starts are wrong as well."""
    large = demand("speech", mig_profile="4g.40gb")
    made = with_seating(with_seating(SOUND, "speech#1", instances=((0, 0),)), "speech#2", instances=((0, 4),))
    assert {"gpu.compute", "gpu.start"} <= codes(large, of(large, made))


def test_every_rule_has_a_plan_that_breaks_it() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in sorted(Path(verifier.__file__).parent.glob("*.py")))
    rules = set(re.findall(r'"([a-z]+\.[a-z][a-z0-9-]+)"', sources))
    tried = {code for code, _ in (*PLANS.values(), *ESTATES.values())} | {"gang.site", "call.p99", "gpu.compute"}
    assert rules - tried == set()
    assert len(rules) > 50


def test_a_breach_names_the_replica_the_site_the_measured_value_and_the_limit() -> None:
    tight = work("chat", latency=LatencyTarget("nice", 19.5))
    (breach,) = verify(tight, of(tight, SOUND))
    assert (breach.code, breach.workload, breach.site, breach.measured, breach.limit) == (
        "latency.p99",
        "chat",
        "milan",
        20.0,
        19.5,
    )
    assert breach.message == "chat at milan: round trip P99 is 20 ms (reckoned), limit 19.5 ms"


def test_what_has_no_site_breaks_nothing() -> None:
    away = {"site": None, "node": None, "tier": None, "seating": None, "cost_per_hour": None, "cost_items": ()}
    assert verify(WORLD, with_placement(SOUND, "by-day", **away)) == ()


def test_owned_hardware_costs_its_share_of_purchase_and_energy() -> None:
    """By hand: 1e4 / (5 * 8766 * 0.8) + 2 kW * PUE 1.5 * 0.1 an hour; a replica with 2 of 4 GPUs pays half."""
    half = (1e4 / (5 * 8766 * 0.8) + 2.0 * 1.5 * 0.1) / 2
    built = with_place(replace(WORLD, price_books={"list": OWNED}), "milan", pue=1.5)
    found = {each.workload: each.limit for each in verify(built, of(built, SOUND)) if each.code == "cost.per-hour"}
    assert found["training#1"] == pytest.approx(half)


def test_a_plan_of_nothing_is_sound_for_an_estate_without_work() -> None:
    idle = replace(WORLD, workloads={})
    assert verify(idle, planned(idle)) == ()
