"""Public topologies: each becomes an estate that passes the check; coordinates and distances are sane."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.errors import Severity
from cellwright.estate.model import Location
from cellwright.estate.parsing import parse
from cellwright.inventory.distance import (
    FIBRE_PER_KM_MS,
    PATH_MS,
    PER_KM_MS,
    great_circle_km,
    link_rtt_ms,
    mean_hops,
)
from cellwright.inventory.documents import to_files
from cellwright.inventory.formats.graphs import INVENTORY
from cellwright.inventory.model import Options, Source
from cellwright.inventory.placing import place

DATA = Path(os.environ.get("CELLWRIGHT_DATA") or Path(__file__).parents[3] / "shared/data")
LATITUDES = st.floats(-85, 85)
LONGITUDES = st.floats(-180, 180)
PLACES = st.builds(Location, LATITUDES, LONGITUDES)


def topologies() -> list[Path]:
    folder = DATA / "topologies"
    found = sorted(path for path in folder.glob("*") if path.suffix in {".gml", ".graphml"}) if folder.is_dir() else []
    return found or [folder / "none.gml"]


@pytest.mark.data
@pytest.mark.parametrize("path", topologies(), ids=lambda path: path.stem)
def test_every_public_topology_becomes_an_estate_that_passes_the_check(path: Path) -> None:
    if not path.is_file():
        pytest.skip(f"no public data at {path.parent}: set CELLWRIGHT_DATA")
    text = path.read_bytes()
    imported = INVENTORY.documents([Source(path.name, text)], Options(jurisdiction="XK"))
    assert [item for item in imported.diagnostics if item.severity is Severity.ERROR] == []
    parsed = parse(list(to_files(imported.documents, path.name).items()))
    assert parsed.diagnostics == ()
    assert parsed.estate is not None
    assert len(parsed.estate.sites) == text.count(b"node [") + text.count(b"<node ")
    assert all(link.estimated for link in parsed.estate.links.values())
    for link in parsed.estate.links.values():
        km = great_circle_km(parsed.estate.sites[link.a].location, parsed.estate.sites[link.b].location)
        assert link.rtt_p99_ms >= link.rtt_p50_ms >= km * FIBRE_PER_KM_MS


@pytest.mark.data
def test_a_topology_whose_nodes_name_no_country_needs_one_from_the_user() -> None:
    path = DATA / "topologies" / "Garr201201.gml"
    if not path.is_file():
        pytest.skip(f"no public data at {path.parent}: set CELLWRIGHT_DATA")
    imported = INVENTORY.documents([Source(path.name, path.read_bytes())], Options())
    (problem,) = imported.diagnostics
    assert (problem.code, imported.documents) == ("no-jurisdiction", ())
    assert "13 sites" in problem.message
    assert "--jurisdiction XX" in str(problem.hint)


def test_the_committed_constants_are_those_of_the_fit_and_slower_than_light_in_fibre() -> None:
    assert (PATH_MS, PER_KM_MS) == (3.010, 0.015264)
    assert PER_KM_MS > FIBRE_PER_KM_MS


@given(PLACES, PLACES)
def test_distance_is_symmetric_and_at_most_half_way_round(a: Location, b: Location) -> None:
    km = great_circle_km(a, b)
    assert km == pytest.approx(great_circle_km(b, a))
    assert 0 <= km <= math.pi * 6371.01


def test_distance_agrees_with_known_ones() -> None:
    assert great_circle_km(Location(0, 0), Location(0, 180)) == pytest.approx(20015.1, rel=1e-4)
    assert great_circle_km(Location(52.2296756, 21.0122287), Location(52.406374, 16.9251681)) == pytest.approx(
        278.458, rel=1e-4
    )


@given(st.integers(1, 30), st.floats(1, 2000))
def test_a_chain_of_links_takes_about_as_long_as_the_whole_path(hops: int, km: float) -> None:
    names = [f"n{index:02}" for index in range(hops + 1)]
    neighbours = {
        name: [other for other in (names[i - 1] if i else None, names[i + 1] if i < hops else None) if other]
        for i, name in enumerate(names)
    }
    mean = mean_hops(neighbours)
    total = hops * link_rtt_ms(km / hops, mean)
    path = link_rtt_ms(km, 1.0)
    assert path <= total <= path + 2.1 * PATH_MS  # the longest path has less than thrice the mean


@given(st.dictionaries(st.sampled_from("abcdef"), PLACES, min_size=1, max_size=4), st.data())
def test_places_are_found_exactly_where_a_way_leads_to_a_known_one(
    known: dict[str, Location], data: st.DataObject
) -> None:
    names = "abcdefghij"
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), max_size=15))
    neighbours: dict[str, list[str]] = {name: [] for name in names}
    for a, b in pairs:
        if a != b and b not in neighbours[a]:
            neighbours[a].append(b)
            neighbours[b].append(a)
    placed = place(known, neighbours)
    reached, frontier = set(known), list(known)
    while frontier:
        for other in neighbours[frontier.pop()]:
            if other not in reached:
                reached.add(other)
                frontier.append(other)
    assert set(placed) <= reached - set(known)
    assert all(-90 <= at.lat <= 90 and -180 <= at.lon <= 180 for at in placed.values())
    if len(set(known.values())) == 1:
        assert set(placed) == reached - set(known)


def test_a_chain_between_two_known_places_is_spaced_evenly() -> None:
    known = {"a": Location(45, 0), "d": Location(45, 30)}
    placed = place(known, {"a": ["b"], "b": ["a", "c"], "c": ["b", "d"], "d": ["c"]})
    steps = [
        great_circle_km(x, y)
        for x, y in zip([known["a"], placed["b"], placed["c"]], [placed["b"], placed["c"], known["d"]], strict=True)
    ]
    assert max(steps) / min(steps) == pytest.approx(1, abs=0.02)


def test_places_on_both_sides_of_the_date_line_meet_there() -> None:
    placed = place({"a": Location(0, 179), "b": Location(0, -179)}, {"a": ["m"], "b": ["m"], "m": ["a", "b"]})
    assert abs(placed["m"].lon) == pytest.approx(180)
