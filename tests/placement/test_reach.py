from __future__ import annotations

import math
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from small_estates import link

from cellwright.estate.model import Link
from cellwright.placement.reach import Reach

if TYPE_CHECKING:
    from collections.abc import Callable

SITES = tuple("abcdef")
decimals = st.sampled_from([0.0, 0.1, 0.2, 0.7, 1.3, 2.5, 40.0])
awkward = st.sampled_from([1e-6, 0.123457, 3.000001, 99999.999999])


@st.composite
def networks(draw: Callable) -> list[Link]:
    delays = draw(st.sampled_from([decimals, awkward, st.one_of(decimals, awkward)]))
    ends = draw(st.lists(st.tuples(st.sampled_from(SITES), st.sampled_from(SITES)), max_size=10))
    return [
        Link(f"l{place}", a, b, draw(delays), draw(delays), draw(st.sampled_from([0.0, 0.5, 10.0])))
        for place, (a, b) in enumerate(ends)
        if a != b
    ]


def ns(delay_ms: float) -> int:
    return round(delay_ms * 1e6)


def best_first(links: list[Link], source: str) -> dict[str, tuple[int, int]]:
    """P99 and P50 in nanoseconds by Dijkstra's algorithm."""
    found: dict[str, tuple[int, int]] = {}
    queue = [(0, 0, source)]
    while queue:
        p99, p50, site = heappop(queue)
        if site in found:
            continue
        found[site] = p99, p50
        for each in links:
            if site in (each.a, each.b):
                far = each.b if each.a == site else each.a
                heappush(queue, (p99 + ns(each.rtt_p99_ms), p50 + ns(each.rtt_p50_ms), far))
    return found


def widest_first(links: list[Link], source: str) -> dict[str, float]:
    """Bandwidths by the same algorithm over bottlenecks."""
    found: dict[str, float] = {}
    queue = [(-math.inf, source)]
    while queue:
        narrow, site = heappop(queue)
        if site in found or not narrow:
            continue
        found[site] = -narrow
        for each in links:
            if site in (each.a, each.b):
                heappush(queue, (max(narrow, -each.bandwidth_gbps), each.b if each.a == site else each.a))
    return found


@given(networks())
def test_all_sites_at_once_are_as_far_as_one_after_another(links: list[Link]) -> None:
    reach = Reach(SITES, links)
    for source in SITES:
        found = best_first(links, source)
        p50, p99 = reach.delays_ms(source)
        for place, site in enumerate(SITES):
            far99, far50 = found.get(site, (math.inf, math.inf))
            assert (p99[place] * 1e6, p50[place] * 1e6) == (
                np.float64(far99 / 1e6) * 1e6,
                np.float64(far50 / 1e6) * 1e6,
            )


@given(networks())
def test_all_sites_at_once_are_as_wide_as_one_after_another(links: list[Link]) -> None:
    reach = Reach(SITES, links)
    for source in SITES:
        found = widest_first(links, source)
        assert reach.pipes_gbps(source).tolist() == [found.get(site, 0.0) for site in SITES]


@given(networks())
def test_preparing_many_sources_together_changes_no_answer(links: list[Link]) -> None:
    together, alone = Reach(SITES, links), Reach(SITES, links)
    together.prepare(SITES, SITES)
    for source in SITES:
        for one, other in zip(together.delays_ms(source), alone.delays_ms(source), strict=True):
            assert one.tolist() == other.tolist()
        assert together.pipes_gbps(source).tolist() == alone.pipes_gbps(source).tolist()


def test_links_to_unknown_sites_lead_nowhere() -> None:
    reach = Reach(("a", "b"), [link("a", "x", 1.0), link("x", "b", 1.0)])
    assert math.isinf(reach.delays_ms("a")[1][1])
    assert reach.pipes_gbps("a").tolist() == [math.inf, 0.0]


def test_among_paths_of_equal_p99_the_least_p50_counts() -> None:
    links = [Link("x", "a", "b", 3.0, 4.0, 1.0), Link("y", "a", "c", 1.0, 2.0, 1.0), Link("z", "c", "b", 1.0, 2.0, 1.0)]
    p50, p99 = Reach(("a", "b", "c"), links).delays_ms("a")
    assert (p50[1], p99[1]) == (2.0, 4.0)
