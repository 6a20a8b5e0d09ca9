"""The few sites of each row that are worth a look, so that the search never walks the whole matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cellwright.placement.assignment_problem import Problem

BLOCK_CELLS: Final = 1 << 17  # of the cost matrix looked at in one piece: 0.5 MiB of float32
STRIDE: Final = 37  # sites between the first steps of neighbouring rows: different rows look at different sites
TOLERANCE: Final = 1e-9  # of a capacity: what rounding may take beyond it


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Some sites of each row, cheapest true price first."""

    site: NDArray[np.int64]  # (n_rows, n_candidates)
    cost: NDArray[np.float64]  # (n_rows, n_candidates) price per hour of one replica; inf: no candidate


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What is searched: the problem, its prices where a replica can be at all, and its room."""

    problem: Problem
    screened: NDArray[np.float32]  # (n_rows, n_sites) price; inf as well where the site does not hold one replica
    room: NDArray[np.float64]  # (n_sites, n_resources) capacity with tolerance, or what is left of it

    @classmethod
    def of(cls, problem: Problem, room: NDArray[np.float64] | None = None) -> Ground:
        """Return the ground of `problem`, with all its room or only `room`."""
        free = room_of(problem) if room is None else room
        return cls(problem, _screen(problem, free), free)

    def dearest(self) -> NDArray[np.float32]:
        """Return the dearest price of each row where a replica can be, (n_rows,); NaN where it can be nowhere."""
        most = np.empty(len(self.screened), np.float32)
        for rows in blocks(*self.screened.shape):
            block = self.screened[rows]
            most[rows] = np.where(np.isfinite(block), block, np.float32(-1)).max(1, initial=-1)
        most[most < 0] = np.nan  # no price is negative
        return most


def room_of(problem: Problem) -> NDArray[np.float64]:
    """Return the capacity with what rounding may take, (n_sites, n_resources)."""
    return np.maximum(problem.capacity, 0.0) * (1 + TOLERANCE)


def blocks(n_rows: int, n_sites: int) -> Iterator[slice]:
    """Yield slices of rows whose cells fit the processor's cache."""
    step = max(1, BLOCK_CELLS // max(1, n_sites))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def _screen(problem: Problem, room: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the prices with inf wherever a site has no room for one replica; those of the problem if all have."""
    screened = problem.cost.astype(np.float32, copy=False)
    for rows in blocks(*screened.shape):
        lacks = np.zeros(screened[rows].shape, np.bool_)
        for resource, limit in enumerate(room.T):
            demand = problem.demand[rows, resource]
            if demand.max(initial=0.0) > limit.min():
                lacks |= demand[:, None] > limit[None, :]
        lacks &= np.isfinite(screened[rows])
        if lacks.any():
            if screened is problem.cost:
                screened = screened.copy()
            screened[rows][lacks] = np.inf
    return screened


def find_candidates(ground: Ground, prices: NDArray[np.float64], size: int) -> Candidates:
    """Return for each row the sites that are cheapest at `prices`, and others at even steps of those it admits."""
    problem, screened = ground.problem, ground.screened
    n_rows, n_sites = screened.shape
    size = min(size, n_sites)
    near = size if size == n_sites else size * 2 // 3
    site, cost = np.empty((n_rows, size), np.int64), np.empty((n_rows, size))
    demand, transposed = problem.demand.astype(np.float32), prices.T.astype(np.float32)
    for rows in blocks(n_rows, n_sites):
        block = screened[rows]
        if near == n_sites:
            chosen = np.broadcast_to(np.arange(n_sites), block.shape)
        else:
            chosen = np.argpartition(block + demand[rows] @ transposed, near, axis=1)[:, :near]
            chosen = np.concatenate([chosen, _spread(block, chosen, rows, size - near)], 1)
        chosen = np.sort(chosen, axis=1)
        found = np.take_along_axis(problem.cost[rows], chosen, 1).astype(np.float64)
        found[~np.isfinite(np.take_along_axis(block, chosen, 1))] = np.inf
        found[:, 1:][chosen[:, 1:] == chosen[:, :-1]] = np.inf
        order = np.argsort(found, axis=1, kind="stable")
        site[rows], cost[rows] = np.take_along_axis(chosen, order, 1), np.take_along_axis(found, order, 1)
    return Candidates(site, cost)


def priced(ground: Ground, candidates: Candidates, prices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what the candidates cost with the room they take at `prices`, (n_rows, n_candidates)."""
    total = candidates.cost.copy()
    for resource, price in enumerate(prices.T):
        total += ground.problem.demand[:, resource, None] * price[candidates.site]
    return total


def look_further(ground: Ground, known: Candidates, rows: NDArray[np.int64], turn: int) -> Candidates:
    """Return `known` with other sites for `rows`: turn by turn all they admit, cheapest first."""
    site, cost = known.site.copy(), known.cost.copy()
    width = site.shape[1]
    for row in rows.tolist():
        admitted = np.flatnonzero(np.isfinite(ground.screened[row]))
        price = ground.problem.cost[row, admitted]
        order = np.argsort(price, kind="stable")
        chosen = (
            np.sort((np.arange(width) + turn * width) % len(order)) if len(order) > width else np.arange(len(order))
        )
        site[row, : len(chosen)] = admitted[order[chosen]]
        cost[row] = np.inf
        cost[row, : len(chosen)] = price[order[chosen]]
    return Candidates(site, cost)


def _spread(block: NDArray[np.float32], chosen: NDArray[np.int64], rows: slice, size: int) -> NDArray[np.int64]:
    """Return `size` sites of each row, each the next admitted after an even step."""
    n_sites = block.shape[1]
    admitted = np.isfinite(block)
    np.put_along_axis(admitted, chosen, np.False_, 1)
    cell, place = np.nonzero(admitted)
    count = np.bincount(cell, minlength=len(block))
    first = np.cumsum(count) - count
    shift = (np.arange(rows.start, rows.stop)[:, None] * STRIDE + np.arange(size) * n_sites // size) % n_sites
    position = first[:, None] + shift * count[:, None] // n_sites
    position = np.minimum(position, max(len(place) - 1, 0))
    others = place[position] if len(place) else np.zeros(position.shape, np.int64)
    return np.where(count[:, None] > 0, others, chosen[:, :1])
