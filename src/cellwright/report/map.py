"""The map of sites and placements as one SVG: marks by tier, labels of what is placed, notes for what lies abroad."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from cellwright.estate.model import Tier
from cellwright.report.geography import frame
from cellwright.report.graticule import graticule, scale_bar
from cellwright.report.labels import Box, Placed, Wanted, arrange
from cellwright.report.svg import element, mark, short
from cellwright.report.text import count, listed, phrase, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cellwright.placement.plan import Plan, PlannedSite
    from cellwright.report.geography import Frame

_NAME_PX: Final = 7.9  # advance of a character of a name, at 12 px semibold, with room for wide letters
_LINE_PX: Final = 6.6  # the same at 11 px
_NAME_LINE: Final = 15.0  # px
_WORK_LINE: Final = 13.5  # px
_TOO_NEAR: Final = 14.0  # px between two marks
_MARGIN: Final = 18.0  # px from the edge to a mark of a site beyond it
_FOOT: Final = 26.0  # px kept free below for the scale
_SIZES: Final = {"placed": 6.5, "free": 4.5}  # px, half the height of a mark
_MOST_ABROAD: Final = 8  # sites beyond the edge that are named though nothing is placed there


@dataclass(frozen=True, slots=True)
class Station:
    """A site that runs something."""

    site: PlannedSite
    workloads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Spot:
    """A site on the drawing; `distance_km` is set where it lies beyond the edge."""

    site: PlannedSite
    x: float
    y: float
    workloads: tuple[str, ...]
    distance_km: float | None

    @property
    def name(self) -> str:
        return self.site.name

    @property
    def kind(self) -> str:
        return "placed" if self.workloads else "free"


def site_map(plan: Plan, width: float, workload_lines: int) -> Markup:
    """Return the map, `width` px wide; labels name up to `workload_lines` workloads below their site."""
    if not plan.sites:
        return Markup("")
    drawn = frame(plan.sites, width, padding=width * 0.08)
    used = {station.site.name: station.workloads for station in stations(plan)}
    spots = _apart([_spot(site, used.get(site.name, ()), drawn) for site in plan.sites])
    lines = graticule(drawn)
    labels = _labels(spots, [line.box for line in lines], drawn, workload_lines)
    by_name = {spot.name: spot for spot in spots}
    body = [
        element("title", "Map of sites and placements"),
        element("desc", _description(plan, spots)),
        _ground(spots, width),
        *(line.draw() for line in lines),
        *_calls(plan, by_name),
        _dots(spots),
        *(_site(spot, (width / 2, drawn.height / 2)) for spot in spots if not _is_dot(spot)),
        *(_label(placed, by_name[placed.wanted.name], workload_lines) for placed in labels),
        scale_bar(drawn),
    ]
    return element("svg", *body, class_="map", role="img", viewBox=f"0 0 {short(width)} {short(drawn.height)}")


def stations(plan: Plan) -> tuple[Station, ...]:
    """Return the sites that run something, by tier and name."""
    used: dict[str, list[str]] = {}
    for placement in plan.placements:
        if placement.site is not None:
            used.setdefault(placement.site, []).append(placement.workload)
    order = list(Tier)
    found = (Station(site, tuple(used[site.name])) for site in plan.sites if site.name in used)
    return tuple(sorted(found, key=lambda station: (order.index(station.site.tier), station.site.name)))


def _spot(site: PlannedSite, workloads: tuple[str, ...], drawn: Frame) -> _Spot:
    x, y = drawn.project(site.lat, site.lon)
    edge = drawn.clamp(x, y, _MARGIN)
    if edge is None:
        return _Spot(site, x, y, workloads, None)
    return _Spot(site, *edge, workloads, drawn.distance_km(site.lat, site.lon))


def _apart(spots: list[_Spot]) -> list[_Spot]:
    """Return the spots with marks that would cover each other, such as two sites of one campus, side by side."""
    clusters: list[list[_Spot]] = []
    for spot in (spot for spot in spots if not _is_dot(spot)):
        near = (
            cluster for cluster in clusters if math.dist((spot.x, spot.y), (cluster[0].x, cluster[0].y)) < _TOO_NEAR
        )
        found = next(near, None)
        if found is None:
            clusters.append([spot])
        else:
            found.append(spot)
    dots = [spot for spot in spots if _is_dot(spot)]
    return dots + [
        replace(spot, x=spot.x + (index - (len(cluster) - 1) / 2) * _TOO_NEAR)
        for cluster in clusters
        for index, spot in enumerate(cluster)
    ]


def _description(plan: Plan, spots: Iterable[_Spot]) -> str:
    tiers = Counter(site.tier for site in plan.sites)
    sites = listed(f"{tiers[tier]:,} {phrase(tier)}" for tier in Tier if tiers[tier])
    placed = "; ".join(f"{spot.name}: {listed(spot.workloads)}" for spot in spots if spot.workloads)
    return f"{plural(len(plan.sites), 'site')}: {sites}. Placed: {placed or 'nothing'}."


def _is_dot(spot: _Spot) -> bool:
    return spot.site.tier is Tier.FAR_EDGE and not spot.workloads and spot.distance_km is None


def _stipple(spots: Iterable[_Spot], style: str, width: float) -> Markup:
    """Return one path of round dots: a short stroke with round caps each, far smaller than a circle element."""
    steps = "".join(f"M{short(spot.x)} {short(spot.y)}h.01" for spot in spots)
    return element("path", class_=style, d=steps, stroke_width=width) if steps else Markup("")


def _ground(spots: Iterable[_Spot], width: float) -> Markup:
    """Return the area around sites: it stands in for the outline of a country, which no document here has."""
    return _stipple((spot for spot in spots if spot.distance_km is None), "ground", width * 0.09)


def _dots(spots: Iterable[_Spot]) -> Markup:
    return _stipple((spot for spot in spots if _is_dot(spot)), "dots", 3.2)


def _site(spot: _Spot, middle: tuple[float, float]) -> Markup:
    told = f"{spot.name}, {phrase(spot.site.tier)}, {spot.site.jurisdiction}"
    if spot.workloads:
        told += f": {listed(spot.workloads)}"
    drawn = [mark(spot.site.tier, spot.x, spot.y, _SIZES[spot.kind], spot.kind)]
    if spot.distance_km is not None:
        drawn.append(_outward(spot, middle))
    return element("g", element("title", told), *drawn)


def _outward(spot: _Spot, middle: tuple[float, float]) -> Markup:
    """Return a chevron between the mark of a site beyond the edge and that edge."""
    angle = math.degrees(math.atan2(spot.y - middle[1], spot.x - middle[0]))
    place = f"translate({short(spot.x)} {short(spot.y)}) rotate({short(angle)})"
    return element("path", class_="outward", d="M10-3.5 15.5 0 10 3.5Z", transform=place)


def _calls(plan: Plan, spots: dict[str, _Spot]) -> Iterator[Markup]:
    """Yield a line for each call between two sites: a hybrid placement."""
    ends = {
        tuple(sorted((placement.site, site)))
        for placement in plan.placements
        for _, site, _ in placement.calls
        if placement.site and site and placement.site != site
    }
    for start, end in sorted(ends):
        if start in spots and end in spots:
            path = _arc(spots[start].x, spots[start].y, spots[end].x, spots[end].y)
            yield element("path", class_="call", d=path)


def _arc(x1: float, y1: float, x2: float, y2: float) -> str:
    bend_x, bend_y = (x1 + x2) / 2 - (y2 - y1) * 0.15, (y1 + y2) / 2 + (x2 - x1) * 0.15
    return f"M{short(x1)} {short(y1)}Q{short(bend_x)} {short(bend_y)} {short(x2)} {short(y2)}"


def _lines(spot: _Spot, workload_lines: int) -> tuple[str, ...]:
    """Return the texts of a label: the name, then workloads, then how far away a site beyond the edge is."""
    shown = spot.workloads[:workload_lines]
    more = len(spot.workloads) - len(shown)
    rest = (f"+ {more} more",) if shown and more else ()
    distance = spot.distance_km
    away = () if distance is None else (f"{spot.site.jurisdiction}, {count(round(distance, -1))} km away",)
    return (spot.name, *away, *shown, *rest)


def _labels(spots: list[_Spot], reserved: list[Box], drawn: Frame, workload_lines: int) -> tuple[Placed, ...]:
    abroad = [spot for spot in spots if spot.distance_km is not None and not spot.workloads][:_MOST_ABROAD]
    named = [spot for spot in spots if spot.workloads] + abroad
    wanted = [_wanted(spot, workload_lines) for spot in named]
    points = [(spot.x, spot.y) for spot in sorted(spots, key=lambda spot: (_is_dot(spot), spot.name))]
    foot = Box(0, drawn.height - _FOOT, drawn.width, drawn.height)
    return arrange(wanted, points, [foot, *reserved], (drawn.width, drawn.height))


def _wanted(spot: _Spot, workload_lines: int) -> Wanted:
    name, *work = _lines(spot, workload_lines)
    width = max(len(name) * _NAME_PX, *(len(line) * _LINE_PX for line in work), 0)
    return Wanted(spot.name, spot.x, spot.y, width + 4, _NAME_LINE + len(work) * _WORK_LINE + 3)


def _label(placed: Placed, spot: _Spot, workload_lines: int) -> Markup:
    box = placed.box
    middle = (box.left + box.right) / 2
    x, anchor = box.left + 2, "start"
    if spot.x > box.right:
        x, anchor = box.right - 2, "end"
    elif spot.x > box.left:
        x, anchor = middle, "middle"
    name, *work = _lines(spot, workload_lines)
    spans = [element("tspan", name, class_="site", x=x, y=box.top + _NAME_LINE - 3)]
    spans += [element("tspan", line, x=x, dy=_WORK_LINE) for line in work]
    return element("g", *_leader(placed, spot), element("text", *spans, text_anchor=anchor), class_="label")


def _leader(placed: Placed, spot: _Spot) -> Iterator[Markup]:
    """Yield a line from the mark to the nearest point of a label that had to move away."""
    box = placed.box
    x = min(max(spot.x, box.left), box.right)
    y = min(max(spot.y, box.top), box.bottom)
    length = math.hypot(x - spot.x, y - spot.y)
    if placed.distance > 2 * _SIZES["placed"] and length > 0:
        start = _SIZES["placed"] / length
        yield element(
            "line",
            class_="leader",
            x1=spot.x + (x - spot.x) * start,
            y1=spot.y + (y - spot.y) * start,
            x2=x,
            y2=y,
        )
