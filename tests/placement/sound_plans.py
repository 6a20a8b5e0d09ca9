"""An estate with something of everything, and a sound plan of it written by hand: no planner has touched it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from small_estates import CORE_HOUR, EXPIRES, dataset, estate, form, link, node, prices, regulation, site, use, workload

from cellwright.economics.compute import CostItem
from cellwright.estate.identity import fingerprint
from cellwright.estate.model import (
    Arch,
    Boundary,
    Call,
    Control,
    Execution,
    Nic,
    OnCall,
    Replicas,
    Selector,
    SensitivityClass,
    ServiceClass,
    Spread,
    Tier,
    Window,
)
from cellwright.placement.plan import Dimension, Placement, Plan, PlannedSite, Rejections
from cellwright.placement.slots import Draw, Seating

if TYPE_CHECKING:
    from cellwright.estate.model import Demand, Estate, Site, Workload

GIB = 2**20  # KiB
GPU_HOUR = {"L40S": 2.0, "H100-80GB": 4.0}
DAY, NIGHT = Window(7 * 60, 23 * 60), Window(23 * 60, 7 * 60)
BEST_EFFORT = ServiceClass.BEST_EFFORT
ONE_ANSWER = Call("speech", 2.0, 5.0)


def world() -> Estate:
    epyc = node(
        "epyc",
        count=2,
        cores=32,
        memory=256.0,
        gpus=4,
        sockets=2,
        cells=2,
        threads_per_core=2,
        hugepages_1gib_gib=64.0,
        hugepages_2mib_gib=16.0,
        nvme_gb=1000.0,
        nics=(Nic("ens1", 1, 8, 100.0),),
        dpu=True,
        fabric="ib0",
        executions=frozenset({Execution.VM, Execution.KUBERNETES}),
        power_kw=2.0,
    )
    dgx = node("dgx", cores=16, memory=128.0, gpus=1, gpu_memory=80.0, model="H100-80GB", mig=True, power_kw=1.0)
    box = node("box", cores=4, memory=16.0, arch=Arch.ARM64)
    return estate(
        site("milan", Tier.METRO, nodes=(epyc, dgx), skills=("dpdk",), power_budget_kw=5.0),
        site("nice", Tier.FAR_EDGE, jurisdiction="FR", control=Control.PROVIDER, nodes=(box,), on_call=OnCall.NONE),
        link("milan", "nice", 8.0),
        dataset("calls", "milan", SensitivityClass.LOCATION),
        dataset("counters", "nice"),
        regulation("stays", SensitivityClass.LOCATION, boundary=Boundary.COUNTRY),
        replace(regulation("free", SensitivityClass.AGGREGATED_KPI), jurisdictions=frozenset({"IT", "FR"})),
        *jobs(),
        book=prices(gpu_hour=GPU_HOUR),
    )


def jobs() -> tuple[Workload, ...]:
    packets = {"pinned": True, "single_cell": True, "hugepages_gib": 16.0, "hugepage_mib": 1024, "sriov": 2}
    any_arch = frozenset(Arch)
    return (
        workload(
            "packets",
            "milan",
            cores=7,
            memory=8.0,
            needs={**packets, "nvme_gb": 100.0},
            skills=("dpdk",),
            on_call=OnCall.BUSINESS_HOURS,
            replicas=Replicas(2),
            spread=Spread.NODE,
            execution=Execution.VM,
            untrusted=True,
        ),
        workload(
            "speech",
            "milan",
            cores=2,
            memory=4.0,
            gpu_memory=8.0,
            needs={"mig_profile": "1g.10gb"},
            replicas=Replicas(2),
        ),
        workload("training", "milan", cores=8, memory=32.0, gpus=2, gpu_memory=40.0, replicas=Replicas(2), gang=True),
        workload("by-day", "milan", cores=4, gpus=1, window=DAY),
        workload("by-night", "milan", cores=4, gpus=1, window=NIGHT),
        workload("slice-a", "milan", gpus=1, gpu_memory=20.0, needs={"gpu_share": 0.5}, service_class=BEST_EFFORT),
        workload("slice-b", "milan", gpus=1, gpu_memory=20.0, needs={"gpu_share": 0.5}, service_class=BEST_EFFORT),
        workload(
            "chat",
            "nice",
            p99=30.0,
            cores=4,
            memory=16.0,
            gpus=1,
            consumes=(use("calls"), use("counters", 3.0)),
            calls=(ONE_ANSWER,),
            together_with=frozenset({"speech"}),
            apart_from=frozenset({"probe"}),
            quantisations=(form("fp16", 40.0, 1.0, 12.0), form("int4", 12.0, 0.9, 6.0)),
            min_accuracy=0.95,
        ),
        workload(
            "probe",
            "milan",
            archs=any_arch,
            replicas=Replicas(per_site=Selector(tiers=frozenset({Tier.FAR_EDGE}))),
        ),
        workload(
            "learner",
            "milan",
            archs=any_arch,
            consumes=(use("calls"), use("counters")),
            replicas=Replicas(per_home=("calls", "counters")),
        ),
    )


def drawn(job: Demand, grain: int) -> Draw:
    """What one cell gives to a replica that takes from this cell alone, in whole cores of `grain` threads."""
    large = round(job.hugepages_gib) if job.hugepage_mib == 1024 else 0
    small = 0 if large else math.ceil(job.hugepages_gib * 512)
    threads = -(-job.cores // grain) * grain
    return Draw(threads, math.ceil(job.memory_gib * GIB), small, large, job.sriov)


def placed(  # noqa: PLR0913 - a builder of test data
    built: Estate,
    name: str,
    where: str,
    *,
    replica: int = 1,
    replicas: int = 1,
    cell: int = 0,
    gpus: tuple[int, ...] = (),
    instances: tuple[tuple[int, int], ...] = (),
    arriving_gb: float = 0.0,
    paid_gpus: float | None = None,
    rtt: tuple[float, float] = (0.0, 0.0),
    **more: object,  # of the placement, by the names of its fields
) -> Placement:
    """One replica on the machine `where`, as SITE/LABEL, with the figures of the price list."""
    job, (site_name, label) = built.workloads[name], where.split("/")
    place, machine = (
        built.sites[site_name],
        next(n for n in built.sites[site_name].nodes if n.name == label.split("#")[0]),
    )
    p50, p99 = job.service_p50_ms, job.service_p99_ms
    for each in job.quantisations:
        if each.name == more.get("quantisation"):
            p50, p99 = each.service_p50_ms, each.service_p99_ms
    taken = drawn(job.demand, machine.threads_per_core if job.demand.pinned else 1)
    hours = (job.window.hours if job.window else 24.0) / 24
    graphics = len(gpus) * job.demand.gpu_share if paid_gpus is None else paid_gpus
    memory = job.demand.memory_gib + job.demand.hugepages_gib
    cost = (taken.threads * CORE_HOUR[place.tier] + memory * 0.01) * hours + arriving_gb * 0.01
    cost += graphics * hours * GPU_HOUR.get(machine.gpus.model if machine.gpus else "", 0.0)
    return replace(
        Placement(
            workload=name,
            phase=job.phase,
            tenant=job.tenant,
            site=site_name,
            tier=place.tier,
            node=label,
            cost_per_hour=cost,
            cost_items=(CostItem("all of it", cost, "by hand"),),
            latency_p50_ms=p50 + rtt[0],
            latency_p99_ms=p99 + rtt[1],
            decided_by=Dimension.COST,
            decided_because="by hand",
            eliminated={},
            calls=(),
            rejections=Rejections((), (), None),
            replica=replica,
            replicas=replicas,
            users=job.latency.users,
            latency_source="links",
            seating=Seating((cell,), (taken,), gpus, instances),
        ),
        **more,
    )


def sound(built: Estate) -> Plan:
    """The plan of `world`."""
    two = {"replicas": 2}
    chat = {"quantisation": "fp16", "calls": (("speech", "milan", Tier.METRO),), "rtt": (4.0, 8.0), "arriving_gb": 3.0}
    return planned(
        built,
        placed(built, "by-day", "milan/epyc#1", gpus=(2,)),
        placed(built, "by-night", "milan/epyc#1", gpus=(2,)),
        placed(built, "chat", "milan/epyc#2", cell=1, gpus=(2,), **chat),
        placed(built, "learner", "milan/dgx", **two),
        placed(built, "learner", "nice/box", replica=2, users="nice", **two),
        placed(built, "packets", "milan/epyc#1", cell=1, **two),
        placed(built, "packets", "milan/epyc#2", cell=1, replica=2, **two),
        placed(built, "probe", "nice/box", users="nice"),
        placed(built, "slice-a", "milan/epyc#1", gpus=(3,)),
        placed(built, "slice-b", "milan/epyc#1", gpus=(3,)),
        placed(built, "speech", "milan/dgx", instances=((0, 0),), paid_gpus=0.125, **two),
        placed(built, "speech", "milan/dgx", instances=((0, 1),), paid_gpus=0.125, replica=2, **two),
        placed(built, "training", "milan/epyc#1", gpus=(0, 1), **two),
        placed(built, "training", "milan/epyc#2", gpus=(0, 1), replica=2, **two),
    )


def planned(built: Estate, *placements: Placement) -> Plan:
    sites = tuple(_drawn_site(built.sites[name]) for name in sorted(built.sites))
    return Plan(fingerprint(built), "EUR", EXPIRES.isoformat(), sites, placements)


def _drawn_site(each: Site) -> PlannedSite:
    return PlannedSite(each.name, each.tier, each.jurisdiction, each.location.lat, each.location.lon)


def with_placement(made: Plan, label: str, **changed: object) -> Plan:
    """The plan with one placement changed."""
    assert label in {each.label for each in made.placements}
    return replace(
        made,
        placements=tuple(replace(each, **changed) if each.label == label else each for each in made.placements),
    )


def with_seating(made: Plan, label: str, **changed: object) -> Plan:
    """The plan with what one replica takes of its machine changed."""
    (found,) = (each for each in made.placements if each.label == label)
    return with_placement(made, label, seating=replace(found.seating, **changed))


def with_demand(built: Estate, name: str, **changed: object) -> Estate:
    job = built.workloads[name]
    return with_work(built, name, demand=replace(job.demand, **changed))


def with_work(built: Estate, name: str, **changed: object) -> Estate:
    return replace(built, workloads={**built.workloads, name: replace(built.workloads[name], **changed)})


def with_place(built: Estate, name: str, **changed: object) -> Estate:
    return replace(built, sites={**built.sites, name: replace(built.sites[name], **changed)})


def with_machine(built: Estate, place: str, name: str, **changed: object) -> Estate:
    nodes = tuple(replace(each, **changed) if each.name == name else each for each in built.sites[place].nodes)
    return with_place(built, place, nodes=nodes)


def of(built: Estate, made: Plan) -> Plan:
    """The same plan under the fingerprint of a changed estate."""
    return replace(made, estate_sha256=fingerprint(built))
