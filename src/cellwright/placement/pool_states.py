"""Machine states, each kept once: thousands of machines share few of them, so what is known of one serves all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cellwright.placement.pool_kinds import Layout


class States:
    """Distinct pairs of a kind and what is free in each period, numbered in the order in which they were first seen."""

    def __init__(self, layout: Layout, periods: int) -> None:
        self._layout = layout
        self._numbers: dict[tuple[int, bytes], int] = {}
        self.kinds = np.zeros(64, dtype=np.int32)
        self.rows = np.zeros((64, periods, layout.width), dtype=np.int64)

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
        self.kinds[number], self.rows[number] = kind, row
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
        self.kinds, self.rows = self.kinds[used].copy(), self.rows[used].copy()
        self._numbers = {
            (int(kind), row.tobytes()): number
            for number, (kind, row) in enumerate(zip(self.kinds, self.rows, strict=True))
        }
        return used


def throughout(rows: NDArray[np.int64], periods: Sequence[int], layout: Layout) -> NDArray[np.int64]:
    """Return what is free in all of some periods, (m, width) int64; `rows` is (m, periods, width)."""
    rows = rows[:, list(periods)]
    free: NDArray[np.int64] = rows.min(axis=1)
    free[:, layout.slices] = np.bitwise_and.reduce(rows[:, :, layout.slices], axis=1)
    return free
