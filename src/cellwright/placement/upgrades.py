"""Changes of machines that make room: what is missing in the nearest one, or a further one of the right size."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cellwright.estate.mig import MODELS, geometry
from cellwright.estate.model import Gpus, Nic, Node
from cellwright.placement.changes import Change, unused, with_site
from cellwright.placement.plan import Dimension
from cellwright.placement.shortage import node_of
from cellwright.placement.wording import counted, listing, number
from cellwright.units import MEMORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwright.estate.model import Demand, Estate, Site
    from cellwright.placement.plan import Violation
    from cellwright.placement.shape import Shape
    from cellwright.placement.terrain import Case

_NIC_GBPS: Final = 25.0
_DIGITS: Final = 9  # of a GiB


@dataclass(frozen=True, slots=True)
class _Upgrade:
    """A node as it would be, and what is new about it in words."""

    node: Node
    text: str


def more_room(case: Case, site: Site, violation: Violation) -> Change:
    """Return the change of the nearest machine that mends one lack, else one further machine of the workload's size."""
    if violation.subject == "fabric":
        return _joined(case, site, violation)
    node = node_of(site.nodes, violation.source)
    mend = _MENDS.get(violation.subject)
    upgrade = mend(node, case.variant.shape, violation) if node and mend else None
    crowded = violation.subject == "numa" and violation.dimension is Dimension.CAPACITY  # larger cells have others in
    if node is None or mend is None or upgrade is None or crowded:
        return _further(case, site, violation)
    return _mended(site, node, lambda each: mend(each, case.variant.shape, violation), upgrade.text, violation)


def _mended(site: Site, node: Node, mend: Callable[[Node], _Upgrade | None], what: str, violation: Violation) -> Change:
    """Return the change that mends a node as it then is, so that it fits together with others of the same node."""

    def apply(estate: Estate) -> Estate:
        current = estate.sites[site.name]
        mended = {each.name: mend(each) for each in current.nodes if each.name == node.name}
        nodes = tuple(done.node if (done := mended.get(each.name)) else each for each in current.nodes)
        return with_site(estate, replace(current, nodes=nodes))

    subject, text = f"{site.name}/{node.name}", f"{what} at {site.name}"
    return Change(violation.code, subject, violation.measured, violation.limit, violation.unit, text, apply)


def _missing(violation: Violation) -> float:
    return float(violation.limit or 0) - float(violation.measured or 0)


def _more_cores(node: Node, _: Shape, violation: Violation) -> _Upgrade | None:
    """Return a single machine with the cores that are missing."""
    if node.count != 1:
        return None
    cores = math.ceil(_missing(violation) / node.threads_per_core)
    return _Upgrade(replace(node, cores=node.cores + cores), f"{counted(cores, 'cores')} more in machine {node.name}")


def _more_memory(node: Node, _: Shape, violation: Violation) -> _Upgrade | None:
    """Return a single machine with the memory that is missing."""
    if node.count != 1:
        return None
    more = _missing(violation)
    grown = replace(node, memory_gib=_up(node.memory_gib + more))
    return _Upgrade(grown, f"{counted(more, 'GiB')} more in machine {node.name}")


def _more_cache(node: Node, _: Shape, violation: Violation) -> _Upgrade | None:
    """Return a single machine with the local cache that is missing."""
    if node.count != 1:
        return None
    more = _missing(violation)
    text = f"{counted(more, 'GB')} more NVMe in machine {node.name}"
    return _Upgrade(replace(node, nvme_gb=_up(node.nvme_gb + more)), text)


def _more_pages(node: Node, shape: Shape, violation: Violation) -> _Upgrade | None:
    """Return a node that sets aside the hugepages that are missing, with as much memory more in a single machine."""
    more, large = _missing(violation), _large(shape.demand)
    if node.count != 1:
        return None
    grown = replace(node, memory_gib=_up(node.memory_gib + more))
    if large:
        grown = replace(grown, hugepages_1gib_gib=_up(node.hugepages_1gib_gib + more))
    else:
        grown = replace(grown, hugepages_2mib_gib=_up(node.hugepages_2mib_gib + more))
    page = "1 GiB" if large else "2 MiB"
    return _Upgrade(grown, f"{counted(more, 'GiB')} more in machine {node.name}, set aside in pages of {page}")


def _more_functions(node: Node, _: Shape, violation: Violation) -> _Upgrade | None:
    """Return a node whose first network card offers the functions that are missing; a new card where it has none."""
    more = math.ceil(_missing(violation))
    if node.nics:
        first = replace(node.nics[0], functions=node.nics[0].functions + more)
        text = f"{more} more SR-IOV functions on network card {first.name} of machine {node.name}"
        return _Upgrade(replace(node, nics=(first, *node.nics[1:])), text)
    text = f"a network card with {more} SR-IOV functions in machine {node.name}"
    return _Upgrade(replace(node, nics=(Nic("sriov", 0, more, _NIC_GBPS),)), text)


def _more_gpus(node: Node, shape: Shape, violation: Violation) -> _Upgrade | None:
    """Return a single machine with more GPUs of the kind it has, where that kind serves."""
    demand, gpus = shape.demand, node.gpus
    if node.count != 1 or gpus is None or gpus.mig or gpus.memory_gib < demand.gpu_memory_gib:
        return None
    if demand.gpu_models and gpus.model not in demand.gpu_models:
        return None
    more = math.ceil(_missing(violation))
    text = f"{counted(more, 'GPUs')} of {MEMORY.format(gpus.memory_gib)} more in machine {node.name}"
    return _Upgrade(replace(node, gpus=replace(gpus, count=gpus.count + more)), text)


def _cut(node: Node, shape: Shape, _: Violation) -> _Upgrade | None:
    """Return a node with its GPUs cut into MIG instances, where they can be cut into the right ones."""
    demand, gpus = shape.demand, node.gpus
    if gpus is None or gpus.mig or (demand.gpu_models and gpus.model not in demand.gpu_models):
        return None
    if not _holds_profile(gpus.model, demand):
        return None
    text = f"GPUs of machine {node.name} cut into MIG instances, among them {demand.mig_profile}"
    return _Upgrade(replace(node, gpus=replace(gpus, mig=True)), text)


def _larger_cells(node: Node, shape: Shape, _: Violation) -> _Upgrade | None:
    """Return a single machine whose first NUMA cell holds all that the workload needs."""
    if node.count != 1:
        return None
    demand, cells = shape.demand, node.cells
    threads = node.threads_per_core
    pages = cells * _whole(demand.hugepages_gib, 1 if _large(demand) else 512)
    small = max(node.hugepages_2mib_gib, 0.0 if _large(demand) else pages)
    large = max(node.hugepages_1gib_gib, pages if _large(demand) else 0.0)
    unified = demand.gpus * demand.gpu_memory_gib if node.unified_memory else 0.0
    aside = node.hugepages_2mib_gib + node.hugepages_1gib_gib
    plain = max(node.memory_gib - aside, cells * _whole(demand.memory_gib + unified, 1024))
    here = sum(nic.functions for nic in node.nics if not nic.cell)
    nics = node.nics
    if here < demand.sriov:
        nics = (Nic(unused("sriov", {nic.name: nic for nic in nics}), 0, demand.sriov - here, _NIC_GBPS), *nics)
    gpus = node.gpus
    wanted = 1 if demand.mig_profile else demand.gpus
    if gpus and wanted:
        gpus = replace(gpus, count=max(gpus.count, cells * wanted))
    grown = replace(
        node,
        cores=max(node.cores, cells * -(-demand.cores // threads)),
        memory_gib=_up(plain + small + large),
        hugepages_2mib_gib=small,
        hugepages_1gib_gib=large,
        nics=nics,
        gpus=gpus,
    )
    return _Upgrade(grown, f"machine {node.name} grown until one of its {cells} NUMA cells holds all of it")


def _runs(node: Node, shape: Shape, _: Violation) -> _Upgrade:
    """Return a node that runs what the workload is."""
    return _Upgrade(
        replace(node, executions=node.executions | {shape.execution}),
        f"machine {node.name} also runs {shape.execution}",
    )


def _with_dpu(node: Node, _: Shape, __: Violation) -> _Upgrade:
    """Return a node with a DPU."""
    return _Upgrade(replace(node, dpu=True), f"a DPU in machine {node.name}")


_MENDS: Final[dict[str, Callable[[Node, Shape, Violation], _Upgrade | None]]] = {
    "execution": _runs,
    "dpu": _with_dpu,
    "gpus": _more_gpus,
    "mig-profile": _cut,
    "cores": _more_cores,
    "memory": _more_memory,
    "hugepages": _more_pages,
    "sriov": _more_functions,
    "nvme": _more_cache,
    "numa": _larger_cells,
}


def _large(demand: Demand) -> bool:
    """Return whether the pages are of 1 GiB, not of 2 MiB."""
    return demand.hugepage_mib == 1024  # noqa: PLR2004 - MiB of a GiB


def _whole(value: float, per_unit: int) -> float:
    """Return `value` rounded up to whole parts, of which `per_unit` make one unit: machines give nothing smaller."""
    return math.ceil(round(value * per_unit, 6)) / per_unit


def _up(value: float) -> float:
    return round(value, _DIGITS)


def _holds_profile(model: str, demand: Demand) -> bool:
    """Return whether a GPU model can be cut into the instance that is asked for."""
    cut = geometry(model)
    profile = cut.profiles.get(demand.mig_profile or "") if cut else None
    return profile is not None and profile.memory_gib >= demand.gpu_memory_gib


def _further(case: Case, site: Site, violation: Violation) -> Change:
    """Return the change that adds a machine of exactly the workload's size, or as many as a gang has replicas."""
    node = _exact(case)

    def apply(estate: Estate) -> Estate:
        current = estate.sites[site.name]
        name = unused("further", {each.name: each for each in current.nodes})
        return with_site(estate, replace(current, nodes=(*current.nodes, replace(node, name=name))))

    what = "one further machine" if node.count == 1 else f"{node.count} further machines on one RDMA fabric"
    text = f"{what} at {site.name} with {_size(node, case.variant.shape)} ({node.arch})"
    return Change(violation.code, site.name, violation.measured, violation.limit, violation.unit, text, apply)


def _exact(case: Case) -> Node:
    """Return a node that the workload, or each replica of a gang, fills."""
    shape, gang = case.variant.shape, case.workload.gang
    demand = shape.demand
    large = _large(demand)
    huge = _whole(demand.hugepages_gib, 1 if large else 512)
    return Node(
        name="further",
        count=case.workload.replicas.count if gang else 1,
        arch=min(demand.archs),
        cores=demand.cores,
        memory_gib=_whole(demand.memory_gib, 1024) + huge,
        gpus=_gpus(case, demand),
        unified_memory=False,
        hugepages_2mib_gib=0.0 if large else huge,
        hugepages_1gib_gib=huge if large else 0.0,
        nvme_gb=_whole(demand.nvme_gb, 1000),
        nics=(Nic("sriov", 0, demand.sriov, _NIC_GBPS),) if demand.sriov else (),
        dpu=shape.untrusted,
        fabric="further" if gang else None,
    )


def _size(node: Node, shape: Shape) -> str:
    """Return in words what a further machine has."""
    demand = shape.demand
    parts = [counted(node.cores, "cores"), MEMORY.format(node.memory_gib)]
    if demand.hugepages_gib:
        page = "1 GiB" if node.hugepages_1gib_gib else "2 MiB"
        parts.append(f"{MEMORY.format(demand.hugepages_gib)} of it in pages of {page}")
    if node.gpus:
        cut = f" cut for {demand.mig_profile}" if node.gpus.mig else ""
        parts.append(f"{counted(node.gpus.count, 'GPUs')} of {MEMORY.format(node.gpus.memory_gib)}{cut}")
    if demand.sriov:
        parts.append(counted(demand.sriov, "SR-IOV functions"))
    if demand.nvme_gb:
        parts.append(f"{number(demand.nvme_gb)} GB NVMe")
    return ", ".join([*parts, *(["a DPU"] if node.dpu else [])])


def _gpus(case: Case, demand: Demand) -> Gpus | None:
    """Return the GPUs of a further machine: of the smallest model known that serves, the one the estate has if any."""
    if not demand.gpus and not demand.mig_profile:
        return None
    known = {
        (node.gpus.memory_gib, node.gpus.model)
        for site in case.terrain.sites
        for node in site.nodes
        if node.gpus and not node.unified_memory and _serves(node.gpus, demand)
    }
    if demand.mig_profile:
        wanted = sorted(demand.gpu_models) or [*MODELS]
        named = [model for model in wanted if _holds_profile(model, demand)]
        memory, model = (
            min(known) if known else (_memory(named[0]), named[0]) if named else (demand.gpu_memory_gib, "?")
        )
        return Gpus(model, 1, memory, mig=True)
    fallback = min(demand.gpu_models, default=f"gpu-{number(demand.gpu_memory_gib)}-gib")
    return Gpus(min(known)[1] if known else fallback, demand.gpus, demand.gpu_memory_gib)


def _serves(gpus: Gpus, demand: Demand) -> bool:
    """Return whether a model of the estate would serve the demand."""
    if demand.gpu_models and gpus.model not in demand.gpu_models:
        return False
    return _holds_profile(gpus.model, demand) if demand.mig_profile else gpus.memory_gib >= demand.gpu_memory_gib


def _memory(model: str) -> float:
    """Return the memory of a model that can be cut, as its largest instance has it."""
    cut = geometry(model)
    return max(profile.memory_gib for profile in cut.profiles.values()) if cut else 0.0


def _joined(case: Case, site: Site, violation: Violation) -> Change:
    """Return the change that puts machines on one fabric where there are enough, else that adds a whole gang's."""
    pool, shape = case.terrain.machines, case.variant.shape
    span = pool.span(case.terrain.index[site.name])
    able = [machine for machine in range(span.start, span.stop) if pool.able(shape)[machine]]
    alone = case.workload.spread != "any"
    held = len(able) if alone else sum(pool.copies(shape, machine) for machine in able)
    if held < float(violation.limit or 0):
        return _further(case, site, violation)
    names = sorted({pool.node(machine).name for machine in able})

    def apply(estate: Estate) -> Estate:
        current = estate.sites[site.name]
        fabric = unused("joined", {each.fabric or "": each for each in current.nodes})
        nodes = tuple(replace(each, fabric=fabric) if each.name in names else each for each in current.nodes)
        return with_site(estate, replace(current, nodes=nodes))

    text = f"machines {listing(names)} at {site.name} on one RDMA fabric"
    return Change(violation.code, site.name, violation.measured, violation.limit, violation.unit, text, apply)
