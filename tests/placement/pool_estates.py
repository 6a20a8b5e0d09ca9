"""Random machines and shapes for the pool, and a re-check of slots that shares no code with it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from cellwright.estate.mig import geometry
from cellwright.estate.model import (
    Arch,
    Control,
    Demand,
    Execution,
    Gpus,
    Location,
    Nic,
    Node,
    OnCall,
    Operations,
    Site,
    Tier,
)
from cellwright.placement.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cellwright.placement.pool import Pool
    from cellwright.placement.slots import Slot

PERIODS = 3
X86 = frozenset({Arch.X86_64})


def site(name: str, *nodes: Node) -> Site:
    operations = Operations(managed=False, skills=frozenset(), on_call=OnCall.NONE)
    return Site(
        name,
        Tier.METRO,
        "DE",
        Control.OPERATOR,
        isolated=False,
        location=Location(0, 0),
        operations=operations,
        nodes=nodes,
    )


def node(name: str = "n", cores: int = 8, gpus: Gpus | None = None, count: int = 1, **rest: object) -> Node:
    return Node(name, count, Arch.X86_64, cores, 64.0, gpus, **{"unified_memory": False, **rest})


def shape(cores: int = 1, memory: float = 1.0, gpus: int = 0, periods: Iterable[int] = (0,), **rest: object) -> Shape:
    return Shape(Demand(cores, memory, gpus, 0.0, X86, **rest), periods=tuple(periods))


GPUS = st.sampled_from(
    [
        None,
        Gpus("L40S", 2, 48.0),
        Gpus("L40S", 3, 48.0),
        Gpus("T4", 4, 16.0),
        Gpus("A100-80GB", 1, 80.0, mig=True),
        Gpus("A100-80GB", 2, 80.0, mig=True),
        Gpus("unheard-of", 1, 80.0, mig=True),
    ]
)


RARELY = st.sampled_from([False] * 5 + [True])
USUALLY = st.sampled_from([True] * 5 + [False])


def mostly(usual: object, *others: object) -> st.SearchStrategy[object]:
    return st.sampled_from([usual] * 5 + list(others))


@st.composite
def nodes(draw: st.DrawFn, name: str) -> Node:
    cells = draw(st.sampled_from([1, 2, 2, 4]))
    nics = (Nic("e0", 0, 3, 25.0), Nic("e1", cells - 1, 2, 25.0))
    return Node(
        name,
        draw(st.integers(1, 2)),
        draw(mostly(Arch.X86_64, Arch.ARM64)),
        draw(st.integers(4, 16)),
        draw(st.sampled_from([16.0, 33.3, 64.0])),
        draw(GPUS),
        unified_memory=draw(RARELY),
        cells=cells,
        threads_per_core=draw(st.sampled_from([1, 2])),
        hugepages_2mib_gib=2.0,
        hugepages_1gib_gib=draw(st.sampled_from([0.0, 3.0])),
        nvme_gb=100.0,
        nics=draw(mostly(nics, ())),
        dpu=draw(USUALLY),
        executions=draw(mostly(frozenset(Execution), frozenset({Execution.KUBERNETES}))),
    )


@st.composite
def sites(draw: st.DrawFn) -> list[Site]:
    return [
        site(f"s{place}", *(draw(nodes(f"n{index}")) for index in range(draw(st.integers(1, 3)))))
        for place in range(draw(st.integers(1, 2)))
    ]


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    kind = draw(st.sampled_from(["plain", "whole", "share", "mig", "mig"]))
    gpus = {"plain": 0, "mig": 1, "share": 1, "whole": draw(st.sampled_from([1, 1, 2, 3]))}[kind]
    demand = Demand(
        draw(st.integers(0, 5)),
        draw(st.sampled_from([0.0, 0.3, 2.0, 7.7])),
        gpus,
        draw(mostly(0.0, 4.0, 20.0)),
        draw(mostly(frozenset(Arch), X86)),
        gpu_share=draw(st.sampled_from([0.25, 0.47, 0.81])) if kind == "share" else 1.0,
        mig_profile=draw(mostly("1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "7g.80gb", "1g.6gb"))
        if kind == "mig"
        else None,
        gpu_models=draw(mostly(frozenset(), frozenset({"L40S"}), frozenset({"T4"}))),
        pinned=draw(st.booleans()),
        single_cell=draw(st.booleans()),
        hugepages_gib=draw(mostly(0.0, 0.5, 1.0)),
        hugepage_mib=draw(st.sampled_from([2, 1024])),
        sriov=draw(mostly(0, 1, 2)),
        nvme_gb=draw(mostly(0.0, 40.0)),
    )
    periods = draw(mostly((0,), (1,), (0, 1), (0, 1, 2)))
    untrusted, execution = draw(RARELY), draw(mostly(Execution.KUBERNETES, Execution.VM))
    return Shape(demand, untrusted=untrusted, execution=execution, periods=periods)


def even(total: int, parts: int) -> list[int]:
    return [total // parts + (part < total % parts) for part in range(parts)]


def check(pool: Pool, slots: Sequence[Slot]) -> None:
    """Re-check every slot against its demand, and all of them against every capacity."""
    for slot in slots:
        _check_demand(pool.node(slot.machine), slot)
    for period in range(PERIODS):
        for machine in {slot.machine for slot in slots}:
            held = [slot for slot in slots if slot.machine == machine and period in slot.shape.periods]
            _check_machine(pool.node(machine), held)


def _check_demand(machine: Node, slot: Slot) -> None:
    demand, draws = slot.shape.demand, slot.seating.draws
    assert machine.arch in demand.archs
    assert slot.shape.execution in machine.executions
    assert machine.dpu or not slot.shape.untrusted
    threads = [draw.threads for draw in draws]
    wanted = demand.cores
    if demand.pinned:
        wanted += -wanted % machine.threads_per_core
        assert all(each % machine.threads_per_core == 0 for each in threads)
    assert sum(threads) == wanted
    unified = demand.gpus * demand.gpu_memory_gib if machine.unified_memory else 0
    assert abs(sum(draw.memory_kib for draw in draws) - (demand.memory_gib + unified) * 2**20) < 1
    large = demand.hugepage_mib == 1024
    assert sum(draw.large_pages for draw in draws) == (-(-demand.hugepages_gib // 1) if large else 0)
    assert sum(draw.small_pages for draw in draws) == (0 if large else demand.hugepages_gib * 512)
    assert sum(draw.functions for draw in draws) == demand.sriov
    if demand.mig_profile:
        assert (len(slot.instances), slot.gpus) == (1, ())
    else:
        assert (len(slot.instances), len(set(slot.gpus))) == (0, demand.gpus)
    used = [*slot.gpus, *(gpu for gpu, _ in slot.instances)]
    if used:
        assert machine.gpus is not None
        assert not demand.gpu_models or machine.gpus.model in demand.gpu_models
        assert demand.mig_profile or machine.gpus.memory_gib >= demand.gpu_memory_gib
    if demand.single_cell:
        homes = {gpu * machine.cells // machine.gpus.count for gpu in used} if used and machine.gpus else set()
        assert len(homes | set(slot.cells)) <= 1


def _check_machine(machine: Node, held: Sequence[Slot]) -> None:
    small, large = int(machine.hugepages_2mib_gib * 512), int(machine.hugepages_1gib_gib)
    plain = int(machine.memory_gib * 2**20) - small * 2048 - large * 2**20
    have = {
        "threads": [cores * machine.threads_per_core for cores in even(machine.cores, machine.cells)],
        "memory_kib": even(plain, machine.cells),
        "small_pages": even(small, machine.cells),
        "large_pages": even(large, machine.cells),
        "functions": [sum(nic.functions for nic in machine.nics if nic.cell == cell) for cell in range(machine.cells)],
    }
    for resource, capacity in have.items():
        taken: Counter[int] = Counter()
        for slot in held:
            for cell, draw in zip(slot.cells, slot.seating.draws, strict=True):
                assert getattr(draw, resource) >= 0
                taken[cell] += getattr(draw, resource)
        assert all(taken[cell] <= capacity[cell] for cell in taken), resource
    assert sum(slot.shape.demand.nvme_gb for slot in held) <= machine.nvme_gb
    shares: Counter[int] = Counter()
    slices: set[tuple[int, int]] = set()
    for slot in held:
        for gpu in slot.gpus:
            shares[gpu] += round(slot.shape.demand.gpu_share * 1000)
        for gpu, start in slot.instances:
            cut = geometry(machine.gpus.model) if machine.gpus else None
            assert cut is not None
            profile = cut.profiles[slot.shape.demand.mig_profile or ""]
            assert start in profile.starts
            assert profile.memory_gib >= slot.shape.demand.gpu_memory_gib
            mine = {(gpu, start + offset) for offset in range(profile.memory_slices)}
            assert not mine & slices
            slices |= mine
    assert machine.gpus is None or not (machine.gpus.mig and shares)
    assert all(gpu < (machine.gpus.count if machine.gpus else 0) for gpu in [*shares, *(gpu for gpu, _ in slices)])
    assert all(share <= 1000 for share in shares.values())
