"""Kinds of machines as rows of integers, and what a shape needs of each kind.

A row holds what is free on one machine in one period. Everything in it is an integer, so that taking and giving back
are exact: threads, KiB, pages, functions, MB, thousandths of a GPU, and a bit for each free memory slice of a GPU that
is cut into MIG instances.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.estate.mig import geometry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from cellwright.estate.model import Demand, Node
    from cellwright.placement.shape import Shape
    from cellwright.placement.slots import Seating

KIB: Final = 1 << 20  # of a GiB
SMALL_PAGES: Final = 512  # of a GiB
WHOLE: Final = 1000  # thousandths of a GPU
SLICES: Final = 8  # memory slices of a GPU that is cut, to count instances as fractions
AMOUNTS: Final = ("threads", "memory_gib", "hugepages_2mib_gib", "hugepages_1gib_gib", "functions", "nvme_gb", "gpus")
PER_CELL: Final = 5  # threads, memory, small pages, large pages, functions


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column of a row holds what; wide enough for every machine of a pool.

    Columns: threads, KiB, 2 MiB pages, 1 GiB pages and functions, each once for every cell; MB of NVMe; thousandths of
    each GPU; free memory slices of each GPU as bits.
    """

    cells: int
    gpus: int
    nvme: int = field(init=False)  # the column of local cache
    shares: slice = field(init=False)  # the columns of whole GPUs and shares of them
    slices: slice = field(init=False)  # the columns of GPUs cut into MIG instances
    width: int = field(init=False)  # the number of columns

    def __post_init__(self) -> None:
        nvme = PER_CELL * self.cells
        object.__setattr__(self, "nvme", nvme)
        object.__setattr__(self, "shares", slice(nvme + 1, nvme + 1 + self.gpus))
        object.__setattr__(self, "slices", slice(nvme + 1 + self.gpus, nvme + 1 + 2 * self.gpus))
        object.__setattr__(self, "width", nvme + 1 + 2 * self.gpus)

    def columns(self, resource: int) -> slice:
        """Return the columns of one of the resources that cells have."""
        return slice(resource * self.cells, (resource + 1) * self.cells)


@dataclass(frozen=True, slots=True)
class Needs:
    """What a shape takes of one kind of machine."""

    totals: tuple[int, int, int, int, int]  # threads, KiB, small pages, large pages, functions
    grains: tuple[int, int, int, int, int]  # a cell gives each in multiples of this
    nvme_mb: int
    gpus: int  # whole ones
    share: int  # thousandths of one GPU, 0: whole GPUs or none
    instances: tuple[int, ...]  # MIG: the slices, as bits, of each place where the profile may begin
    starts: tuple[int, ...]  # MIG: those places
    single_cell: bool


@dataclass(frozen=True, slots=True)
class Kind:
    """What makes machines alike: the node without its name and number."""

    node: Node
    gpu_cells: tuple[int, ...]  # the NUMA cell of each GPU

    @property
    def cells(self) -> int:
        """How many NUMA cells it has."""
        return self.node.cells


def kind_of(node: Node) -> Kind:
    """Return the kind of a node; nodes of one kind are interchangeable."""
    count = node.gpus.count if node.gpus else 0
    nics = tuple(replace(nic, name="", gbps=0.0) for nic in node.nics)
    plain = replace(node, name="", count=1, nics=nics, fabric=None, power_kw=None, sockets=1)
    return Kind(plain, tuple(gpu * node.cells // count for gpu in range(count)))


def layout_of(kinds: Iterable[Kind]) -> Layout:
    """Return a layout that has room for every kind."""
    known = tuple(kinds)
    return Layout(
        max((kind.cells for kind in known), default=1), max((len(kind.gpu_cells) for kind in known), default=0)
    )


def empty_row(kind: Kind, layout: Layout) -> NDArray[np.int64]:
    """Return what an empty machine has, (layout.width,) int64."""
    node, row = kind.node, np.zeros(layout.width, dtype=np.int64)
    small, large = pages(node.hugepages_2mib_gib, SMALL_PAGES), pages(node.hugepages_1gib_gib, 1)
    plain = kib(node.memory_gib) - small * (KIB // SMALL_PAGES) - large * KIB
    threads = [cores * node.threads_per_core for cores in _spread(node.cores, node.cells)]
    for resource, amounts in enumerate(
        (threads, _spread(max(plain, 0), node.cells), _spread(small, node.cells), _spread(large, node.cells))
    ):
        row[resource * layout.cells : resource * layout.cells + node.cells] = amounts
    for nic in node.nics:
        row[4 * layout.cells + nic.cell] += nic.functions
    row[layout.nvme] = math.floor(node.nvme_gb * 1000)
    if node.gpus and node.gpus.mig:
        cut = geometry(node.gpus.model)
        row[layout.slices][: node.gpus.count] = (1 << cut.memory_slices) - 1 if cut else 0
    elif node.gpus:
        row[layout.shares][: node.gpus.count] = WHOLE
    return row


def needs_of(shape: Shape, kind: Kind) -> Needs:
    """Return what the shape takes of a machine of that kind, whether or not its traits suit."""
    demand, node = shape.demand, kind.node
    grain = node.threads_per_core if demand.pinned else 1
    huge = demand.hugepages_gib
    whole = demand.gpus if demand.mig_profile is None else 0
    shared = bool(whole) and demand.gpu_share < 1
    cut = geometry(node.gpus.model) if node.gpus and node.gpus.mig and demand.mig_profile else None
    profile = cut.profiles.get(demand.mig_profile or "") if cut else None
    return Needs(
        totals=(
            -(-demand.cores // grain) * grain,
            memory_kib(demand, node),
            math.ceil(round(huge * SMALL_PAGES, 6)) if demand.hugepage_mib != 1024 else 0,  # noqa: PLR2004 - MiB of a GiB
            math.ceil(round(huge, 9)) if demand.hugepage_mib == 1024 else 0,  # noqa: PLR2004 - MiB of a GiB
            demand.sriov,
        ),
        grains=(grain, 1, 1, 1, 1),
        nvme_mb=math.ceil(round(demand.nvme_gb * 1000, 6)),
        gpus=0 if shared else whole,
        share=thousandths(demand, math.inf if node.gpus is None or node.unified_memory else node.gpus.memory_gib)
        if shared
        else 0,
        instances=tuple(((1 << profile.memory_slices) - 1) << start for start in profile.starts) if profile else (),
        starts=profile.starts if profile else (),
        single_cell=demand.single_cell,
    )


def thousandths(demand: Demand, gpu_gib: float) -> int:
    """Return what a replica takes of a GPU that it shares: of its time or of its memory, whichever is more of it."""
    memory = demand.gpu_memory_gib / gpu_gib if demand.gpu_memory_gib else 0.0  # a trace may not say what GPUs have
    part = max(demand.gpu_share, memory)
    return min(math.ceil(round(part * WHOLE, 6)), WHOLE)


def memory_kib(demand: Demand, node: Node) -> int:
    """Return the KiB that a replica takes; where memory is unified, that of its GPUs is part of it."""
    unified = demand.gpus * demand.gpu_memory_gib if node.unified_memory else 0.0
    return math.ceil(round((demand.memory_gib + unified) * KIB, 3))


def shifted(row: Sequence[int], needs: Needs, seating: Seating, layout: Layout, *, back: bool = False) -> list[int]:
    """Return what is free after a seating is taken or, with `back`, given back; `row` is what was free."""
    after, sign = list(row), 1 if back else -1
    for cell, draw in zip(seating.cells, seating.draws, strict=True):
        amounts = (draw.threads, draw.memory_kib, draw.small_pages, draw.large_pages, draw.functions)
        for resource, amount in enumerate(amounts):
            after[resource * layout.cells + cell] += sign * amount
    after[layout.nvme] += sign * needs.nvme_mb
    for gpu in seating.gpus:
        after[layout.shares.start + gpu] += sign * (needs.share or WHOLE)
    for gpu, start in seating.instances:
        after[layout.slices.start + gpu] += sign * needs.instances[needs.starts.index(start)]
    return after


def amounts_of(rows: NDArray[np.int64], layout: Layout) -> NDArray[np.float64]:
    """Return the sums over cells and GPUs of what rows hold, (m, len(AMOUNTS)) float64 in the units of `AMOUNTS`."""
    cells = [rows[:, layout.columns(resource)].sum(axis=1) for resource in range(PER_CELL)]
    gpus = rows[:, layout.shares].sum(axis=1) / WHOLE + np.bitwise_count(rows[:, layout.slices]).sum(axis=1) / SLICES
    scaled = (cells[0], cells[1] / KIB, cells[2] / SMALL_PAGES, *cells[3:], rows[:, layout.nvme] / 1000, gpus)
    return np.stack(scaled, axis=1).astype(np.float64)


def least_of(needs: Needs) -> NDArray[np.float64]:
    """Return what a shape takes in the units of `AMOUNTS`, (len(AMOUNTS),) float64."""
    threads, memory, small, large, functions = needs.totals
    gpus = needs.gpus + needs.share / WHOLE + (needs.instances[0].bit_count() / SLICES if needs.instances else 0)
    return np.array(
        [threads, memory / KIB, small / SMALL_PAGES, large, functions, needs.nvme_mb / 1000, gpus], dtype=np.float64
    )


def kib(gib: float) -> int:
    """Return the whole KiB in some GiB."""
    return math.floor(round(gib * KIB, 3))


def pages(gib: float, each: int) -> int:
    """Return the whole pages in some GiB, of which `each` make one GiB."""
    return math.floor(round(gib * each, 6))


def _spread(total: int, cells: int) -> list[int]:
    """Return even parts of a total, the remainder on the first."""
    return [total // cells + (cell < total % cells) for cell in range(cells)]
