from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import atlas
import pytest
from reading import Reader

from cellwright.errors import UsageError
from cellwright.policy.residency import Outcome, may_leave
from cellwright.report.picture import draw_html, draw_svg, scene
from cellwright.report.picture.chart import chart, panels
from cellwright.report.picture.links import MOST_BUNDLES, MOST_LINES
from cellwright.report.picture.reach import Verdict, reaches, together
from cellwright.report.picture.scene import MOST_PANELS

HOSTILE = "<script>alert(1)</script>\"'&amp;"
SIZES = (1, 5, 218, 1500)
_OUTCOMES = {
    Outcome.ALLOWED: Verdict.ALLOWED,
    Outcome.NEEDS_REVIEW: Verdict.REVIEW,
    Outcome.FORBIDDEN: Verdict.FORBIDDEN,
}


@pytest.mark.parametrize("sites", SIZES)
def test_the_page_is_whole_and_loads_and_runs_nothing(sites: int) -> None:
    reader = Reader(draw_html(scene(atlas.estate(sites), "A network")))
    assert reader.faults == []
    assert "script" not in reader.tags
    assert [address for address in reader.addresses if not address[1].startswith("#")] == [("link", "data:,")]
    assert [each for each in reader.attributes if each[1].startswith("on") or each[1] == "style"] == []


@pytest.mark.parametrize("sites", SIZES)
def test_the_drawing_is_well_formed_and_refers_to_nothing(sites: int) -> None:
    drawing = draw_svg(scene(atlas.estate(sites), "A network"))
    root = ET.fromstring(drawing)  # noqa: S314 - written by this program
    assert root.tag.endswith("svg")
    assert not re.search(r"href|url\(|@import|<script|\sstyle=", drawing)
    assert "prefers-color-scheme: dark" in drawing


def test_the_same_estate_gives_the_same_bytes() -> None:
    drawn = [draw_svg(scene(atlas.estate(60), "A")) + draw_html(scene(atlas.estate(60), "A")) for _ in range(2)]
    assert drawn[0] == drawn[1]


def test_who_does_not_see_the_picture_is_told_what_it_shows() -> None:
    drawing = draw_svg(scene(atlas.estate(40), "A network"))
    assert (
        "<title>A network</title><desc>40 sites: 8 region, 8 metro, 8 on-premises, 8 AI factory and 8 far edge. "
        in drawing
    )
    assert "39 links, 20 of them estimated from distance. 8 datasets." in drawing
    page = draw_html(scene(atlas.estate(40), "A network"))
    assert re.findall(r"<svg[^>]*role=\"img\"[^>]*>(?!<title>)", page) == []
    assert page.count("<table") == page.count("<caption")


def test_links_are_as_wide_as_their_bandwidth_and_dashed_where_estimated() -> None:
    drawing = draw_svg(scene(atlas.estate(9), "A"))
    measured = re.findall(r'class="link" d="[^"]*" stroke-width="([\d.]+)"', drawing)
    estimated = re.findall(r'class="link estimated" d="[^"]*" stroke-width="([\d.]+)"', drawing)
    assert set(measured) >= {"0.7", "2"}
    assert set(estimated) >= {"1.1", "3.2"}
    assert "estimated from distance" in Reader(draw_html(scene(atlas.estate(9), "A"))).words


def test_all_datasets_of_a_small_estate_are_named_at_their_homes_in_the_colour_of_their_class() -> None:
    drawing = draw_svg(scene(atlas.estate(5, datasets=5), "A"))
    for index, kind in enumerate(atlas.CLASSES[:5]):
        assert re.search(rf'class="square s-{kind}">. </tspan>data-{index:03}', drawing)


def test_verdicts_are_those_of_the_policy_for_every_dataset_and_site() -> None:
    estate = atlas.estate(30, datasets=24, countries=("IT", "IT", "FR"))
    sites = tuple(estate.sites.values())
    found = reaches(estate, tuple(estate.datasets.values()), sites)
    assert sum(len(reach.datasets) for reach in found) == 24
    for reach in found:
        for dataset, (verdict, site) in itertools.product(reach.datasets, zip(reach.verdicts, sites, strict=True)):
            rules = estate.regulations.values()
            expected = may_leave(dataset, estate.sites[dataset.home], site, rules).outcome
            assert verdict is _OUTCOMES[expected]


def test_data_together_may_go_where_each_of_it_may() -> None:
    estate = atlas.estate(30, datasets=24, countries=("IT", "FR"))
    found = reaches(estate, tuple(estate.datasets.values()), tuple(estate.sites.values()))
    for index, verdict in enumerate(together(found)):
        assert verdict is max(reach.verdicts[index] for reach in found)


def test_a_class_that_no_regulation_names_stays_on_the_premises_until_a_review() -> None:
    estate = replace(atlas.estate(10), regulations={})
    found = reaches(estate, tuple(estate.datasets.values()), tuple(estate.sites.values()))
    assert all(Verdict.FORBIDDEN not in reach.verdicts for reach in found)
    assert any(Verdict.REVIEW in reach.verdicts for reach in found)
    assert "no regulation names the class" in draw_html(scene(estate, "A"))


def test_ten_thousand_sites_are_thinned_out_and_the_picture_says_so() -> None:
    shown = scene(atlas.estate(10_000, datasets=50), "A network")
    drawing, page = draw_svg(shown), draw_html(shown)
    assert len(drawing) < 1_500_000
    assert len(page) < 2_000_000
    words = Reader(page).words
    assert re.search(r"9,\d{3} sites of 10,000 drawn as dots", words)
    assert re.search(rf"links drawn as {MOST_BUNDLES} bundles|links drawn as \d+ bundles", words)
    assert "datasets not named on the map" in words


def test_bundles_lose_no_bandwidth_between_far_places() -> None:
    shown = scene(atlas.estate(MOST_LINES + 200), "A")
    drawn = chart(shown, 640)
    assert len(drawn.bundles) <= MOST_BUNDLES
    assert sum(bundle.links for bundle in drawn.bundles) <= len(shown.links)
    assert sum(bundle.gbps for bundle in drawn.bundles) <= sum(link.bandwidth_gbps for link in shown.links)


def test_small_maps_are_few_and_the_table_has_the_rest() -> None:
    shown = scene(atlas.estate(40, datasets=60, countries=("IT", "FR", "DE", "ES")), "A")
    assert len(shown.reaches) > MOST_PANELS
    assert len(panels(shown)) == MOST_PANELS
    words = Reader(draw_html(shown)).words
    assert f"The {MOST_PANELS} most confined of {len(shown.reaches)} kinds of data" in words
    assert all(name in words for name in ("data-000", "data-059"))


def test_a_site_in_focus_shows_its_neighbours_and_what_may_come_there() -> None:
    estate = atlas.estate(40)
    shown = scene(estate, "A", "site-00002")
    assert {site.name for site in shown.sites} == set(estate.sites)  # through the hub, all are next to it
    words = Reader(draw_html(scene(estate, "A", "site-00000"))).words
    assert "site-00000: region in IT, controlled by the provider" in words
    assert "Never: data-001 and data-002." in words
    assert "After a legal review: data-003 and data-004." in words


def test_a_workload_in_focus_shows_where_all_its_data_may_be_together() -> None:
    shown = scene(atlas.estate(40), "A", "reader")
    assert shown.joint is not None
    assert next(panel.title for panel in panels(shown)) == "All of it together"
    words = Reader(draw_html(shown)).words
    assert "reader: context creation, answers within 50 ms (P99)." in words
    assert re.search(r"All its data may be together at \d+ of 40 sites", words)
    assert "its users and data" in draw_svg(shown)


def test_an_unknown_focus_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'site-00003'"):
        scene(atlas.estate(5), "A", "site-0003")


@pytest.mark.parametrize(("sites", "told"), [(0, "The estate names no site."), (5, "The estate names no dataset.")])
def test_an_estate_without_sites_or_data_says_so(sites: int, told: str) -> None:
    shown = scene(atlas.estate(sites, datasets=0), "Bare")
    page = draw_html(shown)
    assert told in Reader(page).words
    assert Reader(page).faults == []
    ET.fromstring(draw_svg(shown))  # noqa: S314 - written by this program


def test_hostile_names_stay_text() -> None:
    shown = scene(atlas.estate(5, name=HOSTILE), HOSTILE)
    reader = Reader(draw_html(shown))
    assert reader.faults == []
    assert "script" not in reader.tags
    root = ET.fromstring(draw_svg(shown))  # noqa: S314 - written by this program
    assert not [each for each in root.iter() if each.tag.endswith("script")]


def test_every_class_and_tier_has_a_colour_in_both_schemes() -> None:
    style = draw_svg(scene(atlas.estate(1), "A"))
    for name in (*atlas.CLASSES, *atlas.TIERS):
        assert len(re.findall(rf"--{name}: #", style)) >= 2
