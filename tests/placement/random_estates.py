"""Random small estates over the whole model, dense with limits that bite; each could have been written in documents."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from small_estates import (
    CHECKED,
    EXPIRES,
    dataset,
    estate,
    form,
    link,
    measurement,
    node,
    prices,
    regulation,
    site,
    tenant,
    use,
    workload,
)

from cellwright.estate.model import (
    Arch,
    Boundary,
    Call,
    Control,
    Effect,
    Estate,
    Execution,
    Nic,
    OnCall,
    OwnedHardware,
    Phase,
    PriceBook,
    Quota,
    Replicas,
    Selector,
    SensitivityClass,
    ServiceClass,
    Site,
    Spread,
    Tenant,
    Tier,
    Window,
    Workload,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwright.estate.model import Node

CLASSES = (SensitivityClass.SIGNALLING, SensitivityClass.AGGREGATED_KPI, SensitivityClass.LOCATION)
SKILLS = ("tuning", "hardware")
SITE_NAMES = tuple("abcd")
TIERS = (Tier.METRO, Tier.ONPREM, Tier.FAR_EDGE)
GPU_HOUR = {"L40S": 2.0, "H100": 4.0, "A30": 1.0}
WINDOWS = (Window(480, 1200), Window(1200, 480), Window(600, 1380))
NORTH = ("zone", "north")


@st.composite
def nodes(draw: Callable, index: int) -> Node:
    cells = draw(st.sampled_from([1, 1, 2]))
    graphics = draw(
        st.sampled_from(
            [
                {},
                {"gpus": 1, "model": "L40S", "gpu_memory": 5.0},
                {"gpus": 2, "model": "L40S", "gpu_memory": 5.0},
                {"gpus": 2, "model": "L40S", "gpu_memory": 4.0},
                {"gpus": 2, "model": "H100", "gpu_memory": 2.0, "unified": True},
                {"gpus": 2, "model": "rumoured", "gpu_memory": 4.0},
                {"gpus": 1, "model": "A30", "gpu_memory": 24.0, "mig": True},
                {"gpus": 2, "model": "A30", "gpu_memory": 24.0, "mig": True},
            ]
        )
    )
    functions = draw(st.sampled_from([0, 2, 2]))
    return node(
        f"n{index}",
        count=draw(st.integers(1, 2)),
        cores=draw(st.integers(2, 6)),
        memory=draw(st.sampled_from([8.0, 16.1, 24.0])),
        arch=draw(st.sampled_from([Arch.X86_64] * 3 + [Arch.ARM64])),
        sockets=cells,
        cells=cells,
        threads_per_core=draw(st.sampled_from([1, 2])),
        hugepages_2mib_gib=draw(st.sampled_from([0.0, 1.0, 1.0])),
        hugepages_1gib_gib=draw(st.sampled_from([0.0, 3.0, 3.0])),
        nvme_gb=draw(st.sampled_from([0.0, 7.5, 12.0])),
        nics=(Nic("ens1", draw(st.integers(0, cells - 1)), functions, 25.0),) if functions else (),
        dpu=draw(st.sampled_from([False, True, True])),
        fabric=draw(st.sampled_from([None, "ib0", "ib1"])),
        executions=frozenset(draw(st.sampled_from([tuple(Execution), tuple(Execution), (Execution.KUBERNETES,)]))),
        power_kw=draw(st.sampled_from([0.5, 0.75])),
        **graphics,
    )


skills = st.sampled_from([frozenset(SKILLS), frozenset(SKILLS), frozenset(SKILLS), frozenset(SKILLS[:1]), frozenset()])
wanted_skills = st.sampled_from([frozenset()] * 5 + [frozenset(SKILLS[:1]), frozenset(SKILLS)])


@st.composite
def sites(draw: Callable, name: str) -> object:
    return site(
        name,
        tier=draw(st.sampled_from(TIERS)),
        jurisdiction=draw(st.sampled_from(["IT", "IT", "IT", "FR"])),
        control=draw(st.sampled_from(Control)),
        nodes=tuple(draw(nodes(index)) for index in range(draw(st.integers(0 if name == "d" else 1, 2)))),
        skills=draw(skills),
        on_call=draw(st.sampled_from([OnCall.ALWAYS, OnCall.ALWAYS, OnCall.NONE])),
        managed=draw(st.booleans()),
        labels=frozenset([NORTH] if draw(st.booleans()) else []),
        power_budget_kw=draw(st.sampled_from([None, None, None, 0.4, 1.5])),
        pue=draw(st.sampled_from([None, 1.25])),
    )


names = st.sampled_from(SITE_NAMES)
links = st.builds(
    link,
    names,
    names,
    st.sampled_from([0.5, 0.5, 0.5, 2.5, 9.0, 40.0]),
    st.sampled_from([0.1, 10.0, 10.0, 10.0]),
    estimated=st.booleans(),
).filter(lambda each: each.a != each.b)
regulations = st.builds(
    lambda index, classes, **facts: regulation(f"r{index}", *classes, **facts),
    st.integers(0, 9),
    st.sets(st.sampled_from(CLASSES), min_size=1),
    boundary=st.sampled_from([*Boundary, *[Boundary.NONE] * 5]),
    jurisdictions=st.just(frozenset({"IT", "FR"})),
    effect=st.sampled_from(Effect),
    members=st.sets(st.sampled_from(["FR"])),
)
limits = st.sampled_from([None, None, None, 6.0, 10.0, 50.0])


def uses(name: str) -> st.SearchStrategy:
    return st.builds(
        use,
        st.just(name),
        st.sampled_from([0.0, 1.0, 1.0, 1.0, 50.0]),
        within_ms=st.sampled_from([1e3, 6e5]),
        every_ms=st.sampled_from([3.6e6, 3.6e6, 3e5]),
    )


@st.composite
def demands(draw: Callable) -> dict[str, object]:
    """What one replica asks for: arguments of `workload`."""
    kind = draw(st.sampled_from(["plain", "plain", "plain", "whole", "share", "instance"]))
    memory = draw(st.sampled_from([1.0, 3.0]))
    needs: dict[str, object] = {
        "pinned": draw(st.sampled_from([False, False, True])),
        "single_cell": draw(st.sampled_from([False, False, False, True])),
        "nvme_gb": draw(st.sampled_from([0.0, 0.0, 0.0, 5.0])),
        "sriov": draw(st.sampled_from([0] * 5 + [1])),
    }
    pages = draw(st.sampled_from([(0.0, 2)] * 5 + [(0.5, 2), (1.0, 1024)]))
    needs |= {"hugepages_gib": pages[0], "hugepage_mib": pages[1]}
    graphics: dict[str, object] = {}
    if kind == "instance":
        needs["mig_profile"] = draw(st.sampled_from(["1g.6gb", "1g.6gb", "2g.12gb"]))
        graphics = {"gpu_memory": memory}
    elif kind == "share":
        needs["gpu_share"] = draw(st.sampled_from([0.6, 0.4]))
        graphics = {"gpus": 1, "gpu_memory": memory, "service_class": ServiceClass.BEST_EFFORT}
    elif kind == "whole":
        needs["gpu_models"] = draw(st.sampled_from([frozenset(), frozenset(), frozenset({"L40S"})]))
        graphics = {"gpus": draw(st.integers(1, 2)), "gpu_memory": memory}
    forms = (form("fp16", 5.0, 1.0, 4.0), form("int8", 2.5, 0.95, 2.0), form("int4", 1.0, 0.8))
    if kind == "instance" or graphics.get("gpus") == 1:
        graphics["quantisations"] = draw(st.sampled_from([(), forms, forms[1:]]))
        graphics["min_accuracy"] = draw(st.sampled_from([0.0, 0.9]))
    if kind == "whole" and graphics["gpus"] == 1 and graphics["quantisations"]:
        small = replace(forms[2], name="int4-slice", mig_profile="1g.6gb")
        graphics["quantisations"] = (*graphics["quantisations"], *draw(st.sampled_from([(), (small,)])))
    return {
        "cores": draw(st.integers(1, 4)),
        "memory": draw(st.sampled_from([0.1, 3.3, 5.0])),
        "archs": frozenset(draw(st.sampled_from([tuple(Arch), tuple(Arch), (Arch.X86_64,)]))),
        "needs": needs,
        **graphics,
    }


@st.composite
def company(draw: Callable, others: tuple[str, ...], consumed: tuple[str, ...]) -> dict[str, object]:
    """How many there are and where they must be with regard to each other and to `others`: arguments of `workload`."""
    kind = draw(st.sampled_from(["one", "one", "some", "some", "some", "gang", "site", "home"]))
    facts: dict[str, object] = {}
    if kind == "site":
        selectors = (Selector(tiers=frozenset({Tier.METRO})), Selector(labels=frozenset([NORTH])))
        facts["replicas"] = Replicas(per_site=draw(st.sampled_from(selectors)))
    elif kind == "home" and consumed:
        facts["replicas"] = Replicas(per_home=consumed)
    elif kind in {"some", "gang"}:
        facts["replicas"] = Replicas(draw(st.integers(2, 3 if kind == "gang" else 5)))
        facts["gang"] = kind == "gang"
        spread = st.sampled_from(Spread) if kind == "some" else st.sampled_from([Spread.ANY, Spread.NODE])
        facts["spread"] = draw(spread)
    if others:
        together = draw(st.sampled_from([None] * 9 + [*others]))
        apart = draw(st.sampled_from([None] * 6 + [*others]))
        facts["together_with"] = frozenset({together} - {None})
        facts["apart_from"] = frozenset({apart} - {None, together})
    return facts


@st.composite
def workloads(draw: Callable, name: str, others: tuple[str, ...]) -> Workload:
    called = draw(st.sampled_from([(), (), *((each,) for each in others), others[:2]]))
    consumed = draw(st.sampled_from([(), (), ("x",), ("y",), ("x", "y")]))
    facts = {**draw(demands()), **draw(company(others, consumed))}
    facts.setdefault("service_class", draw(st.sampled_from(ServiceClass)))
    return workload(
        name,
        draw(names),
        p99=draw(limits),
        service=draw(st.sampled_from([0.5, 5.0])),
        consumes=tuple(draw(uses(each)) for each in consumed),
        calls=tuple(Call(each, 1.0, draw(st.sampled_from([None, None, 2.0, 50.0]))) for each in called),
        skills=draw(wanted_skills),
        on_call=draw(st.sampled_from([OnCall.NONE] * 4 + [OnCall.BUSINESS_HOURS])),
        tenant=draw(st.sampled_from(["team", "team", "other"])),
        phase=draw(st.sampled_from(Phase)),
        window=draw(st.sampled_from([None, None, *WINDOWS])),
        execution=draw(st.sampled_from([Execution.KUBERNETES, Execution.KUBERNETES, Execution.VM])),
        untrusted=draw(st.sampled_from([False] * 5 + [True])),
        **facts,
    )


@st.composite
def things(draw: Callable, most: int = 5) -> list[object]:
    """Everything an estate is made of, to be put together in any order; up to `most` workloads."""
    jobs = [f"w{index}" for index in range(draw(st.integers(1, most)))]
    found: list[object] = [draw(sites(name)) for name in SITE_NAMES]
    found += draw(st.lists(links, min_size=4, max_size=9, unique_by=lambda each: each.name))
    found += draw(st.lists(regulations, min_size=1, max_size=4, unique_by=lambda each: each.name))
    for name in ("x", "y"):
        found.append(
            dataset(
                name,
                draw(names),
                draw(st.sampled_from(CLASSES)),
                bound=draw(st.sampled_from([False] * 5 + [True])),
            )
        )
    found += [draw(workloads(name, tuple(jobs[:index]))) for index, name in enumerate(jobs)]
    found.append(
        tenant(
            "team",
            cores=draw(st.sampled_from([None, None, None, 8])),
            memory=draw(st.sampled_from([None, None, None, 12.0])),
            gpus=draw(st.sampled_from([None, None, None, 1])),
        )
    )
    found.append(tenant("other"))
    seen = st.builds(
        measurement, st.sampled_from(jobs), names, names, st.sampled_from([1.0, 30.0]), st.sampled_from([None, 0.5])
    )
    found += draw(st.lists(seen, max_size=2, unique_by=lambda each: each.name))
    found += draw(st.sampled_from([[], [], [_owned(None)], [_owned("n0")]]))
    return found


def _owned(machine: str | None) -> PriceBook:
    """The machines of one tier, bought; with energy, whose price takes a PUE."""
    entry = OwnedHardware(Tier.METRO, None, machine, 9000.0, 5.0, 0.8, 0.5, 0.2)
    return PriceBook("owned", "EUR", "invoices", CHECKED, EXPIRES, (), (), (entry,))


def assembled(parts: list[object]) -> Estate:
    return estate(*parts, book=prices(gpu_hour=GPU_HOUR))


estates = things().map(assembled)


def uncrowded(parts: list[object]) -> list[object]:
    """The same with room for everybody and nobody who heeds others: where one goes is then nobody else's concern."""
    found: list[object] = []
    for part in parts:
        match part:
            case Site():
                nodes = tuple(replace(each, count=20 * each.count) for each in part.nodes)
                found.append(replace(part, nodes=nodes, power_budget_kw=None))
            case Tenant():
                found.append(replace(part, quota=Quota(None, None, None)))
            case Workload():
                found.append(replace(part, calls=(), together_with=frozenset(), apart_from=frozenset()))
            case _:
                found.append(part)
    return found
