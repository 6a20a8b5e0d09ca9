"""Every other seat that a replica of a plan could have, tried out by the verifier: slow, and knows no planner."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import TYPE_CHECKING

from cellwright.estate.mig import geometry
from cellwright.estate.model import Tier
from cellwright.placement.slots import Draw, Seating
from cellwright.placement.verify import verify
from cellwright.placement.verify.machines import seating_breaches, trait_breaches
from cellwright.placement.verify.money import Ledger
from cellwright.placement.verify.seated import Wanted, seated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.estate.model import Demand, Estate, Node
    from cellwright.placement.plan import Placement, Plan

FIGURES = {"latency.figure", "latency.source", "cost.per-hour", "cost.items", "gang.partial"}
KIB = 2**20


def other_seats(built: Estate, made: Plan, index: int) -> Iterator[tuple[Placement, float | None]]:
    """Yield where else the placement at `index` could be, all others staying, and what it costs there.

    Of several NUMA cells a seat takes from one only: there may be more ways than these.
    """
    before = {each for each in _about(built, made) if each.workload != made.placements[index].label}
    for candidate in _candidates(built, made.placements[index]):
        moved = with_one(made, index, candidate)
        seats = seated(Wanted.by(built), replace(moved, placements=(candidate,)))
        if not seats or any(itertools.chain(trait_breaches(seats[0]), seating_breaches(seats[0]))):
            continue
        if _about(built, moved) <= before:
            yield candidate, Ledger(built).per_hour(seats[0])


def with_one(made: Plan, index: int, candidate: Placement) -> Plan:
    """The plan with another placement at `index`."""
    placements = (*made.placements[:index], candidate, *made.placements[index + 1 :])
    return replace(made, placements=placements)


def _about(built: Estate, made: Plan) -> set[object]:
    return {each for each in verify(built, made) if each.code not in FIGURES}


def _candidates(built: Estate, placement: Placement) -> Iterator[Placement]:
    """Yield a placement for each machine, form, cell and choice of GPUs."""
    job = built.workloads[placement.workload]
    forms = job.quantisations or (None,)
    for place in built.sites.values():
        if job.replicas.per_site is not None and place.name != placement.users:
            continue
        for machine, form in itertools.product(place.nodes, forms):
            profile = (form and form.mig_profile) or job.demand.mig_profile
            demand = replace(job.demand, mig_profile=profile)
            demand = replace(demand, gpu_memory_gib=form.gpu_memory_gib) if form else demand
            for number, seating in itertools.product(range(machine.count), _seatings(demand, machine)):
                yield replace(
                    placement,
                    site=place.name,
                    tier=Tier(place.tier),
                    node=machine.name if machine.count == 1 else f"{machine.name}#{number + 1}",
                    quantisation=form.name if form else None,
                    seating=seating,
                )


def _seatings(demand: Demand, machine: Node) -> Iterator[Seating]:
    count = machine.gpus.count if machine.gpus else 0
    gpus: list[tuple[int, ...]] = [()]
    instances: list[tuple[tuple[int, int], ...]] = [()]
    if demand.mig_profile:
        cut = geometry(machine.gpus.model) if machine.gpus else None
        profile = cut.profiles.get(demand.mig_profile) if cut else None
        instances = [((gpu, start),) for gpu in range(count) for start in (profile.starts if profile else ())]
    elif demand.gpus:
        gpus = list(itertools.combinations(range(count), demand.gpus))
    for cell, taken, slices in itertools.product(range(machine.cells), gpus, instances):
        yield Seating((cell,), (_draw(demand, machine),), taken, slices)


def _draw(demand: Demand, machine: Node) -> Draw:
    grain = machine.threads_per_core if demand.pinned else 1
    unified = demand.gpus * demand.gpu_memory_gib if machine.unified_memory else 0.0
    large = demand.hugepage_mib == 1024
    return Draw(
        -(-demand.cores // grain) * grain,
        math.ceil(round((demand.memory_gib + unified) * KIB, 3)),
        0 if large else math.ceil(demand.hugepages_gib * 512),
        math.ceil(demand.hugepages_gib) if large else 0,
        demand.sriov,
    )
