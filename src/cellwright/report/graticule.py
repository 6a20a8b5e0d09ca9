"""The lines behind a map: parallels and meridians with their names, and the scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.report.labels import Box
from cellwright.report.svg import element, short

if TYPE_CHECKING:
    from markupsafe import Markup

    from cellwright.report.geography import Frame

_STEPS: Final = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 45)
_MOST_LINES: Final = 5  # of the graticule, each way
_HEAD: Final = 26  # px below the top: names of parallels stand below their line, beside those of meridians
_LENGTHS_KM: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


@dataclass(frozen=True, slots=True)
class Line:
    """One line and its name, which starts at x on the baseline y."""

    path: str
    name: str
    x: float
    y: float

    @property
    def box(self) -> Box:
        """The area of its name, 10 px high letters."""
        return Box(self.x, self.y - 9, self.x + 44, self.y + 3)

    def draw(self) -> Markup:
        """Return the line and its name."""
        line = element("path", class_="grid", d=self.path)
        return line + element("text", self.name, class_="degree", x=self.x, y=self.y)


def graticule(drawn: Frame) -> tuple[Line, ...]:
    """Return the parallels and meridians at a step that gives about four of each."""
    down = drawn.height / drawn.px_per_degree
    across = drawn.width / drawn.px_per_degree / drawn.squeeze
    step = next((step for step in _STEPS if down / step <= _MOST_LINES), _STEPS[-1])
    parallels = (_parallel(drawn, index * step) for index in _within(drawn.lat, down, step))
    meridians = (_meridian(drawn, index * step) for index in _within(drawn.lon, across, step))
    return (*parallels, *meridians)


def _within(middle: float, extent: float, step: float) -> range:
    """Return which multiples of `step` lie within `extent` around `middle`."""
    return range(math.ceil((middle - extent / 2) / step), math.floor((middle + extent / 2) / step) + 1)


def _parallel(drawn: Frame, lat: float) -> Line:
    _, y = drawn.project(lat, drawn.lon)
    return Line(
        f"M0 {short(y)}H{short(drawn.width)}", _degrees(lat, "N", "S"), drawn.width - 44, y - 3 if y > _HEAD else y + 12
    )


def _meridian(drawn: Frame, lon: float) -> Line:
    x, _ = drawn.project(drawn.lat, lon)
    name = _degrees((lon + 180) % 360 - 180, "E", "W")
    return Line(f"M{short(x)} 0V{short(drawn.height)}", name, min(x + 3, drawn.width - 44), 11)


def _degrees(value: float, positive: str, negative: str) -> str:
    return f"{short(abs(value))}° {positive if value >= 0 else negative}"


def scale_bar(drawn: Frame) -> Markup:
    """Return the scale bar, at most a quarter of the width long."""
    most = drawn.width / 4 * drawn.km_per_px
    length = max((km for km in _LENGTHS_KM if km <= most), default=_LENGTHS_KM[0])
    end, y = 12 + length / drawn.km_per_px, drawn.height - 10
    line = element("path", class_="scale", d=f"M12 {short(y - 4)}V{short(y)}H{short(end)}V{short(y - 4)}")
    return element("g", line, element("text", f"{length:,} km", class_="degree", x=end + 6, y=y + 1))
