from __future__ import annotations

from small_estates import case, estate, node, site, tenant, workload

from cellwright.estate.model import Arch
from cellwright.placement.capacity import best_fit, quota_violations
from cellwright.placement.decide import assess_site
from cellwright.placement.occupancy import Occupancy


def shortages(built, name="w", where="s", seated=()):  # noqa: ANN001, ANN201 - code and figures of one site
    occupancy = Occupancy(built)
    for other, label in seated:
        occupancy.take(built.workloads[other], where, label)
    found = assess_site(case(built, name), built.sites[where], occupancy).violations
    return [(each.code, each.measured, each.limit) for each in found]


def test_the_nearest_machine_names_everything_it_lacks() -> None:
    built = estate(
        site("s", nodes=(node("small", cores=2, memory=4), node("large", cores=8, memory=4, gpus=1, gpu_memory=16))),
        workload("w", "s", cores=8, memory=8, gpus=2, gpu_memory=24),
    )
    assert shortages(built) == [
        ("capacity.gpus", 1.0, 2.0),
        ("capacity.gpu-memory", 16.0, 24.0),
        ("capacity.memory", 4.0, 8.0),
    ]


def test_the_architecture_must_be_one_the_workload_has_an_artefact_for() -> None:
    built = estate(
        site("s", nodes=(node(arch=Arch.ARM64),)),
        workload("w", "s"),
        workload("both", "s", archs=frozenset(Arch)),
    )
    assert shortages(built) == [("capacity.arch", "arm64", "x86_64")]
    assert shortages(built, "both") == []


def test_gpu_memory_on_a_unified_node_comes_out_of_its_memory() -> None:
    unified = node(memory=64, gpus=1, gpu_memory=64, unified=True)
    built = estate(
        site("s", nodes=(unified,)),
        workload("fits", "s", memory=24, gpus=1, gpu_memory=40),
        workload("w", "s", memory=25, gpus=1, gpu_memory=40),
    )
    assert shortages(built, "fits") == []
    assert shortages(built) == [("capacity.memory", 64.0, 65.0)]


def test_a_site_without_machines_says_so() -> None:
    assert shortages(estate(site("s", nodes=()), workload("w", "s"))) == [("capacity.nodes", 0.0, 1.0)]


def test_room_that_others_took_is_told_apart_from_room_that_never_was() -> None:
    built = estate(
        site("s", nodes=(node(cores=8),)), workload("w", "s", cores=4), workload("first", "s", cores=6, tenant="other")
    )
    occupancy = Occupancy(built)
    occupancy.take(built.workloads["first"], "s", "rack")
    (found,) = assess_site(case(built, "w"), built.sites["s"], occupancy).violations
    assert (found.code, found.subject, found.measured, found.limit) == ("capacity.taken", "cores", 2.0, 4.0)
    assert "first took the rest" in found.message
    occupancy.release(built.workloads["first"])
    assert assess_site(case(built, "w"), built.sites["s"], occupancy).violations == ()


def test_a_workload_goes_where_the_least_is_left_over() -> None:
    built = estate(
        site("s", nodes=(node(count=3, cores=8),)), workload("w", "s", cores=2), workload("first", "s", cores=5)
    )
    occupancy = Occupancy(built)
    rack = built.sites["s"].nodes[0]
    occupancy.take(built.workloads["first"], "s", "rack#2")
    machine = best_fit(occupancy, built.sites["s"], rack, built.workloads["w"].demand)
    assert machine is not None
    assert (machine.label, machine.cores, machine.holders) == ("rack#2", 3, ("first",))


def test_a_quota_counts_all_workloads_of_the_tenant_and_no_others() -> None:
    built = estate(
        site("s"),
        tenant("team", cores=8, gpus=4),
        tenant("other"),
        workload("w", "s", cores=4, gpus=1),
        workload("mine", "s", cores=6),
        workload("theirs", "s", cores=6, tenant="other"),
    )
    occupancy = Occupancy(built)
    assert quota_violations(occupancy, case(built, "w")) == ()
    occupancy.take(built.workloads["mine"], "s", "rack")
    occupancy.take(built.workloads["theirs"], "s", "rack")
    (found,) = quota_violations(occupancy, case(built, "w"))
    assert (found.code, found.subject, found.measured, found.limit) == ("capacity.quota", "cores", 10.0, 8.0)
    assert "already placed: mine" in found.message
