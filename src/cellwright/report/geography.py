"""From degrees to a drawing: which sites frame the map, where each falls, and what lies beyond its edge."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.placement.plan import PlannedSite

EARTH_RADIUS_KM: Final = 6371.0088  # mean radius, IUGG 1980
KM_PER_DEGREE: Final = EARTH_RADIUS_KM * math.pi / 180
_LEAST_SPAN: Final = 0.2  # degrees; a single site is not blown up to a street map
_OUTLYING: Final = 3.0  # times the 90th percentile of distances: an island territory does not shrink the mainland
_HOME_SHARE: Final = 2 / 3  # of all sites; below it a network spans countries and none is the frame of the others
_MOST_TILT: Final = 0.1  # least cosine of the middle parallel, against a division by zero at a pole


@dataclass(frozen=True, slots=True)
class Frame:
    """An equirectangular projection, true along its middle parallel, onto `width` by `height` px."""

    lat: float
    lon: float
    px_per_degree: float  # of latitude
    width: float
    height: float

    def project(self, lat: float, lon: float) -> tuple[float, float]:
        """Return x and y in px; longitudes are taken the short way round."""
        x = _turn(lon - self.lon) * self.squeeze * self.px_per_degree
        y = (self.lat - lat) * self.px_per_degree
        return self.width / 2 + x, self.height / 2 + y

    @property
    def squeeze(self) -> float:
        """Length of a degree of longitude relative to one of latitude, along the middle parallel."""
        return max(math.cos(math.radians(self.lat)), _MOST_TILT)

    @property
    def km_per_px(self) -> float:
        """Scale along the middle parallel."""
        return KM_PER_DEGREE / self.px_per_degree

    def clamp(self, x: float, y: float, margin: float) -> tuple[float, float] | None:
        """Return where the ray from the centre meets the edge; None for a point inside."""
        dx, dy = x - self.width / 2, y - self.height / 2
        reach = max(abs(dx) / (self.width / 2 - margin), abs(dy) / (self.height / 2 - margin))
        return (self.width / 2 + dx / reach, self.height / 2 + dy / reach) if reach > 1 else None

    def distance_km(self, lat: float, lon: float) -> float:
        """Return the great-circle distance from the middle of the map (haversine)."""
        a, b = math.radians(self.lat), math.radians(lat)
        half = math.sin((b - a) / 2) ** 2
        half += math.cos(a) * math.cos(b) * math.sin(math.radians(_turn(lon - self.lon)) / 2) ** 2
        return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(half)))


def frame(sites: Sequence[PlannedSite], width: float, padding: float) -> Frame:
    """Return the frame that shows the home country; sites abroad and outlying ones may fall outside of it.

    The home country is the jurisdiction of most sites; a network that spans countries is framed by all of them.
    """
    home = _central(_at_home(sites))
    lon0 = _mean_longitude(home)
    lats = [site.lat for site in home]
    lons = [_turn(site.lon - lon0) for site in home]
    lat, lon = (min(lats) + max(lats)) / 2, lon0 + (min(lons) + max(lons)) / 2
    squeeze = max(math.cos(math.radians(lat)), _MOST_TILT)
    across = max((max(lons) - min(lons)) * squeeze, _LEAST_SPAN)
    down = max(max(lats) - min(lats), _LEAST_SPAN)
    height = round(min(max(width * down / across, width * 0.6), width * 1.1))
    scale = min((width - 2 * padding) / across, (height - 2 * padding) / down)
    return Frame(lat, _turn(lon), scale, width, height)


def _at_home(sites: Sequence[PlannedSite]) -> list[PlannedSite]:
    counts = Counter(site.jurisdiction for site in sites)
    home = min(counts, key=lambda jurisdiction: (-counts[jurisdiction], jurisdiction))
    if counts[home] < _HOME_SHARE * len(sites):
        return list(sites)
    return [site for site in sites if site.jurisdiction == home]


def _central(sites: Sequence[PlannedSite]) -> list[PlannedSite]:
    lon0 = _mean_longitude(sites)
    middle_lat = sorted(site.lat for site in sites)[len(sites) // 2]
    middle_lon = sorted(_turn(site.lon - lon0) for site in sites)[len(sites) // 2]
    away = [math.hypot(site.lat - middle_lat, _turn(site.lon - lon0) - middle_lon) for site in sites]
    bound = _OUTLYING * sorted(away)[math.ceil(0.9 * (len(away) - 1))]
    return [site for site, distance in zip(sites, away, strict=True) if distance <= bound]


def _mean_longitude(sites: Sequence[PlannedSite]) -> float:
    angles = [math.radians(site.lon) for site in sites]
    return math.degrees(math.atan2(sum(map(math.sin, angles)), sum(map(math.cos, angles))))


def _turn(degrees: float) -> float:
    return (degrees + 180.0) % 360.0 - 180.0
