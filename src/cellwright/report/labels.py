"""Labels on a map: each beside its mark, none over another, none beyond the edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOST_LABELS: Final = 40  # beyond that a map is a table
_MOST_POINTS: Final = 600  # marks that a label tries to leave visible
_RINGS: Final = (9.0, 18.0, 32.0, 50.0, 72.0, 100.0, 135.0, 175.0)  # px between mark and label
_CROSSING: Final = 14.0  # cost of covering a mark, in px of distance
_DIRECTIONS: Final = ((1, 0), (-1, 0), (1, -1), (1, 1), (-1, -1), (-1, 1), (0, 1), (0, -1))
_DIAGONAL: Final = 0.75


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in px."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        """Whether the two share an area."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def within(self, width: float, height: float) -> bool:
        """Whether it lies on a drawing of that size."""
        return self.left >= 0 and self.top >= 0 and self.right <= width and self.bottom <= height

    def holds(self, x: float, y: float) -> bool:
        """Whether the point is inside."""
        return self.left <= x <= self.right and self.top <= y <= self.bottom


@dataclass(frozen=True, slots=True)
class Wanted:
    """A label that is asked for: its mark and its size in px."""

    name: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Placed:
    """A label with its place; `distance` is that to its mark."""

    wanted: Wanted
    box: Box
    distance: float


def arrange(
    wanted: Sequence[Wanted], points: Sequence[tuple[float, float]], reserved: Sequence[Box], size: tuple[float, float]
) -> tuple[Placed, ...]:
    """Return the labels that fit, tallest first; marks of labels stay free, other `points` where possible."""
    taken = [*reserved, *(_around(label) for label in wanted)]
    placed: list[Placed] = []
    for label in sorted(wanted, key=lambda label: (-label.height, label.name))[:_MOST_LABELS]:
        best = min(_fitting(label, points[:_MOST_POINTS], taken, size), key=lambda pair: pair[0], default=None)
        if best is not None:
            placed.append(best[1])
            taken.append(best[1].box)
    return tuple(placed)


def _fitting(
    label: Wanted, points: Sequence[tuple[float, float]], taken: Sequence[Box], size: tuple[float, float]
) -> Iterator[tuple[tuple[float, int], Placed]]:
    for order, (box, distance) in enumerate(_candidates(label)):
        if box.within(*size) and not any(box.overlaps(other) for other in taken):
            covered = sum(box.holds(x, y) for x, y in points)
            yield (distance + _CROSSING * covered, order), Placed(label, box, distance)


def _candidates(label: Wanted) -> Iterator[tuple[Box, float]]:
    for ring in _RINGS:
        for across, down in _DIRECTIONS:
            step = ring * _DIAGONAL if across and down else ring
            left = label.x + across * step + (across - 1) / 2 * label.width
            top = label.y + down * step + (down - 1) / 2 * label.height
            yield Box(left, top, left + label.width, top + label.height), ring


def _around(label: Wanted) -> Box:
    return Box(label.x - 8, label.y - 8, label.x + 8, label.y + 8)
