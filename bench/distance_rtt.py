"""How well distance tells round-trip times: the model that imports use, fitted anew to a table of measured ones.

Data: a square table of round trips in ms between cities (`from,CITY,CITY,...`); coordinates of other cities than the
ten built in come from --places (`city,lat,lon`). The fit is the line a + b * km of least absolute relative error
with a >= 0, exact over all lines through two points. Leave-one-out leaves out a whole city at a time, so that no
pair of the tested city is among those fitted. Peers: light in fibre along the great circle, times constants in
use, and times the median ratio of the same pairs. Nothing is drawn by chance.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import platform
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.estate.model import Location
from cellwright.inventory.distance import FIBRE_PER_KM_MS, PATH_MS, PER_KM_MS, great_circle_km
from rows import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CITIES: Final = {
    "Dallas": Location(32.7767, -96.7970),
    "Toronto": Location(43.6532, -79.3832),
    "Washington DC": Location(38.9072, -77.0369),
    "Frankfurt": Location(50.1109, 8.6821),
    "London": Location(51.5074, -0.1278),
    "Madrid": Location(40.4168, -3.7038),
    "Osaka": Location(34.6937, 135.5023),
    "Sydney": Location(-33.8688, 151.2093),
    "Tokyo": Location(35.6762, 139.6503),
    "Sao Paulo": Location(-23.5505, -46.6333),
}
"""City centres, WGS 84; where in a metropolitan area a region stands is not published."""
ROUTE_FACTORS: Final = (1.0, 1.5, 2.0)  # of the great circle
QUICK_PAIRS: Final = 12


@dataclass(frozen=True, slots=True)
class Pair:
    """Two cities, how far apart they are and the mean of both directions."""

    a: str
    b: str
    km: float
    rtt_ms: float


def main() -> None:
    """Print one row a figure; with --json one object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, help="tables of measured round trips")
    parser.add_argument("--places", type=Path, help="city,lat,lon of cities that are not built in")
    parser.add_argument("--quick", action="store_true", help=f"the first {QUICK_PAIRS} pairs alone")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    places = CITIES | read_places(options.places)
    rows: list[Row] = []
    for path in options.files:
        pairs = read_pairs(path, places)
        rows += measure(path.stem, pairs[:QUICK_PAIRS] if options.quick else pairs)
    for row in rows:
        peers = ", ".join(f"{name} {value:.4g}" for name, value in row.peers.items())
        print(f"{row.case:24} {row.figure:52} {row.ours:>10.5g} {row.unit:6} {peers} {row.spread}".rstrip())
    if options.json:
        machine = f"{platform.machine()}, Python {platform.python_version()}"
        print(json.dumps({"bench": "distance_rtt", "machine": machine, "rows": [asdict(row) for row in rows]}))


def read_places(path: Path | None) -> dict[str, Location]:
    """Return the coordinates in a table."""
    if path is None:
        return {}
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return {row["city"]: Location(float(row["lat"]), float(row["lon"])) for row in csv.DictReader(stream)}


def read_pairs(path: Path, places: Mapping[str, Location]) -> list[Pair]:
    """Return the pairs of a square table, shortest first; both directions are averaged."""
    found: dict[tuple[str, str], list[float]] = {}
    with path.open(encoding="utf-8-sig", newline="") as stream:
        for row in csv.DictReader(stream):
            source = row.pop("from")
            for target, text in row.items():
                if text and target != source:
                    a, b = sorted((source, target))
                    found.setdefault((a, b), []).append(float(text))
    unknown = {city for pair in found for city in pair} - places.keys()
    if unknown:
        message = f"no coordinates of {', '.join(sorted(unknown))}: give them with --places"
        raise SystemExit(message)
    pairs = [Pair(a, b, great_circle_km(places[a], places[b]), statistics.mean(v)) for (a, b), v in found.items()]
    return sorted(pairs, key=lambda pair: (pair.km, pair.a, pair.b))


def fit(pairs: Sequence[Pair]) -> tuple[float, float]:
    """Return a (ms) and b (ms/km) of the line with the least sum of |predicted / measured - 1|, a >= 0.

    Such a line passes through two of the points, or through one of them and the origin.
    """
    km, rtt = np.array([pair.km for pair in pairs]), np.array([pair.rtt_ms for pair in pairs])
    lines = [(0.0, float(y / x)) for x, y in zip(km, rtt, strict=True)]
    for i, j in itertools.combinations(range(len(pairs)), 2):
        if km[i] != km[j]:
            b = float((rtt[j] - rtt[i]) / (km[j] - km[i]))
            lines.append((float(rtt[i] - b * km[i]), b))
    return min((line for line in lines if line[0] >= 0), key=lambda line: (_loss(line, km, rtt), line))


def _loss(line: tuple[float, float], km: Floats, rtt: Floats) -> float:
    return float(np.abs((line[0] + line[1] * km) / rtt - 1).sum())


def measure(case: str, pairs: Sequence[Pair]) -> Iterator[Row]:
    """Yield the figures of one table."""
    a, b = fit(pairs)
    yield Row(case, "pairs", "pairs", len(pairs), spread=f"{pairs[0].km:.0f} to {pairs[-1].km:.0f} km")
    yield Row(case, "fitted: constant of a path", "ms", a, {"committed": PATH_MS})
    yield Row(case, "fitted: each km of great circle", "ms/km", b, {"committed": PER_KM_MS, "fibre": FIBRE_PER_KM_MS})
    ours = _errors(pairs, lambda pair: PATH_MS + PER_KM_MS * pair.km)
    median = statistics.median(pair.rtt_ms / pair.km for pair in pairs)
    peers = {f"fibre x {k:g}": _errors(pairs, lambda pair, k=k: k * FIBRE_PER_KM_MS * pair.km) for k in ROUTE_FACTORS}
    peers["proportional"] = _errors(pairs, lambda pair: median * pair.km)
    yield _row(case, "committed model: relative error, median", ours, peers)
    near = [index for index, pair in enumerate(pairs) if pair.km < 3000]  # noqa: PLR2004 - within one continent
    if near:
        chosen = {name: [errors[index] for index in near] for name, errors in peers.items()}
        yield _row(case, "the same, below 3,000 km", [ours[index] for index in near], chosen)
    held, guessed = left_out(pairs)
    yield _row(case, "fit without the city: relative error, median", held, {"proportional": guessed})


def left_out(pairs: Sequence[Pair]) -> tuple[list[float], list[float]]:
    """Return the relative errors of each city's pairs under the fit of all others, and of the proportional model."""
    ours: list[float] = []
    peers: list[float] = []
    for city in sorted({name for pair in pairs for name in (pair.a, pair.b)}):
        inside = [pair for pair in pairs if city not in {pair.a, pair.b}]
        outside = [pair for pair in pairs if city in {pair.a, pair.b}]
        if len(inside) > 1:
            a, b = fit(inside)
            slope = statistics.median(pair.rtt_ms / pair.km for pair in inside)
            ours += _errors(outside, lambda pair, a=a, b=b: a + b * pair.km)
            peers += _errors(outside, lambda pair, slope=slope: slope * pair.km)
    return ours, peers


def _errors(pairs: Sequence[Pair], model: Callable[[Pair], float]) -> list[float]:
    """Return predicted / measured - 1 of each pair, in %."""
    return [100 * (model(pair) / pair.rtt_ms - 1) for pair in pairs]


def _row(case: str, figure: str, errors: Sequence[float], peers: Mapping[str, Sequence[float]]) -> Row:
    medians = {name: statistics.median(map(abs, each)) for name, each in peers.items()}
    mine = statistics.median(map(abs, errors))
    low, high = np.percentile(errors, (10, 90))
    spread = f"P10 {low:+.0f}, P90 {high:+.0f}, worst {min(errors):+.0f} and {max(errors):+.0f}"
    ratio = mine / min(medians.values())
    return Row(case, figure, "%", mine, medians, ratio, higher_is_better=False, spread=spread)


if __name__ == "__main__":
    main()
