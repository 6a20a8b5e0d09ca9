"""Rows of so many replicas that no site holds them all: the relaxation lets each take only what a site holds.

That whole rows move from site to site would tell little of what they need, and the bound is better so: x replicas of a
row at a site are at most what the empty site holds, whatever the prices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cellwright.placement.assignment_candidates import Ground

CELLS: Final = 2_000_000  # of crowds at most, those of most replicas
NEWEST: Final = 0.05  # share of the newest choice in the average


@dataclass(frozen=True, slots=True, eq=False)
class Crowds:
    """The crowds of a problem, and where they went on average of late."""

    rows: NDArray[np.int64]  # (n_crowds,) ascending
    count: NDArray[np.int64]  # (n_crowds,)
    most: NDArray[np.float32]  # (n_crowds, n_sites) replicas that the empty site holds
    average: NDArray[np.float64]  # (n_crowds, n_sites) replicas

    @classmethod
    def of(cls, ground: Ground) -> Crowds:
        """Return the rows of which the middle one of their sites holds less than all replicas."""
        count, n_sites = ground.problem.count, ground.screened.shape[1]
        rows = np.flatnonzero(count > 1)
        rows = np.sort(rows[np.argsort(-count[rows], kind="stable")][: CELLS // n_sites])
        most = np.full((len(rows), n_sites), np.inf, np.float32)
        for need, limit in zip(ground.problem.demand[rows].T, ground.room.T, strict=True):
            some = need > 0
            most[some] = np.minimum(most[some], np.floor(limit[None, :] / need[some, None]))
        most[~np.isfinite(ground.screened[rows])] = 0.0
        middle = np.sort(most, axis=1)[:, ::-1][np.arange(len(rows)), np.count_nonzero(most, axis=1) // 2]
        large = middle < count[rows]
        rows, most = rows[large], np.minimum(most[large], count[rows[large], None])
        return cls(rows, count[rows], most, np.zeros(most.shape))

    def fill(self, priced: NDArray[np.floating], refusal: float) -> tuple[NDArray[np.float64], float]:
        """Return how many replicas go where at prices (n_crowds, n_sites), and what they pay with who refuses."""
        order = _ascending(priced)
        most = np.take_along_axis(self.most, order, 1).astype(np.float64)
        most[np.take_along_axis(priced, order, 1) >= refusal] = 0.0
        before = np.cumsum(most, axis=1) - most
        amount = np.zeros(most.shape)
        np.put_along_axis(amount, order, np.clip(self.count[:, None] - before, 0.0, most), 1)
        taken = amount > 0
        refused = self.count - amount.sum(1)
        left = float(refused.sum())
        return amount, float((amount[taken] * priced[taken]).sum()) + (refusal * left if left else 0.0)

    def note(self, amount: NDArray[np.float64]) -> None:
        """Take the newest choice into the average."""
        self.average[:] = (1 - NEWEST) * self.average + NEWEST * amount


def _ascending(priced: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the order of each row, (n, m) int64, equal prices in the order of their places; none is negative.

    Those of single precision are sorted as whole numbers with the place behind them, which is faster.
    """
    if priced.dtype != np.float32:
        return np.argsort(priced, axis=1, kind="stable")
    keys = np.maximum(priced, np.float32(0)).view(np.uint32).astype(np.uint64) << np.uint64(32)
    keys |= np.arange(priced.shape[1], dtype=np.uint64)
    keys.sort(axis=1)
    order: NDArray[np.int64] = (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
    return order
