"""Which ordinals of a file are accounted for, in little memory when they come in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Coverage:
    """A set of ordinals as half-open runs that remembers whether any came twice."""

    def __init__(self) -> None:
        self._runs: list[tuple[int, int]] = []

    def add_range(self, start: int, facts: int) -> None:
        """Account for `facts` ordinals from `start` on."""
        if facts > 0:
            last = self._runs[-1] if self._runs else None
            if last and last[1] == start:
                self._runs[-1] = (last[0], start + facts)
            else:
                self._runs.append((start, start + facts))

    def add(self, ordinals: NDArray[np.int64]) -> None:
        """Account for single ordinals."""
        steps = np.diff(ordinals)
        if len(ordinals) and (steps == 1).all():
            self.add_range(int(ordinals[0]), len(ordinals))
            return
        ordered = np.sort(ordinals)
        breaks = np.flatnonzero(np.diff(ordered) != 1) + 1
        for run in np.split(ordered, breaks) if len(ordered) else []:
            self.add_range(int(run[0]), len(run))

    def gaps(self, raw: int) -> list[tuple[int, int]]:
        """Return (start, facts) of what is missing from 0 to raw-1."""
        gaps = []
        reached = 0
        for start, end in [*sorted(self._runs), (raw, raw)]:
            if reached < min(start, raw):
                gaps.append((reached, min(start, raw) - reached))
            reached = max(reached, end)
        return gaps

    def is_exact(self, raw: int) -> bool:
        """Return whether 0 to raw-1 are covered, each once, and nothing else."""
        runs = sorted(self._runs)
        ends = [0, *(end for _, end in runs)]
        return [start for start, _ in runs] == ends[:-1] and ends[-1] == raw
