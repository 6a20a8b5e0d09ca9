"""How far and how wide every site is from the sites that matter, for thousands of sites at once.

The same answers as `paths` gives one by one with its words. All sources are relaxed together, link by link, until
nothing gets better (Bellman 1958, Ford 1956): as many rounds as the longest best path has links, and each round is one
vector operation a link.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from cellwright.estate.model import Link

_NO_PATH: Final = np.int64(2**62)
_NS_PER_MS: Final = 1e6  # round trips are kept to the nanosecond, as in `paths`


class Reach:
    """Round trips and bandwidths between sites; each source is searched once, many at a time when asked to prepare."""

    def __init__(self, sites: Sequence[str], links: Iterable[Link]) -> None:
        self._index = {name: index for index, name in enumerate(sites)}
        known = sorted((link for link in links if {link.a, link.b} <= self._index.keys()), key=lambda link: link.name)
        self._ends = [(self._index[link.a], self._index[link.b]) for link in known]
        self._p50 = [round(link.rtt_p50_ms * _NS_PER_MS) for link in known]
        self._p99 = [round(link.rtt_p99_ms * _NS_PER_MS) for link in known]
        self._gbps = [link.bandwidth_gbps for link in known]
        self._delays: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        self._pipes: dict[str, NDArray[np.float64]] = {}

    def prepare(self, delays: Iterable[str], pipes: Iterable[str]) -> None:
        """Search from all these sources at once: far faster than one after another."""
        self._search_delays(sorted(set(delays) - self._delays.keys()))
        self._search_pipes(sorted(set(pipes) - self._pipes.keys()))

    def delays_ms(self, source: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return P50 and P99, (n_sites,) float64 ms, along the path of least P99 (then P50); infinite: no path."""
        if source not in self._delays:
            self._search_delays([source])
        return self._delays[source]

    def pipes_gbps(self, source: str) -> NDArray[np.float64]:
        """Return the bandwidth of the widest path, (n_sites,) float64 Gbit/s; 0: no path, infinite: the source."""
        if source not in self._pipes:
            self._search_pipes([source])
        return self._pipes[source]

    def _search_delays(self, sources: list[str]) -> None:
        """Keep the delays from `sources`; P99 and P50 are relaxed as one integer where both fit, P99 above P50."""
        if not sources:
            return
        step = math.gcd(*self._p50, *self._p99) or 1
        scale = sum(self._p50) // step + 1  # above any path's P50: no sum of P50 reaches into P99's part
        if scale * (sum(self._p99) // step + 1) < _NO_PATH:
            costs = [p99 // step * scale + p50 // step for p50, p99 in zip(self._p50, self._p99, strict=True)]
            best = self._relaxed(sources, costs)
            p99, p50 = np.divmod(best, scale)
            p99, p50 = (np.where(best < _NO_PATH, part * float(step), np.inf) for part in (p99, p50))
        else:
            p50, p99 = self._relaxed_in_pairs(sources)
        for source, row50, row99 in zip(sources, p50 / _NS_PER_MS, p99 / _NS_PER_MS, strict=True):
            self._delays[source] = row50, row99

    def _origins(self, sources: list[str]) -> tuple[list[int], list[int]]:
        """Return the places of the sources in an array over (sites, sources); one that is no site has none."""
        known = [(self._index[source], column) for column, source in enumerate(sources) if source in self._index]
        return [row for row, _ in known], [column for _, column in known]

    def _relaxed(self, sources: list[str], costs: list[int]) -> NDArray[np.int64]:
        """Return the least sums of `costs`, (n_sources, n_sites) int64."""
        best = np.full((len(self._index), len(sources)), _NO_PATH)
        best[self._origins(sources)] = 0
        links = list(zip(self._ends, costs, strict=True))
        moved = [True] * len(best)
        while any(moved):
            before = best.copy()
            for (a, b), cost in links:
                if moved[a] or moved[b]:
                    np.minimum(best[b], best[a] + cost, out=best[b])
                    np.minimum(best[a], best[b] + cost, out=best[a])
            links.reverse()
            moved = (before != best).any(axis=1).tolist()
        return np.ascontiguousarray(best.T)

    def _relaxed_in_pairs(self, sources: list[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return P50 and P99 in nanoseconds where the two do not fit into one number exactly."""
        p99 = np.full((len(self._index), len(sources)), np.inf)
        p99[self._origins(sources)] = 0.0
        p50 = p99.copy()
        links = list(zip(self._ends, self._p50, self._p99, strict=True))
        changed = True
        while changed:
            changed = False
            for (a, b), add50, add99 in links:
                for near, far in ((a, b), (b, a)):
                    new99, new50 = p99[near] + add99, p50[near] + add50
                    better = (new99 < p99[far]) | ((new99 == p99[far]) & (new50 < p50[far]))
                    if better.any():
                        changed = True
                        p99[far][better], p50[far][better] = new99[better], new50[better]
            links.reverse()
        return np.ascontiguousarray(p50.T), np.ascontiguousarray(p99.T)

    def _search_pipes(self, sources: list[str]) -> None:
        """Keep the widest paths from `sources`."""
        if not sources:
            return
        best = np.zeros((len(self._index), len(sources)))
        best[self._origins(sources)] = np.inf
        links = list(zip(self._ends, self._gbps, strict=True))
        moved = [True] * len(best)
        while any(moved):
            before = best.copy()
            for (a, b), gbps in links:
                if moved[a] or moved[b]:
                    np.maximum(best[b], np.minimum(best[a], gbps), out=best[b])
                    np.maximum(best[a], np.minimum(best[b], gbps), out=best[a])
            links.reverse()
            moved = (before != best).any(axis=1).tolist()
        self._pipes |= zip(sources, np.ascontiguousarray(best.T), strict=True)
