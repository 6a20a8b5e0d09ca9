"""What no emptying of a machine changes: its architecture, how it runs things, its DPU, the model of its GPUs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellwright.estate.mig import geometry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.placement.pool_kinds import Kind
    from cellwright.placement.shape import Shape


@dataclass(frozen=True, slots=True)
class Trait:
    """One trait that a kind has and a shape asks for."""

    resource: str
    short: bool
    measured: float | str
    limit: float | str
    unit: str = ""


def suits(shape: Shape, kind: Kind) -> bool:
    """Return whether machines of the kind have every trait that the shape asks for."""
    return not any(trait.short for trait in traits(shape, kind))


def traits(shape: Shape, kind: Kind) -> Iterator[Trait]:
    """Yield every trait that the shape asks for, in a fixed order that is the same for all kinds."""
    node, demand = kind.node, shape.demand
    yield Trait("arch", node.arch not in demand.archs, node.arch.value, " or ".join(sorted(demand.archs)))
    offered = " or ".join(sorted(node.executions)) or "none"
    yield Trait("execution", shape.execution not in node.executions, offered, shape.execution.value)
    if shape.untrusted:
        yield Trait("dpu", not node.dpu, "a DPU" if node.dpu else "no DPU", "a DPU")
    if demand.gpus or demand.mig_profile:
        yield from _gpu_traits(shape, kind)


def _gpu_traits(shape: Shape, kind: Kind) -> Iterator[Trait]:
    gpus, demand = kind.node.gpus, shape.demand
    model = gpus.model if gpus else "none"
    if demand.gpu_models:
        models = " or ".join(sorted(demand.gpu_models))
        yield Trait("gpu-model", gpus is not None and model not in demand.gpu_models, model, models)
    if demand.mig_profile is None:
        memory = gpus.memory_gib if gpus else 0.0
        short = gpus is not None and memory < demand.gpu_memory_gib
        yield Trait("gpu-memory", short, memory, demand.gpu_memory_gib, "GiB")
        return
    cut = geometry(model) if gpus and gpus.mig else None
    profile = cut.profiles.get(demand.mig_profile) if cut else None
    memory = profile.memory_gib if profile else 0.0
    short = profile is not None and memory < demand.gpu_memory_gib
    yield Trait("gpu-memory", short, memory, demand.gpu_memory_gib, "GiB")
    yield Trait("mig-profile", profile is None, 1.0 if profile else 0.0, 1.0, "instances")
