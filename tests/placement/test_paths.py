from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hypothesis import given
from random_estates import estates
from small_estates import link

from cellwright.estate.model import Link
from cellwright.placement.paths import Paths, Pipe
from cellwright.placement.reach import Reach

if TYPE_CHECKING:
    from cellwright.estate.model import Estate
    from cellwright.placement.paths import Route


def route(links: list[Link], source: str, target: str) -> Route | None:
    """The path that delays over the same links lead along."""
    sites = sorted({end for each in links for end in (each.a, each.b)})
    p50, p99 = Reach(sites, links).delays_ms(source)
    return Paths(links).route(
        source, target, lambda name: (float(p50[sites.index(name)]), float(p99[sites.index(name)]))
    )


def test_a_route_takes_the_path_of_least_p99_not_of_fewest_links() -> None:
    found = route([link("a", "c", 9.0), link("a", "b", 2.0), link("b", "c", 3.0)], "a", "c")
    assert found is not None
    assert (found.p50_ms, found.p99_ms, found.links) == (2.5, 5.0, ("a-b", "b-c"))
    assert found.source == "links a-b + b-c"


def test_sums_of_decimal_delays_stay_decimal() -> None:
    found = route([link("a", "b", 0.1), link("b", "c", 0.2)], "c", "a")
    assert found is not None
    assert found.p99_ms == 0.3


def test_a_site_is_at_itself_without_any_link() -> None:
    found = route([link("a", "b", 1.0)], "a", "a")
    assert found is not None
    assert (found.p99_ms, found.links, found.source) == (0.0, (), "same site")


def test_one_estimated_link_makes_the_path_estimated() -> None:
    links = [link("a", "b", 1.0), link("b", "c", 1.0, estimated=True)]
    near, far = route(links, "a", "b"), route(links, "a", "c")
    assert near is not None
    assert far is not None
    assert (near.estimated, far.estimated) == (False, True)
    assert far.source == "links a-b + b-c (estimated from distance)"


def test_links_without_any_delay_do_not_lead_round_in_circles() -> None:
    links = [link("a", "b", 0.0), link("b", "c", 0.0), link("c", "a", 0.0), link("c", "d", 0.0)]
    found = route(links, "a", "d")
    assert found is not None
    assert found.links == ("c-a", "c-d")


def test_a_pipe_takes_the_widest_path_and_names_its_narrowest_link() -> None:
    paths = Paths([link("a", "c", 1.0, gbps=1), link("a", "b", 5.0, gbps=100), link("b", "c", 5.0, gbps=40)])
    assert paths.pipe("a", "c") == Pipe(40.0, "b-c")
    assert paths.pipe("a", "a") == Pipe(math.inf, "same site")


def test_what_no_link_reaches_has_no_path() -> None:
    links = [link("a", "b", 1.0), link("c", "d", 1.0, gbps=0)]
    assert route(links, "a", "c") is None
    assert Paths(links).pipe("a", "c") is None
    assert Paths(links).pipe("c", "d") is None


def test_parallel_links_and_the_order_of_links_make_no_difference() -> None:
    links = [Link("slow", "a", "b", 1, 9, 100), Link("fast", "a", "b", 1, 2, 1), Link("fast-too", "a", "b", 1, 2, 100)]
    orders = (links, links[::-1], links[1:] + links[:1])
    answers = {(route(order, "a", "b"), Paths(order).pipe("a", "b")) for order in orders}
    assert len(answers) == 1
    found, pipe = answers.pop()
    assert found is not None
    assert found.links == ("fast",)
    assert pipe == Pipe(100, "fast-too")


@given(estates)
def test_the_links_of_a_route_join_its_ends_and_add_up_to_its_figures(built: Estate) -> None:
    sites = sorted(built.sites)
    reach, paths = Reach(sites, built.links.values()), Paths(built.links.values())
    for source in sites:
        _, p99 = reach.delays_ms(source)
        delays = dict(zip(sites, zip(*reach.delays_ms(source), strict=True), strict=True))
        for target in sites:
            found = paths.route(source, target, delays.__getitem__)
            if found is None:
                assert math.isinf(p99[sites.index(target)])
                continue
            here = source
            for name in found.links:
                step = built.links[name]
                here = step.b if step.a == here else step.a
            assert here == target
            steps = [built.links[name] for name in found.links]
            assert found.p99_ms == round(sum(each.rtt_p99_ms for each in steps), 6)
            assert found.p50_ms == round(sum(each.rtt_p50_ms for each in steps), 6)
