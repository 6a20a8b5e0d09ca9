"""The map of sites and placements as one SVG: marks by tier, labels of what is placed, notes for what lies abroad."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from cellwright.estate.model import Tier
from cellwright.report.captions import Caption, captions
from cellwright.report.geography import frame
from cellwright.report.graticule import graticule, scale_bar
from cellwright.report.spots import dots, marked, spots, stipple, thinned, told
from cellwright.report.stations import busiest, stations, weight
from cellwright.report.svg import element, short
from cellwright.report.text import count, listed, phrase, plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cellwright.placement.plan import Plan
    from cellwright.report.spots import Spot
    from cellwright.report.stations import Station

_MOST_ABROAD: Final = 8  # sites beyond the edge that are named though nothing is placed there
_MOST_NAMED: Final = 40  # sites that ask for a label
_CROWDED: Final = 20  # sites that run something, above which labels are names alone, and fewer
_MOST_CALLS: Final = 300  # lines between sites
_MOST_DESCRIBED: Final = 12  # sites in the description for those who do not see it


def site_map(plan: Plan, width: float, workload_lines: int) -> Markup:
    """Return the map, `width` px wide; labels name up to `workload_lines` workloads below their site."""
    if not plan.sites:
        return Markup("")
    drawn = frame(plan.sites, width, padding=width * 0.08)
    every = stations(plan)
    by_weight = sorted(every, key=weight)
    found = spots(plan.sites, {station.site.name: station.lines for station in by_weight}, drawn)
    lines = graticule(drawn)
    named = captions(_captions(found, by_weight, workload_lines), found, [line.box for line in lines], drawn)
    body = [
        element("title", "Map of sites and placements"),
        element("desc", _description(plan, every)),
        ground(found, width),
        *(line.draw() for line in lines),
        *_calls(plan, {spot.name: spot for spot in found}),
        *dots(found),
        *(marked(spot, _told(spot), (width / 2, drawn.height / 2)) for spot in found if not spot.dot),
        *named,
        scale_bar(drawn),
    ]
    return element("svg", *body, class_="map", role="img", viewBox=f"0 0 {short(width)} {short(drawn.height)}")


def ground(found: Sequence[Spot], width: float) -> Markup:
    """Return the area around sites: it stands in for the outline of a country, which no document here has."""
    here = (spot for spot in found if spot.distance_km is None)
    return stipple(thinned(here, width * 0.02), "ground", width * 0.09)


def abroad(spot: Spot) -> tuple[str, ...]:
    """Return the line that says how far away a site beyond the edge is, none for others."""
    if spot.distance_km is None:
        return ()
    return (f"{spot.site.jurisdiction}, {count(round(spot.distance_km, -1))} km away",)


def _told(spot: Spot) -> str:
    if not spot.runs:
        return told(spot)
    more = len(spot.runs) - _MOST_DESCRIBED
    shown = [*spot.runs[:_MOST_DESCRIBED], *([f"{more:,} more workloads"] if more > 0 else ())]
    return f"{told(spot)}: {listed(shown)}"


def _description(plan: Plan, every: tuple[Station, ...]) -> str:
    tiers = Counter(site.tier for site in plan.sites)
    sites = listed(f"{tiers[tier]:,} {phrase(tier)}" for tier in Tier if tiers[tier])
    placed = [f"{station.site.name}: {station.told}" for station in busiest(every, _MOST_DESCRIBED)]
    more = len(every) - len(placed)
    rest = f"; {plural(more, 'more site runs', 'more sites run')} workloads" if more else ""
    return f"{plural(len(plan.sites), 'site')}: {sites}. Placed: {'; '.join(placed) or 'nothing'}{rest}."


def _captions(found: Sequence[Spot], by_weight: Sequence[Station], workload_lines: int) -> list[Caption]:
    """Return what asks for a label: the busiest sites, and some of those beyond the edge."""
    spot_of = {spot.name: spot for spot in found}
    crowded = len(by_weight) > _MOST_NAMED
    workload_lines = 0 if len(by_weight) > _CROWDED else workload_lines
    near = [spot_of[station.site.name] for station in by_weight[: _CROWDED if crowded else _MOST_NAMED]]
    away = [spot for spot in found if spot.distance_km is not None and not spot.runs][:_MOST_ABROAD]
    return [Caption(spot, spot.name, (*abroad(spot), *_runs(spot, workload_lines))) for spot in (*near, *away)]


def _runs(spot: Spot, workload_lines: int) -> tuple[str, ...]:
    shown = spot.runs[:workload_lines]
    more = len(spot.runs) - len(shown)
    return (*shown, f"+ {more:,} more") if shown and more else shown


def _calls(plan: Plan, found: dict[str, Spot]) -> Iterator[Markup]:
    """Yield a line for each call between two sites, a hybrid placement; of many, those that most replicas make."""
    ends = Counter(
        tuple(sorted((placement.site, site)))
        for placement in plan.placements
        for _, site, _ in placement.calls
        if placement.site and site and placement.site != site
    )
    for start, end in sorted(ends, key=lambda pair: (-ends[pair], pair))[:_MOST_CALLS]:
        if start in found and end in found:
            yield element("path", class_="call", d=_arc(found[start], found[end]))


def _arc(start: Spot, end: Spot) -> str:
    bend_x = (start.x + end.x) / 2 - (end.y - start.y) * 0.15
    bend_y = (start.y + end.y) / 2 + (end.x - start.x) * 0.15
    middle = f"{short(bend_x)} {short(bend_y)}"
    return f"M{short(start.x)} {short(start.y)}Q{middle} {short(end.x)} {short(end.y)}"
