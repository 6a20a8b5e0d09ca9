"""Links on a drawing: as wide as their bandwidth, dashed where estimated, bundled where they are many."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cellwright.report.svg import element, short
from cellwright.report.text import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from markupsafe import Markup

    from cellwright.estate.model import Link
    from cellwright.report.spots import Spot

MOST_LINES: Final = 1000  # each by itself
MOST_BUNDLES: Final = 500
_CELL_PX: Final = 26.0  # ends of bundled links this near are one
_WIDTHS: Final = ((1.0, 0.7), (10.0, 1.1), (100.0, 2.0), (float("inf"), 3.2))  # up to Gbit/s, px


@dataclass(frozen=True, slots=True)
class Bundle:
    """Links between two places of a drawing."""

    x1: float
    y1: float
    x2: float
    y2: float
    gbps: float  # together
    estimated: bool  # all of them
    links: int


def bundles(links: Iterable[Link], spots: Mapping[str, Spot]) -> tuple[Bundle, ...]:
    """Return a bundle for each link, or where these are too many, the broadest bundles between neighbourhoods."""
    drawn = [
        Bundle(
            spots[link.a].x, spots[link.a].y, spots[link.b].x, spots[link.b].y, link.bandwidth_gbps, link.estimated, 1
        )
        for link in links
        if link.a in spots and link.b in spots
    ]
    if len(drawn) <= MOST_LINES:
        return tuple(drawn)
    merged: dict[tuple[tuple[int, int], tuple[int, int]], Bundle] = {}
    for each in drawn:
        near, far = _cell(each.x1, each.y1), _cell(each.x2, each.y2)
        turned = each if near <= far else replace(each, x1=each.x2, y1=each.y2, x2=each.x1, y2=each.y1)
        if near != far:
            ends = min(near, far), max(near, far)
            merged[ends] = _joined(merged.get(ends), turned)
    ranked = sorted(merged, key=lambda ends: (-merged[ends].gbps, ends))
    return tuple(merged[ends] for ends in ranked[:MOST_BUNDLES])


def lines(found: Sequence[Bundle]) -> Iterator[Markup]:
    """Yield one path for all links of the same width and kind, the thinnest first."""
    groups: dict[tuple[float, bool], list[Bundle]] = {}
    for each in found:
        groups.setdefault((_width(each.gbps), each.estimated), []).append(each)
    for width, estimated in sorted(groups):
        d = "".join(
            f"M{_px(each.x1)} {_px(each.y1)}L{_px(each.x2)} {_px(each.y2)}" for each in groups[width, estimated]
        )
        yield element("path", class_=f"link{' estimated' if estimated else ''}", d=d, stroke_width=width)


def scale(found: Sequence[Bundle]) -> tuple[tuple[str, float], ...]:
    """Return the widths in use with what they stand for."""
    used = {_width(each.gbps) for each in found}
    bounds = [0.0, *(bound for bound, _ in _WIDTHS)]
    named = []
    for lower, (upper, width) in zip(bounds, _WIDTHS, strict=False):
        text = f"over {number(lower)} Gbit/s" if upper == float("inf") else f"up to {number(upper)} Gbit/s"
        named.append((text, width))
    return tuple((text, width) for text, width in named if width in used)


def _width(gbps: float) -> float:
    return next(width for bound, width in _WIDTHS if gbps <= bound)


def _cell(x: float, y: float) -> tuple[int, int]:
    return int(x // _CELL_PX), int(y // _CELL_PX)


def _joined(known: Bundle | None, link: Bundle) -> Bundle:
    """Return a bundle with one more link, its ends in the middle of theirs."""
    if known is None:
        return link
    n = known.links

    def mean(before: float, now: float) -> float:
        return (before * n + now) / (n + 1)

    return Bundle(
        mean(known.x1, link.x1),
        mean(known.y1, link.y1),
        mean(known.x2, link.x2),
        mean(known.y2, link.y2),
        known.gbps + link.gbps,
        known.estimated and link.estimated,
        n + 1,
    )


def _px(value: float) -> str:
    return short(round(value, 1))
