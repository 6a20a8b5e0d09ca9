"""Round-trip times from distance, for links that nobody has measured: always marked as estimates.

An end-to-end path takes `PATH_MS + PER_KM_MS * great-circle km`, fitted by `bench/distance_rtt.py` to the mean round
trips between ten cloud regions in the month to 3 March 2024 (IBM Cloud VPC documentation, "Network latency
dashboards", 45 pairs of 392 to 18,759 km): the line of least absolute relative error. Half of the pairs lie within
10 % of it, all within -42 % and +24 % (Europe to Japan goes the long way round). Light in fibre alone would take
0.0098 ms/km there and back (refractive index 1.468 at 1,550 nm, Corning SMF-28 Ultra data sheet): routes are 1.56
times the great circle.

The constant belongs to a whole path: gateways and queues at its ends, detours inside cities. A network whose links each
carried it would count it once a hop, so that each link carries its share: the constant over the mean number of hops.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwright.estate.model import Location

PATH_MS: Final = 3.010
PER_KM_MS: Final = 0.015264
EARTH_KM: Final = 6371.0088  # mean radius of the Earth, IUGG 1980
FIBRE_PER_KM_MS: Final = 2 * 1.468 / 299.792458  # there and back over one kilometre of fibre
_SAMPLED_SOURCES: Final = 64
_STEPS: Final = 4_000_000


def great_circle_km(a: Location, b: Location) -> float:
    """Return the length of the shortest way over the surface, by the haversine formula on a sphere (within 0.6 %)."""
    lat_a, lon_a, lat_b, lon_b = map(math.radians, (a.lat, a.lon, b.lat, b.lon))
    h = math.sin((lat_b - lat_a) / 2) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin((lon_b - lon_a) / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, h)))


def link_rtt_ms(km: float, mean_hops: float) -> float:
    """Return the round-trip time of one link of a network whose paths have `mean_hops` links; 1: of a whole path."""
    return PATH_MS / max(1.0, mean_hops) + PER_KM_MS * km


def fibre_rtt_ms(km: float, mean_hops: float) -> float:
    """Return the round-trip time of one link over `km` of fibre: no detour is left to guess."""
    return PATH_MS / max(1.0, mean_hops) + FIBRE_PER_KM_MS * km


def mean_hops(neighbours: Mapping[str, Sequence[str]]) -> float:
    """Return the mean number of links of the shortest paths, from at most 64 places evenly spread by name.

    From fewer in a large network, so that about four million steps suffice.
    """
    names = sorted(neighbours)
    sources = max(1, min(_SAMPLED_SOURCES, _STEPS // (len(names) or 1)))
    step = max(1, len(names) // sources)
    total = pairs = 0
    for source in names[::step][:sources]:
        depths = _depths(source, neighbours)
        total += sum(depths.values())
        pairs += len(depths) - 1
    return total / pairs if pairs else 1.0


def _depths(source: str, neighbours: Mapping[str, Sequence[str]]) -> dict[str, int]:
    depths = {source: 0}
    frontier = [source]
    while frontier:
        reached: list[str] = []
        for name in frontier:
            for other in neighbours[name]:
                if other not in depths:
                    depths[other] = depths[name] + 1
                    reached.append(other)
        frontier = reached
    return depths
