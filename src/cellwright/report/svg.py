"""SVG fragments, escaped by construction: elements, marks of the tiers and bars that scale with the page.

Nothing here carries a `style` attribute: colours come from classes, so that a strict content security policy holds.
Bars are measured in percent; their text is HTML beside them, which keeps its size on a narrow screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cellwright.estate.model import Tier

_BAR_HEIGHT: Final = 12
SLIVER: Final = 0.012  # of a bar's width
_OUTLINES: Final = {
    "region": "M-1-1H1V1H-1Z",
    "metro": "M0-1.3 1.3 0 0 1.3-1.3 0Z",
    "onprem": "M0-1.25 1.25.95-1.25.95Z",
    "ai_factory": "M-.65-1.15H.65L1.3 0 .65 1.15H-.65L-1.3 0Z",
    "far_edge": "M-1 0A1 1 0 1 1 1 0 1 1 0 1 1-1 0Z",
}


def short(value: float) -> str:
    """Return a coordinate with at most two decimals."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def element(name: str, /, *children: str | Markup, **attributes: str | float | None) -> Markup:
    """Return one element; `_` in an attribute's name stands for `-`, None leaves the attribute out."""
    pairs = (
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), value if isinstance(value, str) else short(value))
        for key, value in attributes.items()
        if value is not None
    )
    opening = Markup("<") + name + Markup("").join(pairs)
    if not children:
        return opening + Markup("/>")
    return opening + Markup(">") + Markup("").join(map(escape, children)) + Markup("</{}>").format(name)


def mark(tier: Tier, x: float, y: float, size: float, kind: str) -> Markup:
    """Return the mark of a tier, told by shape as well as colour; `kind` is its class (`placed`, `free`)."""
    return element(
        "path",
        class_=f"mark {kind} t-{tier}",
        d=_OUTLINES[tier],
        transform=f"translate({short(x)} {short(y)}) scale({short(size)})",
    )


def key(tier: Tier) -> Markup:
    """Return the mark of a tier for a legend or a table cell; decoration beside its name."""
    drawn = mark(tier, 8, 8, 5, "placed")
    return element("svg", drawn, class_="key", viewBox="0 0 16 16", width=16, height=16, aria_hidden="true")


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar; `style` is its class."""

    label: str
    value: float
    style: str


def bar(
    segments: Sequence[Segment], full: float, described: str, limit: float | None = None, least: float = 0.0
) -> Markup:
    """Return a stacked bar whose whole width stands for `full`; `limit` draws a line.

    No part is shown smaller than the share `least` (SLIVER keeps it visible); the largest gives up what that takes.
    """
    shapes: list[Markup] = []
    start = 0.0
    shown = [segment for segment in segments if segment.value > 0 and full > 0]
    for segment, share in zip(shown, _shares([segment.value for segment in shown], full, least), strict=True):
        shapes.append(_stretch(segment, start, share))
        start += share
    if limit is not None and 0 < limit <= full:
        at = _share(limit / full)
        shapes.append(element("line", class_="limit", x1=at, x2=at, y1=0, y2=_BAR_HEIGHT))
    return strip(shapes, described, "bar")


def span(points: Sequence[tuple[str, float]], full: float, described: str) -> Markup:
    """Return a line from the first to the last point with a dot at each, on a scale from 0 to `full`."""
    places = [(label, _share(value / full if full > 0 else 0)) for label, value in points]
    middle = _BAR_HEIGHT / 2
    line = element("line", class_="range", x1=places[0][1], x2=places[-1][1], y1=middle, y2=middle)
    dots = [element("circle", element("title", label), class_="dot", cx=at, cy=middle, r=4) for label, at in places]
    return strip([line, *dots], described, "bar open")


def strip(shapes: Iterable[Markup], described: str, style: str, height: float = _BAR_HEIGHT) -> Markup:
    """Return a drawing as wide as the page lets it be; places along it are in percent, heights in px."""
    return element("svg", element("title", described), *shapes, class_=style, role="img", width="100%", height=height)


def _shares(values: Sequence[float], full: float, least: float) -> list[float]:
    """Return the share of each value (0..1), none below `least`, together what they are of `full` where that fits."""
    shares = [max(value / full, least) for value in values]
    if shares:
        largest = shares.index(max(shares))
        shares[largest] -= sum(shares) - max(sum(values) / full, least * len(shares))
    return shares


def _stretch(segment: Segment, start: float, width: float) -> Markup:
    return element(
        "rect",
        element("title", segment.label),
        class_=segment.style,
        x=_share(start),
        width=_share(width),
        height=_BAR_HEIGHT,
    )


def _share(part: float) -> str:
    return f"{short(part * 100)}%"
