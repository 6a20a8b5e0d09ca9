"""Of what machines have too little for a shape: every resource and trait, not only the first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.placement.packing import has_room
from cellwright.placement.pool_kinds import KIB, SMALL_PAGES, WHOLE, needs_of
from cellwright.placement.pool_traits import traits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from cellwright.placement.pool_kinds import Kind, Layout, Needs
    from cellwright.placement.shape import Shape

ORDER: Final = (
    "arch", "execution", "dpu", "gpu-model", "gpus", "gpu-memory", "mig-profile",
    "cores", "memory", "hugepages", "sriov", "nvme", "numa",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Lack:
    """A resource or trait of which some machines have too little."""

    resource: str
    short: NDArray[np.bool_]  # (m,)
    measured: NDArray[np.float64] | tuple[str, ...]  # of each machine, short or not
    limit: float | str  # what the shape needs
    unit: str


@dataclass(frozen=True, slots=True)
class _Found:
    """What one kind of machine says of a resource."""

    short: NDArray[np.bool_]
    measured: NDArray[np.float64] | str
    limit: float | str
    unit: str


def lacks_of(
    shape: Shape, kinds: Sequence[Kind], kind_of: NDArray[np.int32], rows: NDArray[np.int64], layout: Layout
) -> tuple[Lack, ...]:
    """Return everything of which some machine has too little; `rows` (m, width) int64 are what is free on each."""
    by_kind = {
        number: _kind_lacks(shape, kinds[number], rows[kind_of == number], layout)
        for number in np.unique(kind_of).tolist()
    }
    return tuple(
        _joined(resource, by_kind, kind_of)
        for resource in ORDER
        if any(resource in found and found[resource].short.any() for found in by_kind.values())
    )


def _joined(resource: str, by_kind: dict[int, dict[str, _Found]], kind_of: NDArray[np.int32]) -> Lack:
    """Return one lack of all machines."""
    short, numbers = np.zeros(len(kind_of), dtype=np.bool_), np.zeros(len(kind_of))
    words = np.full(len(kind_of), "", dtype=object)
    limits: list[float | str] = []
    unit = ""
    for kind, found in by_kind.items():
        each = found.get(resource)
        if each is None:
            continue
        these = kind_of == kind
        short[these], unit = each.short, each.unit
        if isinstance(each.measured, str):
            words[these] = each.measured
        else:
            numbers[these] = each.measured
        limits += [each.limit] if each.short.any() else []
    if isinstance(limits[0], str):
        return Lack(resource, short, tuple(words.tolist()), limits[0], unit)
    return Lack(resource, short, numbers, max(limit for limit in limits if not isinstance(limit, str)), unit)


def _kind_lacks(shape: Shape, kind: Kind, rows: NDArray[np.int64], layout: Layout) -> dict[str, _Found]:
    """Return what machines of one kind have of everything that the shape asks for."""
    found = {
        trait.resource: _Found(
            np.full(len(rows), trait.short),
            trait.measured if isinstance(trait.measured, str) else np.full(len(rows), float(trait.measured)),
            trait.limit,
            trait.unit,
        )
        for trait in traits(shape, kind)
    }
    needs = needs_of(shape, kind)
    suited = not any(each.short.any() for each in found.values())
    for resource, measured, limit, unit in _amounts(needs, rows, layout):
        found[resource] = _Found(measured < limit, measured, limit, unit)
    if suited:
        enough = ~np.logical_or.reduce([each.short for each in found.values()])
        scattered = enough & ~has_room(rows, needs, kind, layout)
        found["numa"] = _Found(scattered, _best_cell(rows, needs, kind, layout), 1.0, "of the need in one NUMA cell")
    return found


def _amounts(
    needs: Needs, rows: NDArray[np.int64], layout: Layout
) -> Iterator[tuple[str, NDArray[np.float64], float, str]]:
    """Yield every resource that is needed: its name, what each machine has, what is needed, and the unit."""
    whole = [
        (rows[:, layout.columns(resource)] // grain * grain).sum(axis=1) for resource, grain in enumerate(needs.grains)
    ]
    threads, memory, small, large, functions = needs.totals
    free = rows[:, layout.shares]
    if needs.gpus:
        yield "gpus", (free == WHOLE).sum(axis=1).astype(np.float64), float(needs.gpus), "GPUs"
    if needs.share:
        largest = free.max(axis=1, initial=0) / WHOLE
        yield "gpus", largest, needs.share / WHOLE, "GPUs"
    if needs.instances:
        yield "mig-profile", _places(rows[:, layout.slices], needs.instances), 1.0, "instances"
    if threads:
        yield "cores", whole[0].astype(np.float64), float(threads), "cores"
    if memory:
        yield "memory", whole[1] / KIB, memory / KIB, "GiB"
    if small:
        yield "hugepages", whole[2] / SMALL_PAGES, small / SMALL_PAGES, "GiB"
    if large:
        yield "hugepages", whole[3].astype(np.float64), float(large), "GiB"
    if functions:
        yield "sriov", whole[4].astype(np.float64), float(functions), "functions"
    if needs.nvme_mb:
        yield "nvme", rows[:, layout.nvme] / 1000, needs.nvme_mb / 1000, "GB"


def _places(free: NDArray[np.int64], instances: Sequence[int]) -> NDArray[np.float64]:
    """Return in how many places an instance could begin, (m,) float64."""
    counts: NDArray[np.float64] = np.sum(
        [((free & bits) == bits).sum(axis=1) for bits in instances], axis=0, dtype=np.float64
    )
    return counts


def _best_cell(rows: NDArray[np.int64], needs: Needs, kind: Kind, layout: Layout) -> NDArray[np.float64]:
    """Return the largest share of the scarcest need that one cell meets, (m,) float64."""
    best = np.zeros(len(rows))
    for cell in range(kind.cells):
        parts = [
            rows[:, resource * layout.cells + cell] / total for resource, total in enumerate(needs.totals) if total
        ]
        gpus = [gpu for gpu, home in enumerate(kind.gpu_cells) if home == cell]
        free = rows[:, layout.shares][:, gpus]
        if needs.gpus:
            parts.append((free == WHOLE).sum(axis=1) / needs.gpus)
        if needs.share:
            parts.append(free.max(axis=1, initial=0) / needs.share)
        if needs.instances:
            parts.append(_places(rows[:, layout.slices][:, gpus], needs.instances))
        best = np.maximum(best, np.minimum.reduce(parts)) if parts else best
    return np.minimum(best, 1.0)
