"""Sites on a drawing: where each mark falls, which get one of their own, and which are only dots."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from cellwright.estate.model import Tier
from cellwright.report.svg import element, mark, short
from cellwright.report.text import phrase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cellwright.placement.plan import PlannedSite
    from cellwright.report.geography import Frame

MARK_PX: Final = {"placed": 6.5, "free": 4.5}  # half the height of a mark
_TOO_NEAR: Final = 14.0  # px between two marks
_MARGIN: Final = 18.0  # px from the edge to a mark of a site beyond it
_MOST_MARKS: Final = 120  # beyond that marks hide each other, and a page of them is slow
_KEPT_MARKS: Final = 30  # that stand out among dots
_DOT_PX: Final = 3.2
_BUSY_DOT_PX: Final = 5.0
_MANY: Final = 3000  # sites, from which on dots are finer
_FINE_DOT_PX: Final = 2.2
_SAME_PX: Final = 1.5  # dots of one tier nearer than this are one


@dataclass(frozen=True, slots=True)
class Spot:
    """A site on the drawing; `distance_km` is set where it lies beyond the edge."""

    site: PlannedSite
    x: float
    y: float
    runs: tuple[str, ...]  # what it runs, in words
    distance_km: float | None
    dot: bool = False

    @property
    def name(self) -> str:
        """The site's name."""
        return self.site.name

    @property
    def kind(self) -> str:
        """The class of its mark."""
        return "placed" if self.runs else "free"


def spots(sites: Sequence[PlannedSite], runs: dict[str, tuple[str, ...]], drawn: Frame) -> list[Spot]:
    """Return the spot of every site: dots first, then marks side by side where they would cover each other.

    Far-edge sites that run nothing are dots. So is everything that runs nothing where marks would be too many, and
    of what runs something all but the first few in the order of `runs`.
    """
    found = [_spot(site, runs.get(site.name, ()), drawn) for site in sites]
    marks = [spot for spot in found if not _plain(spot)]
    if len(marks) > _MOST_MARKS:
        kept = {name for name, _ in zip(runs, range(_KEPT_MARKS), strict=False)}
        marks = [spot for spot in marks if spot.name in kept]
    names = {spot.name for spot in marks}
    return [replace(spot, dot=True) for spot in found if spot.name not in names] + _apart(marks)


def dots(found: Sequence[Spot]) -> Iterator[Markup]:
    """Yield one path for the dots of each tier, those that run something larger."""
    free_px = _DOT_PX if len(found) < _MANY else _FINE_DOT_PX
    groups: dict[tuple[Tier, bool], list[Spot]] = {}
    for spot in found:
        if spot.dot:
            groups.setdefault((spot.site.tier, bool(spot.runs)), []).append(spot)
    for tier, busy in sorted(groups, key=lambda key: (key[1], list(Tier).index(key[0]))):
        style = f"dots t-{tier}{' busy' if busy else ''}"
        yield stipple(thinned(groups[tier, busy], _SAME_PX), style, _BUSY_DOT_PX if busy else free_px)


def thinned(found: Iterable[Spot], cell_px: float) -> Iterator[Spot]:
    """Yield spots, one for each square of `cell_px`: what nobody could tell apart is drawn once."""
    taken: set[tuple[int, int]] = set()
    for spot in found:
        cell = int(spot.x // cell_px), int(spot.y // cell_px)
        if cell not in taken:
            taken.add(cell)
            yield spot


def stipple(found: Iterable[Spot], style: str, width: float) -> Markup:
    """Return one path of round dots: a short stroke with round caps each, far smaller than a circle element."""
    steps = "".join(f"M{short(round(spot.x, 1))} {short(round(spot.y, 1))}h.01" for spot in found)
    return element("path", class_=style, d=steps, stroke_width=width) if steps else Markup("")


def marked(spot: Spot, told: str, middle: tuple[float, float]) -> Markup:
    """Return the mark of one site with what it is, and a chevron where it lies beyond the edge."""
    drawn = [mark(spot.site.tier, spot.x, spot.y, MARK_PX[spot.kind], spot.kind)]
    if spot.distance_km is not None:
        drawn.append(_outward(spot, middle))
    return element("g", element("title", told), *drawn)


def told(spot: Spot) -> str:
    """Return what a site is."""
    return f"{spot.name}, {phrase(spot.site.tier)}, {spot.site.jurisdiction}"


def _spot(site: PlannedSite, runs: tuple[str, ...], drawn: Frame) -> Spot:
    x, y = drawn.project(site.lat, site.lon)
    edge = drawn.clamp(x, y, _MARGIN)
    if edge is None:
        return Spot(site, x, y, runs, None)
    return Spot(site, *edge, runs, drawn.distance_km(site.lat, site.lon))


def _plain(spot: Spot) -> bool:
    return spot.site.tier is Tier.FAR_EDGE and not spot.runs and spot.distance_km is None


def _apart(marks: Sequence[Spot]) -> list[Spot]:
    """Return marks that would cover each other, such as two sites of one campus, side by side."""
    clusters: list[list[Spot]] = []
    for spot in marks:
        near = (
            cluster for cluster in clusters if math.dist((spot.x, spot.y), (cluster[0].x, cluster[0].y)) < _TOO_NEAR
        )
        found = next(near, None)
        if found is None:
            clusters.append([spot])
        else:
            found.append(spot)
    return [
        replace(spot, x=spot.x + (index - (len(cluster) - 1) / 2) * _TOO_NEAR)
        for cluster in clusters
        for index, spot in enumerate(cluster)
    ]


def _outward(spot: Spot, middle: tuple[float, float]) -> Markup:
    """Return a chevron between the mark of a site beyond the edge and that edge."""
    angle = math.degrees(math.atan2(spot.y - middle[1], spot.x - middle[0]))
    place = f"translate({short(spot.x)} {short(spot.y)}) rotate({short(angle)})"
    return element("path", class_="outward", d="M10-3.5 15.5 0 10 3.5Z", transform=place)
