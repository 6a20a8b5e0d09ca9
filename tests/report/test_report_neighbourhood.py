from __future__ import annotations

import re
from itertools import combinations, pairwise

import incidents
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import Reader

from cellwright.digest.vicinity import Node, Vicinity
from cellwright.report.layout import place
from cellwright.report.neighbourhood import Neighbourhood, neighbourhood

WIDTH = 330.0


def drawn(elements: int) -> Neighbourhood:
    vicinity = incidents.storm(3, elements).vicinity
    assert vicinity is not None
    return neighbourhood(vicinity)


def test_root_unknown_elements_and_what_lies_between_are_told_apart() -> None:
    vicinity = incidents.fibre_cut().vicinity
    assert vicinity is not None
    found = neighbourhood(vicinity)
    assert found.wide is not None
    assert (
        found.told
        == "3 elements in alarm; 1 element without an alarm between them, with 2 links of the topology among them."
    )
    assert [name for name, _ in found.legend] == ["critical", "major", "indeterminate", "root", "unknown", "quiet"]
    assert found.unknown == ("gnb-2",)
    groups = re.findall(r'<g class="label.*?</g>', found.wide)
    assert ["#mark-root" in group for group in groups] == ["rtr-1" in group for group in groups]
    assert ["#mark-unknown" in group for group in groups] == ["gnb-2" in group for group in groups]
    assert ["#mark-quiet" in group for group in groups] == ["agg-7" in group for group in groups]
    assert found.wide.count('class="wire"') == 2
    assert "no link known to these" in found.wide


def test_it_is_said_in_words_and_well_formed() -> None:
    for picture in (drawn(12).wide, drawn(12).narrow):
        assert picture is not None
        assert Reader(picture).faults == []
        assert "gnb-000 (probable root)" in picture
        assert re.match(r'<svg class="map" role="img"[^>]*><title>.+?</title><desc>.+?</desc>', picture)


def test_of_many_elements_those_near_the_root_are_drawn_and_the_others_named() -> None:
    found = drawn(90)
    assert found.wide is not None
    assert found.wide.count('<g class="label') == 28
    assert len(found.rest) + found.more == 62
    assert f"{len(found.rest)} {found.more}" == "40 22"
    assert "gnb-000" in found.wide


def test_the_same_elements_are_drawn_the_same() -> None:
    assert drawn(30) == drawn(30)


@pytest.mark.parametrize(
    ("nodes", "told_by", "told"),
    [
        (2, "names", "No topology was given, and the names of the 2 elements tell no links"),
        (1, "topology", "All of it is in one element, e0, which the topology lacks."),
    ],
)
def test_where_there_is_nothing_to_draw_a_sentence_says_so(nodes: int, told_by: str, told: str) -> None:
    every = tuple(Node(f"e{at}", 1, None, is_unknown=told_by == "topology") for at in range(nodes))
    found = neighbourhood(Vicinity(every, (), 0, told_by))  # type: ignore[arg-type]
    assert found.wide is None
    assert told in found.told


SIZES = st.lists(st.tuples(st.integers(20, 150), st.integers(30, 60)), min_size=1, max_size=24)


@settings(deadline=None, max_examples=60)
@given(SIZES, st.data())
def test_no_box_lies_over_another_or_beyond_the_edge(sizes: list[tuple[int, int]], data: st.DataObject) -> None:
    end = st.integers(0, len(sizes) - 1)
    links = [pair for pair in data.draw(st.lists(st.tuples(end, end), max_size=40)) if pair[0] != pair[1]]
    centres = place(sizes, links, WIDTH)
    boxes = list(zip(centres, sizes, strict=True))
    for ((x, y), (width, height)), ((a, b), (other, tall)) in combinations(boxes, 2):
        assert abs(x - a) >= (width + other) / 2 - 1 or abs(y - b) >= (height + tall) / 2 - 1
    for (x, y), (width, height) in boxes:
        assert width / 2 - 1 <= x <= WIDTH - width / 2 + 1
        assert y >= height / 2 - 1


def test_what_is_linked_is_nearer_than_what_is_not() -> None:
    centres = place([(20, 20)] * 6, [(at, at + 1) for at in range(5)], 600.0)
    steps = [abs(x - a) + abs(y - b) for (x, y), (a, b) in pairwise(centres)]
    ends = abs(centres[0][0] - centres[-1][0]) + abs(centres[0][1] - centres[-1][1])
    assert max(steps) < ends
