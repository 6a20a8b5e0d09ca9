"""What holds of every plan. The oracle knows nothing of the planner: it restates the rules and tries every choice."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from random_estates import assembled, estates, things

from cellwright.estate.model import Boundary, Control, Estate, OnCall, Phase, Site, Workload
from cellwright.placement.encode import from_json, to_json
from cellwright.placement.plan import Dimension, Plan
from cellwright.placement.planning import plan

BUDGET = settings(max_examples=60, deadline=None)


def best_p99(built: Estate, source: str, target: str) -> float:
    """Floyd and Warshall, so as not to share the planner's search."""
    delay = {(a, b): 0.0 if a == b else math.inf for a in built.sites for b in built.sites}
    for each in built.links.values():
        for pair in ((each.a, each.b), (each.b, each.a)):
            delay[pair] = min(delay[pair], each.rtt_p99_ms)
    for via, a, b in itertools.product(built.sites, repeat=3):
        delay[a, b] = min(delay[a, b], delay[a, via] + delay[via, b])
    return delay[source, target]


def best_gbps(built: Estate, source: str, target: str) -> float:
    width = {(a, b): math.inf if a == b else 0.0 for a in built.sites for b in built.sites}
    for each in built.links.values():
        for pair in ((each.a, each.b), (each.b, each.a)):
            width[pair] = max(width[pair], each.bandwidth_gbps)
    for via, a, b in itertools.product(built.sites, repeat=3):
        width[a, b] = max(width[a, b], min(width[a, via], width[via, b]))
    return width[source, target]


def legal(built: Estate, job: Workload, target: Site) -> bool:
    for each in job.consumes:
        data = built.datasets[each.dataset]
        home = built.sites[data.home]
        if home is target:
            continue
        rules = [
            rule
            for rule in built.regulations.values()
            if home.jurisdiction in rule.jurisdictions and data.sensitivity in rule.classes
        ]
        same = home.jurisdiction == target.jurisdiction
        own = same and target.control is Control.OPERATOR
        fits = {Boundary.PREMISES: own, Boundary.COUNTRY: same, Boundary.NONE: True}
        if not rules and not own:
            return False
        if not all(fits.get(rule.boundary, same or target.jurisdiction in rule.members) for rule in rules):
            return False
    return True


def timely(built: Estate, job: Workload, target: Site) -> bool:
    network = best_p99(built, job.latency.users, target.name)
    limit = math.inf if job.latency.p99_ms is None else job.latency.p99_ms
    if network == math.inf or network + job.service_p99_ms > limit + 1e-6:
        return False
    for each in job.consumes:
        data = built.datasets[each.dataset]
        if data.home == target.name:
            continue
        gbps = best_gbps(built, data.home, target.name)
        if data.bound or (
            each.transfer_gb and (not gbps or each.transfer_gb * 8 / gbps > each.within_ms / 1000 + 1e-6)
        ):
            return False
    return True


def staffed(job: Workload, target: Site) -> bool:
    there = target.operations.skills | ({"hardware"} if target.operations.managed else set())
    rising = list(OnCall)
    enough = rising.index(target.operations.on_call) >= rising.index(job.readiness.on_call)
    return enough and job.readiness.skills <= there


def nodes_for(job: Workload, target: Site) -> list[str]:
    """Names of the nodes whose machine holds the workload when empty."""
    fitting = []
    for each in target.nodes:
        wanted = job.demand.memory_gib + (job.demand.gpus * job.demand.gpu_memory_gib if each.unified_memory else 0)
        graphics = not job.demand.gpus or (
            each.gpus is not None
            and each.gpus.count >= job.demand.gpus
            and each.gpus.memory_gib >= job.demand.gpu_memory_gib
        )
        plain = each.arch in job.demand.archs and each.cores >= job.demand.cores
        if plain and graphics and each.memory_gib >= wanted - 1e-9:
            fitting.append(each.name)
    return fitting


def price(built: Estate, job: Workload, target: Site, node_name: str) -> float | None:
    book = built.price_books["list"]
    tariff = next(each for each in book.compute if each.tier is target.tier)
    node = next(each for each in target.nodes if each.name == node_name)
    total = job.demand.cores * tariff.core_hour + job.demand.memory_gib * tariff.memory_gib_hour
    if job.demand.gpus:
        if node.gpus.model not in tariff.gpu_hour:
            return None
        total += job.demand.gpus * tariff.gpu_hour[node.gpus.model]
    arriving = (each.rate_gb_per_h for each in job.consumes if built.datasets[each.dataset].home != target.name)
    return total + sum(arriving) * tariff.ingress_gb


def admitted(built: Estate, job: Workload, target: Site) -> bool:
    return legal(built, job, target) and timely(built, job, target) and staffed(job, target)


@BUDGET
@given(estates)
def test_no_placement_breaks_a_hard_constraint(built: Estate) -> None:
    made = plan(built)
    where = {each.workload: each.site for each in made.placements}
    for each in made.placements:
        if each.site is None:
            continue
        job, target = built.workloads[each.workload], built.sites[each.site]
        assert admitted(built, job, target)
        assert each.node.split("#")[0] in nodes_for(job, target)
        for call in job.calls:
            if call.p99_ms is not None:
                assert where[call.workload] is not None
                assert best_p99(built, where[call.workload], each.site) <= call.p99_ms + 1e-6


@BUDGET
@given(estates)
def test_no_machine_and_no_quota_is_ever_overfull(built: Estate) -> None:
    made = plan(built)
    held: dict[tuple[str, str], list[Workload]] = {}
    for each in made.placements:
        if each.site:
            held.setdefault((each.site, each.node), []).append(built.workloads[each.workload])
    for (name, label), jobs in held.items():
        node = next(each for each in built.sites[name].nodes if each.name == label.split("#")[0])
        assert "#" not in label or int(label.split("#")[1]) <= node.count
        shared = [job.demand.gpus * job.demand.gpu_memory_gib if node.unified_memory else 0.0 for job in jobs]
        assert sum(job.demand.cores for job in jobs) <= node.cores
        assert sum(job.demand.memory_gib for job in jobs) + sum(shared) <= node.memory_gib + 1e-6
        assert sum(job.demand.gpus for job in jobs) <= (node.gpus.count if node.gpus else 0)
    for tenant in built.tenants.values():
        mine = [job.demand for jobs in held.values() for job in jobs if job.tenant == tenant.name]
        assert tenant.quota.cores is None or sum(each.cores for each in mine) <= tenant.quota.cores
        assert tenant.quota.gpus is None or sum(each.gpus for each in mine) <= tenant.quota.gpus


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

    def unlabelled(made: Plan) -> list[object]:
        return [replace(each, phase=Phase.TRAINING) for each in made.placements]

    assert unlabelled(plan(replace(built, workloads=jobs))) == unlabelled(plan(built))


@BUDGET
@given(estates)
def test_a_plan_survives_json_byte_for_byte(built: Estate) -> None:
    made = plan(built)
    text = to_json(made)
    assert from_json(text) == made
    assert to_json(from_json(text)) == text


@BUDGET
@given(things(most=1).map(assembled))
def test_a_single_workload_goes_to_the_cheapest_feasible_site(built: Estate) -> None:
    """Every site and node is tried; prices that are unknown lose against any that is known."""
    (job,) = built.workloads.values()
    (found,) = plan(built).placements
    quota = built.tenants[job.tenant].quota
    within = (quota.cores or math.inf) >= job.demand.cores and (quota.gpus or math.inf) >= job.demand.gpus
    choices = [
        (price(built, job, target, node), target.name)
        for target in built.sites.values()
        if within and admitted(built, job, target)
        for node in nodes_for(job, target)
    ]
    if not choices:
        assert found.site is None
        return
    known = [cost for cost, _ in choices if cost is not None]
    assert (found.cost_per_hour is None) == (not known)
    if known:
        assert math.isclose(found.cost_per_hour, min(known), abs_tol=1e-8)
        cheapest = {name for cost, name in choices if cost is not None and cost <= min(known) + 1e-9}
        assert found.site == min(cheapest)


@BUDGET
@given(estates)
def test_every_other_site_has_a_reason_and_every_elimination_is_counted(built: Estate) -> None:
    for each in plan(built).placements:
        assert [rejection.site for rejection in each.rejections] == sorted(set(built.sites) - {each.site})
        assert all(rejection.violations for rejection in each.rejections)
        first = [rejection.violations[0].dimension for rejection in each.rejections]
        counted = {dimension: first.count(dimension) for dimension in Dimension if dimension is not Dimension.COST}
        assert each.eliminated == counted
        for rejection in each.rejections:
            order = [list(Dimension).index(violation.dimension) for violation in rejection.violations]
            assert order == sorted(order)
