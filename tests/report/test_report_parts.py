from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import specimen
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from cellwright.estate.model import Tier
from cellwright.placement.plan import Dimension, PlannedSite, Rejections
from cellwright.placement.reckoned import Reckoned
from cellwright.report import text
from cellwright.report.costs import cost_kind
from cellwright.report.decisions import decisions, works
from cellwright.report.geography import frame
from cellwright.report.labels import Wanted, arrange
from cellwright.report.map import site_map
from cellwright.report.rejections import grouped
from cellwright.report.svg import SLIVER, Segment, bar, element

COORDINATE = st.tuples(st.floats(-90, 90), st.floats(-180, 180), st.sampled_from(["IT", "IE", "FJ"]))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "?"), (0, "0"), (9.75, "9.75"), (1234.5, "1,234"), (0.00123, "0.00123"), (math.inf, "∞"), (100.0, "100")],
)
def test_numbers_keep_three_digits_and_the_unknown_is_a_question_mark(value: float | None, shown: str) -> None:
    assert text.number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "?"), (0.0, "0.00 EUR/h"), (12.345, "12.35 EUR/h"), (0.00042, "0.00042 EUR/h")]
)
def test_costs_never_round_to_nothing(value: float | None, shown: str) -> None:
    assert text.hourly(value, "EUR") == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "?"), (3.2, "3.2 s"), (754, "12 min 34 s"), (59.99, "60 s"), (7322, "2 h 2 min")]
)
def test_durations_are_said_as_people_do(value: float | None, shown: str) -> None:
    assert text.seconds(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "?"), (600, "600 ms"), (37_600, "37.6 s"), (7_200_003, "2 h"), (216_000_003, "60 h"), (math.inf, "∞ d")],
)
def test_long_latencies_leave_milliseconds_behind(value: float | None, shown: str) -> None:
    assert text.duration(value) == shown


@pytest.mark.parametrize(
    ("value", "unit", "shown"), [(None, "ms", "?"), ("IE", "", "IE"), (14.5, "ms", "14.5 ms"), (math.inf, "h", "∞ h")]
)
def test_measures_carry_their_unit(value: float | str | None, unit: str, shown: str) -> None:
    assert text.measure(value, unit) == shown


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("16 cores", "cores"),
        ("64 GiB memory", "memory"),
        ("2 GPUs L4", "GPUs"),
        ("arriving cores-of-memory", "arriving data"),
        ("licence", "other"),
    ],
)
def test_cost_items_fall_into_kinds(label: str, kind: str) -> None:
    assert cost_kind(label) == kind


def test_an_element_escapes_what_it_holds() -> None:
    assert element("text", "<b>", Markup("<tspan/>"), class_='"x', x=1.0) == (
        '<text class="&#34;x" x="1">&lt;b&gt;<tspan/></text>'
    )


def test_a_bar_shows_shares_of_the_whole() -> None:
    drawn = bar([Segment("a", 1, "s-a"), Segment("none", 0, "s-n"), Segment("b", 2, "s-b")], 4, "three")
    assert '<rect class="s-a" x="0%" width="25%"' in drawn
    assert '<rect class="s-b" x="25%" width="50%"' in drawn
    assert "s-n" not in drawn


def test_a_small_part_of_a_bar_stays_visible_at_the_cost_of_the_largest() -> None:
    drawn = bar([Segment("most", 217, "s-a"), Segment("one", 1, "s-b")], 218, "two", least=SLIVER)
    assert 'x="0%" width="98.8%"' in drawn
    assert 'x="98.8%" width="1.2%"' in drawn


def test_a_bar_of_nothing_is_empty() -> None:
    assert "<rect" not in bar([Segment("a", 0, "s")], 0, "nothing")


def test_rejections_are_grouped_by_codes_with_the_nearest_miss_first() -> None:
    groups = grouped(specimen.plan().placements[1].rejections).groups
    assert [(group.codes, group.size) for group in groups] == [
        (("cost.higher",), 8),
        (("capacity.gpu-memory",), 66),
        (("sovereignty.boundary", "latency.p99"), 134),
    ]
    assert [violation.measured for violation in groups[-1].nearest.violations] == ["IE", 18.5]
    assert (len(groups[-1].sites), groups[-1].unnamed) == (40, 94)


MEASURED = st.one_of(st.none(), st.text(max_size=3), st.floats())
FINDINGS = st.lists(
    st.tuples(st.sampled_from("abc"), st.lists(st.booleans(), min_size=20, max_size=20), MEASURED), max_size=5
)


@given(FINDINGS, st.one_of(st.none(), st.integers(0, 19)))
def test_grouping_loses_no_site_and_agrees_with_site_by_site(
    kinds: list[tuple[str, list[bool], float | str | None]], chosen: int | None
) -> None:
    sites = tuple(PlannedSite(f"s{index:02}", Tier.METRO, "IT", 45.0, 9.0) for index in range(20))
    findings = tuple(specimen.finding(Dimension.LATENCY, code, at, measured, 3.0) for code, at, measured in kinds)
    rejections = Rejections(sites, findings, chosen)
    found = grouped(rejections)
    expected: dict[tuple[str, ...], list[str]] = {}
    for rejection in rejections:
        codes = frozenset(violation.code for violation in rejection.violations)
        expected.setdefault(tuple(sorted(codes)), []).append(rejection.site)
    assert {tuple(sorted(group.codes)): sorted(group.sites) for group in found.groups} == expected
    fewest = [len(group.nearest.violations) for group in found.groups]
    assert fewest == sorted(fewest)
    assert found.more_sites == 0


def test_one_great_miss_is_nearer_than_two_small_ones() -> None:
    sites = tuple(PlannedSite(name, Tier.METRO, "IT", 45.0, 9.0) for name in ("two-small", "one-great"))
    findings = (
        specimen.finding(Dimension.LATENCY, "p99", [True, False], 3.1, 3.0),
        specimen.finding(Dimension.GRAVITY, "bound", [False, True], "bound", "movable"),
        specimen.finding(Dimension.OPERATIONS, "people", [True, False], 1.1, 1.0),
    )
    assert [group.nearest.site for group in grouped(Rejections(sites, findings, None)).groups] == [
        "one-great",
        "two-small",
    ]


def test_figures_that_are_reckoned_site_by_site_rank_too() -> None:
    sites = tuple(PlannedSite(name, Tier.METRO, "IT", 45.0, 9.0) for name in ("far", "near"))
    found = Reckoned(
        Dimension.HARDWARE,
        "hardware.gpus",
        "gpus",
        8.0,
        "GPUs",
        "",
        "",
        np.ones(2, dtype=np.bool_),
        reckon=[1, 7].__getitem__,
    )
    assert grouped(Rejections(sites, (found,), None)).groups[0].nearest.site == "near"


def test_no_more_groups_are_told_of_than_a_reader_can_use() -> None:
    sites = tuple(PlannedSite(f"s{index:02}", Tier.METRO, "IT", 45.0, 9.0) for index in range(32))
    bits = [[bool(index >> bit & 1) for index in range(32)] for bit in range(5)]
    findings = tuple(specimen.finding(Dimension.LATENCY, f"c{bit}", at, 4.0, 3.0) for bit, at in enumerate(bits))
    found = grouped(Rejections(sites, findings, None))
    assert (len(found.groups), found.more_groups, found.more_sites) == (12, 20, 20)
    assert found.groups[0].codes == ()


def test_remaining_sites_are_those_no_dimension_eliminated() -> None:
    plan = specimen.plan()
    for decision in decisions(plan, works(plan)).shown:
        eliminated = sum(number for _, number in decision.eliminated)
        assert eliminated + decision.remaining == len(plan.sites)


LABELS = st.lists(st.tuples(st.floats(0, 640), st.floats(0, 500), st.floats(20, 180), st.floats(14, 60)), max_size=25)


@given(LABELS)
def test_labels_never_overlap_or_leave_the_map(places: list[tuple[float, float, float, float]]) -> None:
    wanted = [Wanted(f"s{index}", *place) for index, place in enumerate(places)]
    boxes = [placed.box for placed in arrange(wanted, [], [], (640, 500))]
    assert all(box.within(640, 500) for box in boxes)
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


@given(st.lists(COORDINATE, min_size=1, max_size=30))
def test_every_country_has_a_map_and_home_lies_on_it(places: list[tuple[float, float, str]]) -> None:
    sites = [
        PlannedSite(f"s{index}", Tier.METRO, country, lat, lon) for index, (lat, lon, country) in enumerate(places)
    ]
    drawn = frame(sites, 640, 50)
    for site in sites:
        x, y = drawn.project(site.lat, site.lon)
        beyond = drawn.clamp(x, y, 10)
        assert all(map(math.isfinite, (x, y)))
        assert beyond is None or (-1e-6 <= beyond[0] <= 640 + 1e-6 and -1e-6 <= beyond[1] <= drawn.height + 1e-6)


def test_a_country_across_the_antimeridian_stays_in_one_piece() -> None:
    sites = [
        PlannedSite("west", Tier.METRO, "FJ", -17.0, 179.5),
        PlannedSite("east", Tier.METRO, "FJ", -17.2, -179.5),
        PlannedSite("middle", Tier.METRO, "FJ", -17.1, 180.0),
    ]
    drawn = frame(sites, 640, 50)
    assert [round(drawn.project(site.lat, site.lon)[0]) for site in sites] == [50, 590, 320]


def test_a_site_abroad_does_not_shrink_the_home_country() -> None:
    plan = specimen.plan()
    home = [site for site in plan.sites if site.jurisdiction == "IT"]
    assert frame(plan.sites, 640, 50) == frame(home, 640, 50)
    assert "IE, 1,8" in site_map(plan, 640, 3)


def test_distances_follow_the_great_circle() -> None:
    sites = [PlannedSite("paris", Tier.METRO, "FR", 48.8566, 2.3522)]
    assert frame(sites, 640, 50).distance_km(51.5074, -0.1278) == pytest.approx(343.6, abs=1)
