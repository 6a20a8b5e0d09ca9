from __future__ import annotations

import math

from small_estates import link

from cellwright.estate.model import Link
from cellwright.placement.paths import Paths, Pipe


def test_a_route_takes_the_path_of_least_p99_not_of_fewest_links() -> None:
    paths = Paths([link("a", "c", 9.0), link("a", "b", 2.0), link("b", "c", 3.0)])
    route = paths.route("a", "c")
    assert route is not None
    assert (route.p50_ms, route.p99_ms, route.links) == (2.5, 5.0, ("a-b", "b-c"))
    assert route.source == "links a-b + b-c"


def test_sums_of_decimal_delays_stay_decimal() -> None:
    paths = Paths([link("a", "b", 0.1), link("b", "c", 0.2)])
    route = paths.route("c", "a")
    assert route is not None
    assert route.p99_ms == 0.3


def test_a_pipe_takes_the_widest_path_and_names_its_narrowest_link() -> None:
    paths = Paths([link("a", "c", 1.0, gbps=1), link("a", "b", 5.0, gbps=100), link("b", "c", 5.0, gbps=40)])
    assert paths.pipe("a", "c") == Pipe(40.0, "b-c")
    assert paths.pipe("a", "a") == Pipe(math.inf, "same site")


def test_what_no_link_reaches_has_no_path() -> None:
    paths = Paths([link("a", "b", 1.0), link("c", "d", 1.0, gbps=0)])
    assert paths.route("a", "c") is None
    assert paths.pipe("a", "c") is None
    assert paths.pipe("c", "d") is None


def test_parallel_links_and_the_order_of_links_make_no_difference() -> None:
    links = [Link("slow", "a", "b", 1, 9, 100), Link("fast", "a", "b", 1, 2, 1), Link("fast-too", "a", "b", 1, 2, 100)]
    answers = {
        (Paths(order).route("a", "b"), Paths(order).pipe("a", "b"))
        for order in (links, links[::-1], links[1:] + links[:1])
    }
    assert len(answers) == 1
    route, pipe = answers.pop()
    assert route is not None
    assert route.links == ("fast",)
    assert pipe == Pipe(100, "fast-too")
