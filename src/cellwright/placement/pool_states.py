"""Machine states, each kept once: thousands of machines share few of them, so what is known of one serves all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.placement.pool_kinds import KIB, SLICES, SMALL_PAGES, WHOLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cellwright.placement.pool_kinds import Layout


MEMORY_THREADS: Final = 0.25  # what a free GiB counts, in threads
GPU_THREADS: Final = 32.0  # and a free GPU


class States:
    """Distinct pairs of a kind and what is free in each period, numbered in the order in which they were first seen.

    `room` (n,) float64 tells how much is free in the period in which least is, in threads.
    """

    def __init__(self, layout: Layout, periods: int) -> None:
        self._layout = layout
        self._numbers: dict[tuple[int, bytes], int] = {}
        self.kinds = np.zeros(64, dtype=np.int32)
        self.rows = np.zeros((64, periods, layout.width), dtype=np.int64)
        self.room = np.zeros(64)
        self._weight = np.zeros(layout.width)
        for resource, units in enumerate((1.0, KIB / MEMORY_THREADS, SMALL_PAGES / MEMORY_THREADS, 1 / MEMORY_THREADS)):
            self._weight[layout.columns(resource)] = 1 / units
        self._weight[layout.shares] = GPU_THREADS / WHOLE

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, kind: int, row: NDArray[np.int64]) -> int:
        """Return the number of a state, a new one where it was never seen; `row` is (periods, width) int64."""
        key = (kind, row.tobytes())
        known = self._numbers.get(key)
        if known is not None:
            return known
        number = len(self._numbers)
        if number == len(self.kinds):
            self.kinds = np.concatenate([self.kinds, np.zeros_like(self.kinds)])
            self.rows = np.concatenate([self.rows, np.zeros_like(self.rows)])
            self.room = np.concatenate([self.room, np.zeros_like(self.room)])
        self.kinds[number], self.rows[number], self.room[number] = kind, row, self._free(row)
        self._numbers[key] = number
        return number

    def free(self, states: NDArray[np.intp], periods: Sequence[int]) -> NDArray[np.int64]:
        """Return what is free throughout some periods, (m, width) int64."""
        if len(periods) == 1:
            free: NDArray[np.int64] = self.rows[states, periods[0]]
            return free
        return throughout(self.rows[states], periods, self._layout)

    def keep(self, used: NDArray[np.intp]) -> NDArray[np.intp]:
        """Forget all states but `used` (ascending, distinct) and return them: their new numbers are their places."""
        self.kinds, self.rows, self.room = self.kinds[used].copy(), self.rows[used].copy(), self.room[used].copy()
        self._numbers = {
            (int(kind), row.tobytes()): number
            for number, (kind, row) in enumerate(zip(self.kinds, self.rows, strict=True))
        }
        return used

    def _free(self, row: NDArray[np.int64]) -> float:
        slices = np.bitwise_count(row[:, self._layout.slices]).sum(axis=1)
        return float((row @ self._weight + slices * (GPU_THREADS / SLICES)).min())


def throughout(rows: NDArray[np.int64], periods: Sequence[int], layout: Layout) -> NDArray[np.int64]:
    """Return what is free in all of some periods, (m, width) int64; `rows` is (m, periods, width)."""
    rows = rows[:, list(periods)]
    free: NDArray[np.int64] = rows.min(axis=1)
    free[:, layout.slices] = np.bitwise_and.reduce(rows[:, :, layout.slices], axis=1)
    return free
