"""Places of boxes on a drawing: near each other where they are linked, none over another; the same on every call."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Points = NDArray[np.float64]

_ROUNDS: Final = 300  # of the layout, and of pushing apart
_GOLDEN: Final = math.pi * (3 - math.sqrt(5))  # turns by it never meet
_LOOSE: Final = 5.0  # times the area of all boxes that a drawing takes where it need not be higher than wide
_TIGHT: Final = 2.0  # and at the least
_NOTHING: Final = 1e-9
_GAP: Final = 6.0  # px between boxes
ROW_GAP: Final = 34.0  # px above the rows of what has no links


def place(
    sizes: Sequence[tuple[float, float]], links: Sequence[tuple[int, int]], width: float
) -> list[tuple[float, float]]:
    """Return the centres, px, of boxes of these widths and heights on a drawing so wide, as high as it has to be.

    What is linked: by stress majorisation over hops (Gansner, Koren, North, Graph drawing 2004), then pushed apart;
    groups that nothing links stand beside and below each other, that of the first box first. What has no links is in
    rows below.
    """
    groups = _groups(len(sizes), links)
    linked = [group for group in groups if len(group) > 1]
    found: dict[int, tuple[float, float]] = {}
    left = top = bottom = 0.0
    for group in linked:
        at = {index: order for order, index in enumerate(group)}
        own = [(at[one], at[other]) for one, other in links if one in at]
        boxes = [sizes[index] for index in group]
        wide = width if len(linked) == 1 else min(width, math.ceil(math.sqrt(_LOOSE * _area(boxes))))
        if left + wide > width:
            left, top = 0.0, bottom + 2 * _GAP
        centres = _linked(boxes, own, wide)
        found |= {index: (left + x, top + y) for index, (x, y) in zip(group, centres, strict=True)}
        bottom = max(bottom, *(found[index][1] + sizes[index][1] / 2 for index in group))
        left += wide + 2 * _GAP
    alone = [index for group in groups if len(group) == 1 for index in group]
    return [centre for _, centre in sorted((found | _rows(alone, sizes, width, bottom)).items())]


def _groups(count: int, links: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Return what links join: the group of the first box, then the largest."""
    group = {index: [index] for index in range(count)}
    for one, other in links:
        if group[one] is not group[other]:
            kept, gone = sorted((group[one], group[other]), key=len, reverse=True)
            kept += gone
            group |= dict.fromkeys(gone, kept)
    unique = {id(each): sorted(each) for each in group.values()}
    return sorted(unique.values(), key=lambda each: (0 not in each, -len(each), each))


def _area(boxes: Sequence[tuple[float, float]]) -> float:
    return sum((width + _GAP) * (height + _GAP) for width, height in boxes)


def _rows(
    alone: Sequence[int], sizes: Sequence[tuple[float, float]], width: float, below: float
) -> dict[int, tuple[float, float]]:
    """Return the centres of boxes one beside the other in as many rows as it takes, in equal columns."""
    if not alone:
        return {}
    widest, tallest = (max(sizes[index][axis] for index in alone) for axis in (0, 1))
    columns = max(1, min(len(alone), int(width / (widest + _GAP))))
    top = below + ROW_GAP if below else 0.0
    return {
        index: (
            round(width / columns * (order % columns + 0.5)),
            top + (tallest + _GAP) * (order // columns) + tallest / 2,
        )
        for order, index in enumerate(alone)
    }


def _linked(
    sizes: Sequence[tuple[float, float]], links: Sequence[tuple[int, int]], width: float
) -> list[tuple[float, float]]:
    points = _stressed(_hops(len(sizes), links))
    boxes, area = np.array(sizes, np.float64), _area(sizes)
    height = max(float(boxes[:, 1].max()), min(_LOOSE * area / width, width), _TIGHT * area / width)
    return _settled(_pushed(_fitted(points, boxes, (width, height)), boxes, width), boxes, width)


def _hops(count: int, links: Sequence[tuple[int, int]]) -> Points:
    """Return how many links are between any two of a group that is linked, (count, count)."""
    hops = np.full((count, count), np.inf)
    np.fill_diagonal(hops, 0)
    for one, other in links:
        hops[one, other] = hops[other, one] = 1
    for middle in range(count):
        hops = np.minimum(hops, hops[:, middle : middle + 1] + hops[middle : middle + 1])
    return hops


def _stressed(hops: Points) -> Points:
    """Return points, (count, 2), whose distances are as near to the hops as can be."""
    count = len(hops)
    turn = np.arange(count) * _GOLDEN
    points: Points = np.sqrt(np.arange(count))[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)
    weight = 1 / np.maximum(hops, 1) ** 2
    np.fill_diagonal(weight, 0)
    for _ in range(_ROUNDS):
        apart = points[:, None] - points[None]
        length = np.maximum(np.sqrt((apart**2).sum(2)), _NOTHING)
        wanted = points[None] + apart * (hops / length)[:, :, None]
        points = (weight[:, :, None] * wanted).sum(1) / weight.sum(1)[:, None]
    return _level(points)


def _level(points: Points) -> Points:
    """Return points turned so that they are widest across."""
    points = points - points.mean(0)
    (xx, yy), xy = (points**2).sum(0), float((points[:, 0] * points[:, 1]).sum())
    angle = 0.5 * math.atan2(2 * xy, float(xx - yy))
    cos, sin = math.cos(angle), math.sin(angle)
    return np.stack([cos * points[:, 0] + sin * points[:, 1], cos * points[:, 1] - sin * points[:, 0]], 1)


def _fitted(points: Points, boxes: Points, size: tuple[float, float]) -> Points:
    """Return points spread over a drawing, the boxes around them within it."""
    span = points.max(0) - points.min(0)
    room = np.maximum(np.array(size) - boxes.max(0), 1)
    share = np.where(span > _NOTHING, (points - points.min(0)) / np.maximum(span, _NOTHING), 0.5)
    return np.asarray(np.rint(boxes.max(0) / 2 + share * room))


def _pushed(points: Points, boxes: Points, width: float) -> Points:
    """Return points whose boxes were moved off each other, half of the way each, where that went."""
    for _ in range(_ROUNDS):
        moved = False
        for one in range(len(points)):
            for other in range(one):
                apart = points[one] - points[other]
                over = (boxes[one] + boxes[other]) / 2 + _GAP - np.abs(apart)
                if (over <= 0).any():
                    continue
                moved = True
                axis = 1 if over[1] <= over[0] else 0
                push = over[axis] / 2 * (1 if apart[axis] >= 0 else -1)
                points[one, axis] += push
                points[other, axis] -= push
        points[:, 0] = np.clip(points[:, 0], boxes[:, 0] / 2, width - boxes[:, 0] / 2)
        if not moved:
            break
    return points


def _settled(points: Points, boxes: Points, width: float) -> list[tuple[float, float]]:
    """Return the centres from the top down, each as low as it takes to lie over none above it."""
    centres: dict[int, tuple[float, float]] = {}
    top = float((points[:, 1] - boxes[:, 1] / 2).min())
    for index in sorted(range(len(points)), key=lambda at: (points[at, 1], points[at, 0], at)):
        half = boxes[index] / 2
        x = min(max(round(float(points[index, 0])), half[0]), width - half[0])
        y = max(float(points[index, 1]) - top, half[1])
        above = [(cy, boxes[at] / 2) for at, (cx, cy) in centres.items() if abs(cx - x) < half[0] + boxes[at, 0] / 2]
        for lower, other in sorted(above, key=lambda pair: pair[0]):
            if abs(lower - y) < half[1] + other[1]:
                y = lower + half[1] + other[1]
        centres[index] = (float(x), float(math.ceil(y)))
    return [centres[index] for index in range(len(points))]
