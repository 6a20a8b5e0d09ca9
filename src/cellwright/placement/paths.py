"""Best paths in words: which links lead from one site to another, and which of them is the narrowest.

How far and how wide everything is, `reach` finds for all sites at once; here a path is traced only when somebody asks
for it.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cellwright.estate.model import Link

_NS_PER_MS: Final = 1e6
_DIGITS: Final = 6  # of a millisecond: nanoseconds
_ESTIMATED: Final = " (estimated from distance)"


@dataclass(frozen=True, slots=True)
class Route:
    """The path of least P99 between two sites, round trip, network only.

    The P99 of a path is the sum of its links' P99: an upper bound, since delays on all links seldom peak together.
    The P50 is the sum of medians along that same path, an estimate.
    """

    p50_ms: float
    p99_ms: float
    links: tuple[str, ...]
    estimated: bool  # a link's figures are reckoned from distance, not measured

    @property
    def source(self) -> str:
        """The links the figures come from."""
        names = "links " + " + ".join(self.links) if self.links else "same site"
        return names + _ESTIMATED * self.estimated


@dataclass(frozen=True, slots=True)
class Pipe:
    """The path of most bandwidth between two sites: its narrowest link and what that carries."""

    gbps: float  # infinite within a site
    narrowest: str


class Paths:
    """Answers about paths in one set of links."""

    def __init__(self, links: Iterable[Link]) -> None:
        self._neighbours: dict[str, list[tuple[str, Link]]] = defaultdict(list)
        for link in sorted(links, key=lambda link: link.name):
            self._neighbours[link.a].append((link.b, link))
            self._neighbours[link.b].append((link.a, link))
        self.estimated = any(link.estimated for links in self._neighbours.values() for _, link in links)
        """Whether any link's figures are reckoned from distance."""
        self._pipes: dict[str, Mapping[str, Pipe]] = {}

    def route(self, source: str, target: str, delays_ms: Callable[[str], tuple[float, float]]) -> Route | None:
        """Return the path of least P99 (then least P50, fewest links, first by name), None where there is none.

        `delays_ms` returns P50 and P99 of the best path from `source` to a site, infinite where there is none: the
        path is traced back along the links that account for these figures.
        """
        p50, p99 = delays_ms(target)
        if math.isinf(p99):
            return None
        ahead: dict[str, tuple[str, Link]] = {}  # the next site and link on the way to the target
        queue = [target]
        for site in queue:
            if site == source:
                break
            for neighbour, link in self._neighbours[site]:
                if (
                    neighbour not in ahead
                    and neighbour != target
                    and _leads(link, delays_ms(neighbour), delays_ms(site))
                ):
                    ahead[neighbour] = site, link
                    queue.append(neighbour)
        links = []
        while source != target:
            source, link = ahead[source]
            links.append(link)
        names = tuple(link.name for link in links)
        return Route(round(p50, _DIGITS), round(p99, _DIGITS), names, any(link.estimated for link in links))

    def pipe(self, source: str, target: str) -> Pipe | None:
        """Return the path of most bandwidth, None where there is none that carries anything."""
        if source not in self._pipes:
            self._pipes[source] = self._most_bandwidth(source)
        return self._pipes[source].get(target)

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


def _leads(link: Link, near: tuple[float, float], far: tuple[float, float]) -> bool:
    """Return whether the best path to the far end of a link is the best one to its near end and then the link."""
    if math.isinf(near[1]):
        return False
    steps = zip(near, (link.rtt_p50_ms, link.rtt_p99_ms), far, strict=True)
    return all(_ns(delay) + _ns(more) == _ns(total) for delay, more, total in steps)


def _ns(delay_ms: float) -> int:
    return round(delay_ms * _NS_PER_MS)
