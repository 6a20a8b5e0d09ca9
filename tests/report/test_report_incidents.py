"""Incidents on pages: the report of a run, and the page of a lake's incidents alone."""

from __future__ import annotations

import re
from dataclasses import replace

import incidents
import pytest
import specimen
from reading import Reader

from cellwright.report.lake_page import render_lake
from cellwright.report.model import IncidentLine, LakeReport
from cellwright.report.page import render, stylesheet

SEVERITIES = ("bad", "onprem", "minor", "region", "far_edge", "accent", "good", "muted")


def lake(count: int, found: int) -> LakeReport:
    views = tuple(replace(incidents.fibre_cut(), incident=f"h{number:010}", answer="") for number in range(count))
    lines = tuple(
        IncidentLine(f"h{number:010}", "north", "2026-05-01T10:00:00Z", 66.0, 5, 3, 2, "LinkDown on rtr-1", number % 2)
        for number in range(min(found, 200))
    )
    return LakeReport("north", 5 * found, found, found // 2, lines, views, ("the topology lacks 2 of 3 elements",))


def page(report: LakeReport) -> Reader:
    reader = Reader(render_lake(report))
    assert reader.faults == []
    assert "script" not in reader.tags
    assert [each for each in reader.attributes if each[1].startswith("on") or each[1] == "style"] == []
    targets = {address.removeprefix("#") for _, address in reader.addresses if address.startswith("#")}
    assert targets - reader.ids == set()
    assert {address for _, address in reader.addresses if not address.startswith("#")} <= {"data:,"}
    return reader


def test_an_incident_of_the_report_shows_its_timeline_and_topology() -> None:
    html = render(replace(specimen.report(), incidents=(incidents.fibre_cut(),)))
    reader = Reader(html)
    assert reader.faults == []
    targets = {address.removeprefix("#") for _, address in reader.addresses if address.startswith("#")}
    assert targets - reader.ids == set()
    words = reader.words
    assert "Probable root: LinkDown on rtr-1" in words
    assert "Doubtful: 2 duplicates" in words
    assert "One lane for each alarm type" in words
    assert "1 element unknown to the topology: gnb-2" in words
    assert html.count('class="map"') == 4


def test_an_incident_without_instants_and_links_says_so() -> None:
    view = incidents.view((incidents.span("a", "x"),))
    words = Reader(render(replace(specimen.report(), incidents=(view,)))).words
    assert "No alarm of it says when it came, so there is no timeline." in words


def test_the_page_of_a_lake_lists_what_it_does_not_draw() -> None:
    reader = page(lake(12, 700))
    assert "3,500 alarms in 700 incidents; something is doubtful in 350 of them." in reader.words
    assert "The 200 largest of 700 incidents. The first 12 are drawn below" in reader.words
    assert reader.tags.count("article") == 12
    assert "the topology lacks 2 of 3 elements" in reader.words
    assert render_lake(lake(3, 3)) == render_lake(lake(3, 3))


def test_the_page_of_one_incident_has_no_list_and_that_of_none_says_so() -> None:
    one = page(lake(1, 1))
    assert "list" not in one.ids
    assert one.tags.count("article") == 1
    none = page(LakeReport("north", 0, 0, 0, (), ()))
    assert "The lake holds no alarms, so there is no incident." in none.words


def test_twelve_large_storms_fit_in_a_page_of_two_megabytes() -> None:
    views = tuple(replace(incidents.storm(40, 60), incident=f"h{number:010}") for number in range(12))
    assert len(render_lake(replace(lake(0, 12), incidents=views)).encode()) < 2_000_000


@pytest.mark.parametrize("scheme", [0, 1])
def test_marks_stand_out_from_the_page_in_light_and_dark(scheme: int) -> None:
    """Graphics need 3:1 (WCAG 2.2, success criterion 1.4.11)."""
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6});", stylesheet().split("prefers-color-scheme: dark")[scheme]))
    surface = luminance(colours["surface"])
    for name in SEVERITIES:
        low, high = sorted((surface, luminance(colours[name])))
        assert (high + 0.05) / (low + 0.05) >= 3, name


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * each for each in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
