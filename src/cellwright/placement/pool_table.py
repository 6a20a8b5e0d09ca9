"""The kinds of machines side by side: what plain shapes need and lack on all of them at once.

A shape is plain when its threads, memory and GPUs may come from any NUMA cell and it asks for no MIG instance. Most
are, and a network has thousands of them; the others are looked at kind by kind.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from cellwright.placement.pool_kinds import KIB, SMALL_PAGES, WHOLE, thousandths
from cellwright.placement.pool_lacks import Lack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from cellwright.placement.pool_kinds import Kind, Layout
    from cellwright.placement.shape import Shape


_Measure: TypeAlias = tuple[str, str, float]  # resource, unit, how many of a row's units that unit has
_GPUS: Final[_Measure] = ("gpus", "GPUs", 1)
_SHARES: Final[_Measure] = ("gpus", "GPUs", WHOLE)
_CORES: Final[_Measure] = ("cores", "cores", 1)
_MEMORY: Final[_Measure] = ("memory", "GiB", KIB)
_SMALL: Final[_Measure] = ("hugepages", "GiB", SMALL_PAGES)
_LARGE: Final[_Measure] = ("hugepages", "GiB", 1)
_FUNCTIONS: Final[_Measure] = ("sriov", "functions", 1)
_NVME: Final[_Measure] = ("nvme", "GB", 1000)


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """What a plain shape takes, of each kind where kinds differ, (n_kinds,) int64."""

    suits: NDArray[np.bool_]  # (n_kinds,)
    threads: NDArray[np.int64]
    memory_kib: NDArray[np.int64]
    small_pages: int
    large_pages: int
    functions: int
    nvme_mb: int
    gpus: int  # whole ones
    share: NDArray[np.int64]  # thousandths of one GPU


def is_plain(shape: Shape) -> bool:
    """Return whether a shape is plain."""
    return not shape.demand.single_cell and shape.demand.mig_profile is None


class Table:
    """What every kind of machine is and has when empty."""

    def __init__(self, kinds: Sequence[Kind], layout: Layout, full: Sequence[NDArray[np.int64]]) -> None:
        nodes = [kind.node for kind in kinds]
        self._layout = layout
        self._full = np.array(full, dtype=np.int64).reshape(len(kinds), layout.width)
        self._archs = np.array([node.arch.value for node in nodes], dtype="U16")
        self._executions = [node.executions for node in nodes]
        self._dpu = np.array([node.dpu for node in nodes], dtype=np.bool_)
        self._unified = np.array([node.unified_memory for node in nodes], dtype=np.bool_)
        self._grain = np.array([node.threads_per_core for node in nodes], dtype=np.int64)
        self._coarse = bool((self._grain > 1).any())
        self._models = np.array([node.gpus.model if node.gpus else "" for node in nodes], dtype=np.str_)
        self._gpu_gib = np.array([node.gpus.memory_gib if node.gpus else math.inf for node in nodes])
        self._suits: dict[tuple[object, ...], NDArray[np.bool_]] = {}

    def able(self, shape: Shape) -> NDArray[np.bool_]:
        """Return which kinds hold a plain shape when empty, (n_kinds,) bool."""
        return self.room(shape, np.arange(len(self._full)), self._full)

    def room(self, shape: Shape, kinds: NDArray[np.intp], rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return where a plain shape has room, (m,) bool; `rows` (m, width) int64 are what is free on some `kinds`."""
        asked = self._asked(shape)
        room: NDArray[np.bool_] = asked.suits[kinds]
        for _, has, needs in self._amounts(shape, asked, kinds, rows):
            room = room & (has >= needs)
        return room

    def lacks(self, shape: Shape, kinds: NDArray[np.intp], rows: NDArray[np.int64]) -> tuple[Lack, ...]:
        """Return everything of which some machine has too little for a plain shape; arguments as those of `room`."""
        found = [*self._traits_short(shape, kinds), *self._amounts_short(shape, kinds, rows)]
        return tuple(each for each in found if each.short.any())

    def _traits_short(self, shape: Shape, kinds: NDArray[np.intp]) -> Iterator[Lack]:
        """Yield the traits that are asked for, in the order of ORDER, up to those of GPUs."""
        demand = shape.demand
        words: list[tuple[str, NDArray[np.bool_], Sequence[str], str]] = [
            ("arch", ~np.isin(self._archs, list(demand.archs)), self._archs.tolist(), " or ".join(sorted(demand.archs)))
        ]
        runs = [" or ".join(sorted(offered)) or "none" for offered in self._executions]
        cannot = np.array([shape.execution not in offered for offered in self._executions], dtype=np.bool_)
        words.append(("execution", cannot, runs, shape.execution.value))
        if shape.untrusted:
            words.append(("dpu", ~self._dpu, ["a DPU" if has else "no DPU" for has in self._dpu.tolist()], "a DPU"))
        if demand.gpus and demand.gpu_models:
            other = ~np.isin(self._models, [*demand.gpu_models, ""])
            words.append(("gpu-model", other, self._models.tolist(), " or ".join(sorted(demand.gpu_models))))
        for resource, short, told, limit in words:
            if short.any():
                yield Lack(resource, short[kinds], tuple(told[kind] for kind in kinds.tolist()), limit, "")
        if demand.gpus:
            gib = np.where(np.isinf(self._gpu_gib), demand.gpu_memory_gib, self._gpu_gib)[kinds]
            yield Lack("gpu-memory", gib < demand.gpu_memory_gib, gib, demand.gpu_memory_gib, "GiB")

    def _amounts_short(self, shape: Shape, kinds: NDArray[np.intp], rows: NDArray[np.int64]) -> Iterator[Lack]:
        """Yield the amounts that are asked for."""
        for (name, unit, scale), has, needs in self._amounts(shape, self._asked(shape), kinds, rows):
            short = has < needs
            if short.any():
                limit = float(np.max(np.broadcast_to(needs, has.shape)[short]))
                yield Lack(name, short, has / scale, limit / scale, unit)

    def least(self, shape: Shape) -> tuple[float, ...] | None:
        """Return the least a plain shape takes of any kind that suits it, in the units of AMOUNTS; None: none suits."""
        asked = self._asked(shape)
        if not asked.suits.any():
            return None
        return (
            float(asked.threads[asked.suits].min()),
            float(asked.memory_kib[asked.suits].min()) / KIB,
            asked.small_pages / SMALL_PAGES,
            float(asked.large_pages),
            float(asked.functions),
            asked.nvme_mb / 1000,
            asked.gpus + float(asked.share[asked.suits].min()) / WHOLE,
        )

    def _amounts(
        self, shape: Shape, asked: _Asked, kinds: NDArray[np.intp], rows: NDArray[np.int64]
    ) -> Iterator[tuple[_Measure, NDArray[np.int64], NDArray[np.int64] | int]]:
        """Yield each resource that is asked for, what is free of it, (m,), and how much is needed."""
        layout = self._layout
        if asked.share.any():
            yield _SHARES, rows[:, layout.shares].max(axis=1, initial=0), asked.share[kinds]
        elif asked.gpus:
            yield _GPUS, (rows[:, layout.shares] == WHOLE).sum(axis=1), asked.gpus
        threads = rows[:, layout.columns(0)]
        if shape.demand.pinned and self._coarse:
            grain = self._grain[kinds, None]
            threads = threads // grain * grain
        yield _CORES, threads.sum(axis=1), asked.threads[kinds]
        yield _MEMORY, rows[:, layout.columns(1)].sum(axis=1), asked.memory_kib[kinds]
        if asked.small_pages:
            yield _SMALL, rows[:, layout.columns(2)].sum(axis=1), asked.small_pages
        if asked.large_pages:
            yield _LARGE, rows[:, layout.columns(3)].sum(axis=1), asked.large_pages
        if asked.functions:
            yield _FUNCTIONS, rows[:, layout.columns(4)].sum(axis=1), asked.functions
        if asked.nvme_mb:
            yield _NVME, rows[:, layout.nvme], asked.nvme_mb

    def _asked(self, shape: Shape) -> _Asked:
        demand = shape.demand
        threads = np.full(len(self._full), demand.cores, dtype=np.int64)
        if demand.pinned and self._coarse:
            threads = -(-threads // self._grain) * self._grain
        plain, unified = _kib(demand.memory_gib), _kib(demand.memory_gib + demand.gpus * demand.gpu_memory_gib)
        large = demand.hugepage_mib == 1024  # noqa: PLR2004 - MiB of a GiB
        shared = bool(demand.gpus) and demand.gpu_share < 1
        share = np.zeros(len(self._full), dtype=np.int64)
        if shared:
            share[:] = [thousandths(demand, gib) for gib in np.where(self._unified, math.inf, self._gpu_gib).tolist()]
        return _Asked(
            suits=self._suitable(shape),
            threads=threads,
            memory_kib=np.where(self._unified, unified, plain),
            small_pages=0 if large else math.ceil(round(demand.hugepages_gib * SMALL_PAGES, 6)),
            large_pages=math.ceil(round(demand.hugepages_gib, 9)) if large else 0,
            functions=demand.sriov,
            nvme_mb=math.ceil(round(demand.nvme_gb * 1000, 6)),
            gpus=0 if shared else demand.gpus,
            share=share,
        )

    def _suitable(self, shape: Shape) -> NDArray[np.bool_]:
        """Return which kinds have every trait that a plain shape asks for."""
        demand = shape.demand
        graphics = (demand.gpu_memory_gib, demand.gpu_models) if demand.gpus else None
        key = (demand.archs, shape.execution, shape.untrusted, graphics)
        if key not in self._suits:
            suits = np.isin(self._archs, [arch.value for arch in demand.archs])
            suits &= np.array([shape.execution in offered for offered in self._executions], dtype=np.bool_)
            if shape.untrusted:
                suits &= self._dpu
            if graphics:
                suits &= self._gpu_gib >= demand.gpu_memory_gib
            if graphics and demand.gpu_models:
                suits &= np.isin(self._models, [*demand.gpu_models, ""])
            self._suits[key] = suits
        return self._suits[key]


def _kib(gib: float) -> int:
    return math.ceil(round(gib * KIB, 3))
