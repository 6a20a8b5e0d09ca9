"""The forms in which a workload can run: its demand as it stands, or one for each quantisation of its model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cellwright.placement.shape import Shape

if TYPE_CHECKING:
    from cellwright.estate.model import Quantisation, Workload


@dataclass(frozen=True, slots=True)
class Variant:
    """One form of a workload."""

    quantisation: str | None  # None: the workload has one form only
    shape: Shape
    service_p50_ms: float
    service_p99_ms: float
    accuracy: float


def variants(workload: Workload, periods: tuple[int, ...]) -> tuple[Variant, ...]:
    """Return every form that is accurate enough, the most accurate first; never none for an estate that was checked."""
    if not workload.quantisations:
        shape = _shape(workload, periods, None)
        return (Variant(None, shape, workload.service_p50_ms, workload.service_p99_ms, 1.0),)
    accurate = (each for each in workload.quantisations if each.accuracy >= workload.min_accuracy)
    return tuple(
        Variant(each.name, _shape(workload, periods, each), each.service_p50_ms, each.service_p99_ms, each.accuracy)
        for each in sorted(accurate, key=lambda each: (-each.accuracy, each.name))
    )


def _shape(workload: Workload, periods: tuple[int, ...], form: Quantisation | None) -> Shape:
    demand = workload.demand
    if form:
        profile = form.mig_profile or demand.mig_profile
        demand = replace(demand, gpu_memory_gib=form.gpu_memory_gib, mig_profile=profile)
    return Shape(demand, workload.untrusted, workload.execution, periods)
