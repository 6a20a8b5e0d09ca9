from __future__ import annotations

import re
from dataclasses import replace

import incidents
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import Reader

from cellwright.report.timeline import Timeline, timeline


def drawn(view: object) -> Timeline:
    found = timeline(view)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_each_alarm_type_has_a_lane_in_order_of_onset_and_the_root_is_named() -> None:
    found = drawn(incidents.fibre_cut())
    assert [(lane.name, lane.note, lane.is_root) for lane in found.lanes[:2]] == [
        ("LinkDown", "on rtr-1, 3 alarms", True),
        ("Cell<down>", "2 elements, first gnb-1; 2 alarms", False),
    ]
    assert [(lane.aside, lane.name, lane.note) for lane in found.lanes[2:]] == [
        ("counter", "DRB.UEThpDl", "1 object, -92 %"),
        ("log line", "rtrd: no light on port 7", "once"),
        ("log line", "rtrd: load 40 percent", "stands for 90 lines alike"),
    ]


def test_a_lane_says_in_words_what_it_shows() -> None:
    root, cells = (lane.drawing for lane in drawn(incidents.fibre_cut()).lanes[:2])
    assert "LinkDown: on rtr-1, 3 alarms; first 0 s, last 60 s after the first alarm; critical; all cleared" in root
    assert "probable root" in root
    assert "Cell&lt;down&gt;: 2 elements, first gnb-1; 2 alarms; first 12 s, last 66 s" in cells
    assert "1 not cleared" in cells


def test_severity_is_told_by_shape_and_the_root_by_a_ring() -> None:
    root, cells = (lane.drawing for lane in drawn(incidents.fibre_cut()).lanes[:2])
    assert "#mark-critical" in root
    assert "#mark-root" in root
    assert root.count('class="again"') == 2
    assert "#mark-major" in cells
    assert "#mark-indeterminate" in cells
    assert "#mark-root" not in cells
    assert 'class="open"' in cells
    names = dict(drawn(incidents.fibre_cut()).legend)
    assert {"critical", "major", "indeterminate", "root", "again", "open", "cleared", "fall", "log"} <= set(names)


@pytest.mark.parametrize(
    ("types", "elements", "by"), [(1, 9, "element"), (5, 40, "alarm type"), (40, 6, "element"), (40, 60, "alarm type")]
)
def test_lanes_are_what_there_is_less_of_and_the_rest_share_a_named_one(types: int, elements: int, by: str) -> None:
    view = incidents.storm(types, elements)
    found = drawn(view)
    alarms = [lane for lane in found.lanes if not lane.aside]
    names = {span.element if by == "element" else span.alarm_type for span in view.spans}
    assert found.by == by
    assert len(alarms) == min(len(names), 14)
    assert any(lane.is_root for lane in alarms)
    if len(names) > 14:
        assert alarms[-1].name == f"{len(names) - 13} more {by}s"
        assert {lane.name for lane in alarms[:-1]} | set(found.rest) <= names
        assert 13 + len(found.rest) + found.more == len(names)


def test_the_axis_holds_every_alarm_and_clearings_much_later_are_an_arrow() -> None:
    spans = (incidents.span("a", "x", 0, 42, ended=50), incidents.span("b", "x", 7, ended=90_000))
    found = drawn(replace(incidents.view(spans), duration_s=42.0))
    assert "100 s" in found.axis
    assert ["#mark-later" in lane.drawing for lane in found.lanes[:2]] == [False, True]
    assert ["#mark-cleared" in lane.drawing for lane in found.lanes[:2]] == [True, False]


def test_incidents_of_an_instant_and_of_none() -> None:
    assert timeline(incidents.view((incidents.span("a", "x"),))) is None
    assert timeline(incidents.view(())) is None
    found = drawn(incidents.view((incidents.span("a", "x", 0), incidents.span("b", "y"))))
    assert found.untimed == 1
    assert "1 s" in found.axis


SPANS = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 30), st.integers(0, 5_000_000), st.integers(-1, 9_000_000)),
    min_size=1,
    max_size=80,
)


@given(SPANS)
def test_nothing_is_drawn_outside_and_nothing_is_ill_formed(rows: list[tuple[int, int, int, int]]) -> None:
    spans = [
        incidents.span(f"e{element}", f"t{kind}", at, ended=None if more < 0 else at + more)
        for element, kind, at, more in rows
    ]
    found = drawn(incidents.view(tuple(spans)))
    for lane in found.lanes:
        assert Reader(lane.drawing).faults == []
        places = [float(each) for each in re.findall(r' x[12]?="([-\d.]+)%"', lane.drawing)]
        assert all(0 <= each <= 100 for each in places)
        assert len(lane.drawing) < 40_000
