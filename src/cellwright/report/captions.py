"""Labels of sites on a drawing: a name with lines below it, and a leader where it had to move away."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from cellwright.report.labels import Box, Placed, Wanted, arrange
from cellwright.report.spots import MARK_PX
from cellwright.report.svg import element

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markupsafe import Markup

    from cellwright.report.geography import Frame
    from cellwright.report.spots import Spot

_NAME_PX: Final = 7.9  # advance of a character of a name, at 12 px semibold, with room for wide letters
_LINE_PX: Final = 6.6  # the same at 11 px
_SQUARE_PX: Final = 12.0  # of the square before a line
_NAME_LINE: Final = 15.0  # px
_WORK_LINE: Final = 13.5  # px
_FOOT: Final = 26.0  # px kept free below for the scale


@dataclass(frozen=True, slots=True)
class Caption:
    """What is written beside one spot."""

    spot: Spot
    name: str
    lines: tuple[str, ...]
    styles: tuple[str, ...] = ()  # classes of a square before each line, "" for none; () for none at all


def captions(
    asked: Sequence[Caption], spots: Sequence[Spot], reserved: Sequence[Box], drawn: Frame
) -> tuple[Markup, ...]:
    """Return the labels that find room, none over another or over a reserved box."""
    by_name = {caption.name: caption for caption in asked}
    points = [(spot.x, spot.y) for spot in sorted(spots, key=lambda spot: (spot.dot, spot.name))]
    foot = Box(0, drawn.height - _FOOT, drawn.width, drawn.height)
    placed = arrange([_wanted(each) for each in asked], points, [foot, *reserved], (drawn.width, drawn.height))
    return tuple(_label(each, by_name[each.wanted.name]) for each in placed)


def _wanted(caption: Caption) -> Wanted:
    width = max(len(caption.name) * _NAME_PX, *(len(line) * _LINE_PX for line in caption.lines), 0)
    width += _SQUARE_PX if caption.styles else 0
    height = _NAME_LINE + len(caption.lines) * _WORK_LINE + 3
    return Wanted(caption.name, caption.spot.x, caption.spot.y, width + 4, height)


def _label(placed: Placed, caption: Caption) -> Markup:
    box, spot = placed.box, caption.spot
    x, anchor = box.left + 2, "start"
    if spot.x > box.right:
        x, anchor = box.right - 2, "end"
    elif spot.x > box.left:
        x, anchor = (box.left + box.right) / 2, "middle"
    spans = [element("tspan", caption.name, class_="site", x=x, y=box.top + _NAME_LINE - 3)]
    spans += [
        element("tspan", *_squared(line, style), x=x, dy=_WORK_LINE)
        for line, style in zip_longest(caption.lines, caption.styles, fillvalue="")
    ]
    return element("g", *_leader(placed, spot), element("text", *spans, text_anchor=anchor), class_="label")


def _squared(line: str, style: str) -> tuple[str | Markup, ...]:
    return (element("tspan", "■ ", class_=f"square {style}"), line) if style else (line,)


def _leader(placed: Placed, spot: Spot) -> Iterator[Markup]:
    """Yield a line from the mark to the nearest point of a label that had to move away."""
    box, size = placed.box, MARK_PX["placed"]
    x = min(max(spot.x, box.left), box.right)
    y = min(max(spot.y, box.top), box.bottom)
    length = math.hypot(x - spot.x, y - spot.y)
    if placed.distance > 2 * size and length > 0:
        start = size / length
        x1, y1 = spot.x + (x - spot.x) * start, spot.y + (y - spot.y) * start
        yield element("line", class_="leader", x1=x1, y1=y1, x2=x, y2=y)
