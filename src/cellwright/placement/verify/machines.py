"""Does each machine suit and bear who is on it: traits, NUMA cells, GPUs, MIG instances, in each hour of the day."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from cellwright.estate.mig import geometry
from cellwright.estate.model import ServiceClass
from cellwright.placement.verify.breach import EPSILON, Breach
from cellwright.placement.verify.seated import moments

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cellwright.estate.mig import Profile
    from cellwright.estate.model import Node
    from cellwright.placement.slots import Draw
    from cellwright.placement.verify.seated import Seated

_KIB = 2.0**-20  # GiB
_SMALL = 2.0**-9  # GiB of a 2 MiB page
_LARGE_MIB = 1024
_CODES = {
    "threads": "machine.threads",
    "GiB": "machine.memory",
    "2 MiB pages": "machine.pages",
    "1 GiB pages": "machine.pages",
    "SR-IOV functions": "machine.functions",
}


def trait_breaches(seat: Seated) -> Iterator[Breach]:
    """Yield what the kind of machine lacks, whoever else is on it."""
    node, demand, gpus = seat.node, seat.demand, seat.node.gpus
    if node.arch not in demand.archs:
        archs = " or ".join(sorted(demand.archs))
        yield seat.breach("hardware.arch", node.arch, archs, f"{node.name} is {node.arch}, it runs on {archs}")
    if seat.workload.execution not in node.executions:
        offered, asked = ", ".join(sorted(node.executions)), seat.workload.execution.value
        yield seat.breach("hardware.execution", offered, asked, f"{node.name} offers {offered}, it runs as {asked}")
    if seat.workload.untrusted and not node.dpu:
        yield seat.breach("hardware.dpu", "no DPU", "a DPU", f"it is not trusted and {node.name} has no DPU")
    if not demand.gpus and not demand.mig_profile:
        return
    if gpus is None:
        yield seat.breach("hardware.gpu", 0.0, 1.0, f"{node.name} has no GPU")
        return
    if demand.gpu_models and gpus.model not in demand.gpu_models:
        models = " or ".join(sorted(demand.gpu_models))
        yield seat.breach("hardware.gpu-model", gpus.model, models, f"{gpus.model}, it runs on {models}")
    if gpus.mig != (demand.mig_profile is not None):
        found, asked = ("MIG" if gpus.mig else "whole GPUs"), (demand.mig_profile or "whole GPUs")
        yield seat.breach("hardware.mig", found, asked, f"{node.name} has {found}, it asks for {asked}")
        return
    profile = profile_of(seat)
    if demand.mig_profile and profile is None:
        message = f"{gpus.model} has no profile {demand.mig_profile}"
        yield seat.breach("hardware.mig-profile", gpus.model, demand.mig_profile, message)
        return
    memory = profile.memory_gib if profile else gpus.memory_gib
    if demand.gpu_memory_gib > memory + EPSILON:
        message = f"{memory:g} GiB of GPU memory, it needs {demand.gpu_memory_gib:g} GiB"
        yield seat.breach("hardware.gpu-memory", memory, demand.gpu_memory_gib, message)


def profile_of(seat: Seated) -> Profile | None:
    """Return the MIG profile that a replica asks for on the GPUs of its machine."""
    cut = geometry(seat.node.gpus.model) if seat.node.gpus else None
    return cut.profiles.get(seat.demand.mig_profile or "") if cut else None


def seating_breaches(seat: Seated) -> Iterator[Breach]:
    """Yield where what a replica takes is not what it asks for, or is not there to be taken."""
    seating, node = seat.placement.seating, seat.node
    if seating is None:
        return
    cells, draws = seating.cells, seating.draws
    if len(set(cells)) != len(cells) or not set(cells) <= set(range(node.cells)) or len(draws) != len(cells):
        yield seat.breach("cell.unknown", str(cells), node.cells, f"cells {cells} of {node.cells}, {len(draws)} draws")
        return
    for resource, asked in _asked(seat).items():
        taken = math.fsum(_amount(draw, resource) for draw in draws)
        if abs(taken - asked) > 2 * EPSILON:
            message = f"it takes {taken:g} {resource} of its machine and asks for {asked:g}"
            yield seat.breach("seating.amount", taken, asked, message)
    if seat.demand.pinned and any(draw.threads % node.threads_per_core for draw in draws):
        threads = str([draw.threads for draw in draws])
        yield seat.breach("seating.pinned", threads, node.threads_per_core, f"pinned to {threads}: not whole cores")
    yield from _devices(seat)
    if seat.demand.single_cell:
        taken_gpus = (*seating.gpus, *(gpu for gpu, _ in seating.instances))
        touched = set(cells) | {cell_of(node, gpu) for gpu in taken_gpus}
        if len(touched) > 1:
            yield seat.breach(
                "cell.single", str(sorted(touched)), 1, f"it needs one NUMA cell and has {sorted(touched)}"
            )


def cell_of(node: Node, gpu: int) -> int:
    """Return the NUMA cell of a GPU."""
    return gpu * node.cells // node.gpus.count if node.gpus else 0


def _asked(seat: Seated) -> dict[str, float]:
    """Return what a replica asks of the cells of its machine."""
    demand, node = seat.demand, seat.node
    grain = node.threads_per_core if demand.pinned else 1
    unified = demand.gpus * demand.gpu_memory_gib if node.unified_memory else 0.0
    large = demand.hugepage_mib == _LARGE_MIB
    return {
        "threads": math.ceil(demand.cores / grain) * grain,
        "GiB": demand.memory_gib + unified,
        "2 MiB pages": 0 if large else math.ceil(demand.hugepages_gib / _SMALL - EPSILON),
        "1 GiB pages": math.ceil(demand.hugepages_gib - EPSILON) if large else 0,
        "SR-IOV functions": demand.sriov,
    }


def _amount(draw: Draw, resource: str) -> float:
    """Return how much of a resource comes out of one cell."""
    return {
        "threads": float(draw.threads),
        "GiB": draw.memory_kib * _KIB,
        "2 MiB pages": float(draw.small_pages),
        "1 GiB pages": float(draw.large_pages),
        "SR-IOV functions": float(draw.functions),
    }[resource]


def _devices(seat: Seated) -> Iterator[Breach]:
    """Yield GPUs and MIG instances that are too many, too few or not there."""
    seating, demand = seat.placement.seating, seat.demand
    if seating is None:
        return
    count, profile = (seat.node.gpus.count if seat.node.gpus else 0), profile_of(seat)
    whole, instances = (0, 1) if demand.mig_profile else (demand.gpus, 0)
    if len(seating.gpus) != whole or len(seating.instances) != instances:
        taken = f"{len(seating.gpus)} GPUs, {len(seating.instances)} instances"
        yield seat.breach("gpu.count", taken, f"{whole}, {instances}", f"it takes {taken}, not {whole} and {instances}")
    numbers = (*seating.gpus, *(gpu for gpu, _ in seating.instances))
    if len(set(seating.gpus)) != len(seating.gpus) or not set(numbers) <= set(range(count)):
        yield seat.breach("gpu.unknown", str(numbers), count, f"GPUs {numbers} of {count}")
    for _, start in seating.instances:
        if profile and start not in profile.starts:
            message = f"an instance {profile.name} cannot begin at slice {start}, only at {profile.starts}"
            yield seat.breach("gpu.start", start, str(profile.starts), message)
    if demand.gpu_share < 1 and (demand.gpus != 1 or seat.workload.service_class is not ServiceClass.BEST_EFFORT):
        yield seat.breach("gpu.time-slice", demand.gpu_share, 1.0, "only best effort shares a GPU, and only one")


def machine_breaches(seats: Iterable[Seated]) -> Iterator[Breach]:
    """Yield what is taken more than once, on every machine, at every moment of the day."""
    machines: dict[tuple[str, str, int], list[Seated]] = defaultdict(list)
    for seat in seats:
        machines[seat.machine].append(seat)
    for key in sorted(machines):
        found: dict[tuple[str, str], Breach] = {}
        there = machines[key]
        for minute in moments([seat.workload for seat in there]):
            now = [seat for seat in there if seat.runs_at(minute)]
            for breach, what in (*_overfull_cells(now), *_overfull_gpus(now)):
                found.setdefault((breach.code, what), breach)
        yield from found.values()


def _overfull_cells(now: list[Seated]) -> Iterator[tuple[Breach, str]]:
    """Yield cells, and the cache, of which the replicas take more than there is; all are on one machine."""
    if not now:
        return
    node = now[0].node
    for resource, capacity in _capacities(node).items():
        for cell in range(node.cells):
            taken = math.fsum(
                _amount(draw, resource)
                for seat in now
                if seat.placement.seating
                for at, draw in zip(seat.placement.seating.cells, seat.placement.seating.draws, strict=False)
                if at == cell
            )
            if taken > capacity[cell] + 2 * EPSILON:
                yield (
                    _over(now, _CODES[resource], taken, capacity[cell], f"cell {cell}: {resource}"),
                    f"{cell} {resource}",
                )
    nvme = math.fsum(seat.demand.nvme_gb for seat in now)
    if nvme > node.nvme_gb + EPSILON:
        yield _over(now, "machine.nvme", nvme, node.nvme_gb, "GB of NVMe"), ""


def _over(now: list[Seated], code: str, taken: float, limit: float, what: str) -> Breach:
    """Return the breach of a machine's limit."""
    seat, labels = now[0], ", ".join(sorted(seat.label for seat in now))
    place = f"{seat.site.name}/{seat.placement.node}"
    message = f"{place}: {labels} take {taken:g} of {limit:g}, {what}"
    return Breach(code, labels, seat.site.name, taken, limit, message)


def _capacities(node: Node) -> dict[str, list[float]]:
    """Return what each cell has: even parts of the machine's, whole cores and pages that are left over to the first."""
    small, large = int(node.hugepages_2mib_gib / _SMALL + EPSILON), int(node.hugepages_1gib_gib + EPSILON)
    plain = node.memory_gib - small * _SMALL - large
    functions = [sum(nic.functions for nic in node.nics if nic.cell == cell) for cell in range(node.cells)]
    return {
        "threads": [cores * node.threads_per_core for cores in _even(node.cores, node.cells)],
        "GiB": [plain / node.cells] * node.cells,
        "2 MiB pages": _even(small, node.cells),
        "1 GiB pages": _even(large, node.cells),
        "SR-IOV functions": [float(number) for number in functions],
    }


def _even(total: int, cells: int) -> list[float]:
    return [float(total // cells + (1 if cell < total % cells else 0)) for cell in range(cells)]


def _overfull_gpus(now: list[Seated]) -> Iterator[tuple[Breach, str]]:
    """Yield GPUs of which more than the whole is given away, and MIG slices that two instances claim."""
    shares: dict[int, float] = defaultdict(float)
    slices: dict[tuple[int, int], int] = defaultdict(int)
    for seat in now:
        for gpu in seat.placement.gpus:
            shares[gpu] += seat.demand.gpu_share
        profile = profile_of(seat)
        for gpu, start in seat.placement.instances:
            for place in range(start, start + (profile.memory_slices if profile else 0)):
                slices[gpu, place] += 1
    for gpu, share in sorted(shares.items()):
        if share > 1 + EPSILON:
            yield _over(now, "gpu.share", share, 1.0, f"GPU {gpu}"), str(gpu)
    for (gpu, place), times in sorted(slices.items()):
        if times > 1:
            yield _over(now, "gpu.slice", times, 1.0, f"slice {place} of GPU {gpu}"), str((gpu, place))
    yield from _overfull_memory(now)
    yield from _overfull_compute(now)


def _overfull_memory(now: list[Seated]) -> Iterator[tuple[Breach, str]]:
    """Yield GPUs that are shared by more than their memory holds; where memory is unified, the machine's is counted."""
    memory: dict[int, float] = defaultdict(float)
    for seat in now:
        for gpu in seat.placement.gpus:
            memory[gpu] += seat.demand.gpu_memory_gib
    for gpu, taken in sorted(memory.items()):
        node = now[0].node
        if node.gpus and not node.unified_memory and taken > node.gpus.memory_gib + EPSILON:
            yield _over(now, "gpu.shared-memory", taken, node.gpus.memory_gib, f"GiB of GPU {gpu}"), f"{gpu} GiB"


def _overfull_compute(now: list[Seated]) -> Iterator[tuple[Breach, str]]:
    """Yield GPUs whose instances ask for more compute slices than there are."""
    compute: dict[int, int] = defaultdict(int)
    for seat in now:
        profile = profile_of(seat)
        for gpu, _ in seat.placement.instances:
            compute[gpu] += profile.compute_slices if profile else 0
    cut = geometry(now[0].node.gpus.model) if now and now[0].node.gpus else None
    for gpu, taken in sorted(compute.items()):
        if cut and taken > cut.compute_slices:
            yield _over(now, "gpu.compute", taken, cut.compute_slices, f"compute slices of GPU {gpu}"), str(gpu)
