"""Best paths over the links: least 99th-percentile delay, and most bandwidth; each source is searched once."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cellwright.estate.model import Link

_DIGITS: Final = 6  # of a millisecond: nanoseconds; sums of decimal figures stay decimal


@dataclass(frozen=True, slots=True)
class Route:
    """The path of least P99 between two sites, round trip, network only.

    The P99 of a path is the sum of its links' P99: an upper bound, since delays on all links seldom peak together.
    The P50 is the sum of medians along that same path, an estimate.
    """

    p50_ms: float
    p99_ms: float
    links: tuple[str, ...]

    @property
    def source(self) -> str:
        """The links the figures come from."""
        return "links " + " + ".join(self.links) if self.links else "same site"


@dataclass(frozen=True, slots=True)
class Pipe:
    """The path of most bandwidth between two sites: its narrowest link and what that carries."""

    gbps: float  # infinite within a site
    narrowest: str


class Paths:
    """Answers about paths in one set of links, remembered for each source."""

    def __init__(self, links: Iterable[Link]) -> None:
        self._neighbours: dict[str, list[tuple[str, Link]]] = defaultdict(list)
        for link in sorted(links, key=lambda link: link.name):
            self._neighbours[link.a].append((link.b, link))
            self._neighbours[link.b].append((link.a, link))
        self._routes: dict[str, Mapping[str, Route]] = {}
        self._pipes: dict[str, Mapping[str, Pipe]] = {}

    def route(self, source: str, target: str) -> Route | None:
        """Return the path of least P99 (then least P50, then first by name), None where there is none."""
        if source not in self._routes:
            self._routes[source] = self._least_delay(source)
        return self._routes[source].get(target)

    def pipe(self, source: str, target: str) -> Pipe | None:
        """Return the path of most bandwidth, None where there is none that carries anything."""
        if source not in self._pipes:
            self._pipes[source] = self._most_bandwidth(source)
        return self._pipes[source].get(target)

    def _least_delay(self, source: str) -> Mapping[str, Route]:
        """Return the route to every site that can be reached (Dijkstra over pairs of P99 and P50)."""
        found: dict[str, Route] = {}
        queue: list[tuple[float, float, str, tuple[str, ...]]] = [(0.0, 0.0, source, ())]
        while queue:
            p99_ms, p50_ms, site, links = heapq.heappop(queue)
            if site in found:
                continue
            found[site] = Route(p50_ms, p99_ms, links)
            for neighbour, link in self._neighbours[site]:
                if neighbour not in found:
                    p99 = round(p99_ms + link.rtt_p99_ms, _DIGITS)
                    p50 = round(p50_ms + link.rtt_p50_ms, _DIGITS)
                    heapq.heappush(queue, (p99, p50, neighbour, (*links, link.name)))
        return found

    def _most_bandwidth(self, source: str) -> Mapping[str, Pipe]:
        """Return the pipe to every site that can be reached (Dijkstra over bottlenecks, widest first)."""
        found: dict[str, Pipe] = {}
        queue: list[tuple[float, str, str]] = [(-math.inf, source, "same site")]
        while queue:
            narrowness, site, narrowest = heapq.heappop(queue)
            if site in found:
                continue
            found[site] = Pipe(-narrowness, narrowest)
            for neighbour, link in self._neighbours[site]:
                if neighbour not in found and link.bandwidth_gbps > 0:
                    step = max((narrowness, narrowest), (-link.bandwidth_gbps, link.name), key=lambda pair: pair[0])
                    heapq.heappush(queue, (step[0], neighbour, step[1]))
        return found
