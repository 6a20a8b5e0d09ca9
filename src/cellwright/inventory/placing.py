"""Coordinates for places that have none: each comes to lie at the mean of its neighbours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.estate.model import Location

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Vectors = NDArray[np.float64]

_SWEEPS: Final = 200
_STILL: Final = 1e-5  # of the Earth's radius: 64 m


def place(known: Mapping[str, Location], neighbours: Mapping[str, Sequence[str]]) -> dict[str, Location]:
    """Return a location for every place that has none and is connected to one that has.

    First in rounds outwards from the known places, then in sweeps until nobody moves: the mean is of unit vectors, so
    that neither the poles nor the date line matter. Costs at most 200 passes over the links of unknown places.
    """
    vectors: dict[str, Vectors] = {name: _vector(location) for name, location in known.items()}
    unknown = sorted(name for name in neighbours if name not in known)
    reachable: list[str] = []
    while reached := {
        name: mean
        for name in unknown
        if name not in vectors and (mean := _mean([vectors[n] for n in neighbours[name] if n in vectors])) is not None
    }:
        vectors.update(reached)
        reachable.extend(reached)
    for _ in range(_SWEEPS):
        moved = 0.0
        for name in reachable:
            mean = _mean([vectors[n] for n in neighbours[name] if n in vectors])
            if mean is not None:
                moved = max(moved, float(np.abs(mean - vectors[name]).max()))
                vectors[name] = mean
        if moved < _STILL:
            break
    return {name: _location(vectors[name]) for name in sorted(reachable)}


def _vector(location: Location) -> Vectors:
    """Return the unit vector (3,) float64 of a place."""
    lat, lon = math.radians(location.lat), math.radians(location.lon)
    return np.array([math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)])


def _mean(vectors: list[Vectors]) -> Vectors | None:
    """Return the unit vector in the middle; None of nothing, or where opposite places cancel out."""
    if not vectors:
        return None
    total = np.sum(vectors, axis=0)
    length = float(np.linalg.norm(total))
    return total / length if length > _STILL else None


def _location(vector: Vectors) -> Location:
    lat, lon = math.asin(max(-1.0, min(1.0, float(vector[2])))), math.atan2(float(vector[1]), float(vector[0]))
    return Location(round(math.degrees(lat), 5), round(math.degrees(lon), 5))
