"""Random small estates, dense with limits that bite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st
from small_estates import dataset, estate, link, node, prices, regulation, site, tenant, use, workload

from cellwright.estate.model import (
    Arch,
    Boundary,
    Call,
    Control,
    Effect,
    Estate,
    OnCall,
    Phase,
    SensitivityClass,
    Tier,
)

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSES = (SensitivityClass.SIGNALLING, SensitivityClass.AGGREGATED_KPI, SensitivityClass.LOCATION)
SKILLS = ("tuning", "hardware")
SITE_NAMES = tuple("abcd")

nodes = st.builds(
    lambda index, **facts: node(f"n{index}", **facts),
    st.integers(0, 9),
    count=st.integers(1, 2),
    cores=st.integers(1, 8),
    memory=st.sampled_from([4.0, 8.0, 16.1]),
    gpus=st.integers(0, 2),
    gpu_memory=st.sampled_from([2.0, 4.0]),
    model=st.sampled_from(["L40S", "H100", "rumoured"]),
    arch=st.sampled_from([Arch.X86_64, Arch.X86_64, Arch.ARM64]),
    unified=st.booleans(),
)
skills = st.sampled_from([frozenset(SKILLS), frozenset(SKILLS), frozenset(SKILLS[:1]), frozenset()])
wanted_skills = st.sampled_from([frozenset(), frozenset(), frozenset(SKILLS[:1]), frozenset(SKILLS)])


def sites(name: str) -> st.SearchStrategy:
    return st.builds(
        lambda **facts: site(name, **facts),
        tier=st.sampled_from(Tier),
        jurisdiction=st.sampled_from(["IT", "IT", "FR"]),
        control=st.sampled_from(Control),
        nodes=st.lists(nodes, min_size=1, max_size=2, unique_by=lambda each: each.name).map(tuple),
        skills=skills,
        on_call=st.sampled_from([OnCall.ALWAYS, OnCall.ALWAYS, OnCall.NONE]),
        managed=st.booleans(),
    )


names = st.sampled_from(SITE_NAMES)
links = st.builds(
    link, names, names, st.sampled_from([0.5, 0.5, 2.5, 9.0, 40.0]), st.sampled_from([0.0, 0.1, 10.0, 10.0])
).filter(lambda each: each.a != each.b)
regulations = st.builds(
    lambda index, classes, **facts: regulation(f"r{index}", *classes, **facts),
    st.integers(0, 9),
    st.sets(st.sampled_from(CLASSES), min_size=1),
    boundary=st.sampled_from([*Boundary, Boundary.NONE]),
    effect=st.sampled_from(Effect),
    members=st.sets(st.sampled_from(["FR"])),
)
uses = st.builds(
    use,
    st.sampled_from(["x", "y"]),
    st.sampled_from([0.0, 1.0, 50.0]),
    within_ms=st.sampled_from([1e3, 6e5]),
    every_ms=st.just(3.6e6),
)


@st.composite
def workloads(draw: Callable, name: str, callees: tuple[str, ...]) -> object:
    limit = st.one_of(st.none(), st.sampled_from([2.0, 10.0, 50.0]))
    called = draw(st.sets(st.sampled_from(callees), max_size=2)) if callees else set()
    return workload(
        name,
        draw(names),
        p99=draw(limit),
        service=draw(st.sampled_from([0.5, 5.0])),
        cores=draw(st.integers(1, 4)),
        memory=draw(st.sampled_from([0.1, 3.3, 6.0])),
        gpus=draw(st.integers(0, 1)),
        gpu_memory=draw(st.sampled_from([1.0, 3.0])),
        archs=frozenset(draw(st.sets(st.sampled_from(Arch), min_size=1))),
        consumes=tuple(draw(st.lists(uses, max_size=1, unique_by=lambda each: each.dataset))),
        calls=tuple(Call(each, 1.0, draw(limit)) for each in sorted(called)),
        skills=draw(wanted_skills),
        on_call=draw(st.sampled_from([OnCall.NONE, OnCall.NONE, OnCall.BUSINESS_HOURS])),
        tenant=draw(st.sampled_from(["team", "team", "other"])),
        phase=draw(st.sampled_from(Phase)),
    )


@st.composite
def things(draw: Callable, most: int = 5) -> list[object]:
    """Everything an estate is made of, to be put together in any order; up to `most` workloads."""
    jobs = [f"w{index}" for index in range(draw(st.integers(1, most)))]
    found: list[object] = [draw(sites(name)) for name in SITE_NAMES]
    found += draw(st.lists(links, min_size=3, max_size=8, unique_by=lambda each: each.name))
    found += draw(st.lists(regulations, min_size=1, max_size=4, unique_by=lambda each: each.name))
    for name in ("x", "y"):
        found.append(
            dataset(
                name, draw(names), draw(st.sampled_from(CLASSES)), bound=draw(st.sampled_from([False, False, True]))
            )
        )
    found += [draw(workloads(name, tuple(jobs[:index]))) for index, name in enumerate(jobs)]
    found.append(tenant("team", cores=draw(st.sampled_from([None, 4])), gpus=draw(st.sampled_from([None, 1]))))
    found.append(tenant("other"))
    return found


def assembled(parts: list[object]) -> Estate:
    return estate(*parts, book=prices())


estates = things().map(assembled)
