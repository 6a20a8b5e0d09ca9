"""Where on one machine a replica can sit: the ways worth weighing, each a seating."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellwright.placement.pool_kinds import PER_CELL, WHOLE
from cellwright.placement.slots import Draw, Seating

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from cellwright.placement.pool_kinds import Kind, Layout, Needs


def has_room(rows: NDArray[np.int64], needs: Needs, kind: Kind, layout: Layout) -> NDArray[np.bool_]:
    """Return which machines of a kind have room, (m,) bool; `rows` (m, width) int64 are what is free on them."""
    if needs.single_cell and kind.cells > 1:
        cells = [_room_in_cell(rows, needs, kind, layout, cell) for cell in range(kind.cells)]
        in_some: NDArray[np.bool_] = (rows[:, layout.nvme] >= needs.nvme_mb) & np.logical_or.reduce(cells)
        return in_some
    room: NDArray[np.bool_] = rows[:, layout.nvme] >= needs.nvme_mb
    for resource, (total, grain) in enumerate(zip(needs.totals, needs.grains, strict=True)):
        if total:
            columns = rows[:, layout.columns(resource)]
            room &= (columns // grain * grain if grain > 1 else columns).sum(axis=1) >= total
    return room & _room_on_gpus(rows, needs, layout, range(len(kind.gpu_cells)))


def _room_in_cell(rows: NDArray[np.int64], needs: Needs, kind: Kind, layout: Layout, cell: int) -> NDArray[np.bool_]:
    gpus = [gpu for gpu, home in enumerate(kind.gpu_cells) if home == cell]
    room = _room_on_gpus(rows, needs, layout, gpus)
    for resource, total in enumerate(needs.totals):
        room &= rows[:, resource * layout.cells + cell] >= total
    return room


def _room_on_gpus(rows: NDArray[np.int64], needs: Needs, layout: Layout, gpus: Sequence[int]) -> NDArray[np.bool_]:
    """Return where some of the GPUs serve the needs; (m,) bool."""
    if needs.instances:
        free = rows[:, layout.slices][:, gpus]
        room: NDArray[np.bool_] = np.logical_or.reduce(
            [((free & bits) == bits).any(axis=1) for bits in needs.instances]
        )
        return room
    if needs.gpus or needs.share:
        free = rows[:, layout.shares][:, gpus]
        return np.asarray((free >= (needs.share or WHOLE)).sum(axis=1) >= (needs.gpus or 1))
    return np.ones(len(rows), dtype=np.bool_)


def seatings(row: Sequence[int], needs: Needs, kind: Kind, layout: Layout) -> list[Seating]:
    """Return the ways to seat a replica on a machine where `row` is free; none where it has no room."""
    if row[layout.nvme] < needs.nvme_mb:
        return []
    found = []
    for gpus, instances in _devices(row, needs, kind, layout):
        near = {kind.gpu_cells[gpu] for gpu in (*gpus, *(gpu for gpu, _ in instances))}
        for draws in _draws(row, needs, kind, layout, near):
            cells = tuple(draws)
            found.append(Seating(cells, tuple(Draw(*draws[cell]) for cell in cells), gpus, instances))
    return found


def _devices(
    row: Sequence[int], needs: Needs, kind: Kind, layout: Layout
) -> Iterator[tuple[tuple[int, ...], tuple[tuple[int, int], ...]]]:
    """Yield the GPUs or the instance to take; of GPUs that are alike in one cell, the first alone."""
    count, seen = len(kind.gpu_cells), set()
    if needs.instances:
        for gpu in range(count):
            free = row[layout.slices.start + gpu]
            if (free, kind.gpu_cells[gpu]) not in seen:
                seen.add((free, kind.gpu_cells[gpu]))
                places = zip(needs.starts, needs.instances, strict=True)
                yield from (((), ((gpu, start),)) for start, bits in places if free & bits == bits)
    elif needs.share:
        for gpu in range(count):
            free = row[layout.shares.start + gpu]
            if free >= needs.share and (free, kind.gpu_cells[gpu]) not in seen:
                seen.add((free, kind.gpu_cells[gpu]))
                yield (gpu,), ()
    elif needs.gpus:
        yield from ((gpus, ()) for gpus in _whole(row, needs, kind, layout))
    else:
        yield (), ()


def _whole(row: Sequence[int], needs: Needs, kind: Kind, layout: Layout) -> Iterator[tuple[int, ...]]:
    """Yield whole GPUs of one cell, each cell that has enough; otherwise of as few cells as it takes."""
    by_cell: list[list[int]] = [[] for _ in range(kind.cells)]
    for gpu, cell in enumerate(kind.gpu_cells):
        if row[layout.shares.start + gpu] == WHOLE:
            by_cell[cell].append(gpu)
    enough = [gpus for gpus in by_cell if len(gpus) >= needs.gpus]
    if enough:
        yield from (tuple(gpus[: needs.gpus]) for gpus in enough)
    elif not needs.single_cell and sum(map(len, by_cell)) >= needs.gpus:
        chosen: list[int] = []
        while len(chosen) < needs.gpus:
            wanted = needs.gpus - len(chosen)
            gpus = min(by_cell, key=lambda each: (len(each) < wanted, abs(len(each) - wanted)))
            chosen += gpus[:wanted]
            by_cell.remove(gpus)
        yield tuple(sorted(chosen))


def _draws(
    row: Sequence[int], needs: Needs, kind: Kind, layout: Layout, near: set[int]
) -> Iterator[dict[int, tuple[int, ...]]]:
    """Yield what to take of which cells: all of one cell, each cell that has it; otherwise of as many as it takes."""
    if not any(needs.totals):
        yield {}
        return
    width = layout.cells
    whole = [
        cell
        for cell in range(kind.cells)
        if all(row[resource * width + cell] >= total for resource, total in enumerate(needs.totals))
    ]
    if needs.single_cell and near:
        whole = [cell for cell in whole if near == {cell}]
    if whole or needs.single_cell:
        for cell in whole:
            yield {cell: needs.totals}
        return
    split = _split(row, needs, kind, layout, near)
    if split is not None:
        yield split


def _split(
    row: Sequence[int], needs: Needs, kind: Kind, layout: Layout, near: set[int]
) -> dict[int, tuple[int, ...]] | None:
    """Return what to take of several cells: those of its GPUs first, then the fullest, so that others stay whole."""
    order = sorted(range(kind.cells), key=lambda cell: (cell not in near, row[cell], cell))
    taken = {cell: [0] * PER_CELL for cell in order}
    for resource, (total, grain) in enumerate(zip(needs.totals, needs.grains, strict=True)):
        left = total
        for cell in order:
            taken[cell][resource] = min(left, row[resource * layout.cells + cell] // grain * grain)
            left -= taken[cell][resource]
        if left:
            return None
    return {cell: tuple(taken[cell]) for cell in sorted(order) if any(taken[cell])}
