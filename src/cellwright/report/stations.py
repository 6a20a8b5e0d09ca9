"""The sites of a plan that run something, with how many replicas of what."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.estate.model import Tier

if TYPE_CHECKING:
    from cellwright.placement.plan import Plan, PlannedSite

MOST_STATIONS: Final = 12  # sites that a page lists beside its map
_MOST_RUNS: Final = 6  # workloads of one site in that list
_TIERS: Final = tuple(Tier)


@dataclass(frozen=True, slots=True)
class Station:
    """A site that runs something; `runs` holds workload and replicas, the most first."""

    site: PlannedSite
    runs: tuple[tuple[str, int], ...]

    @property
    def replicas(self) -> int:
        """How many replicas run here."""
        return sum(number for _, number in self.runs)

    @property
    def lines(self) -> tuple[str, ...]:
        """What runs here, a line a workload."""
        return tuple(
            name if number == 1 else f"{name} \N{MULTIPLICATION SIGN} {number:,}" for name, number in self.runs
        )

    @property
    def told(self) -> str:
        """The first few lines in a sentence."""
        more = len(self.runs) - _MOST_RUNS
        return ", ".join(self.lines[:_MOST_RUNS]) + (f" and {more:,} more workloads" if more > 0 else "")


def stations(plan: Plan) -> tuple[Station, ...]:
    """Return the sites that run something, by tier and name."""
    used: dict[str, Counter[str]] = {}
    for placement in plan.placements:
        if placement.site is not None:
            used.setdefault(placement.site, Counter())[placement.workload] += 1
    found = (Station(site, _ranked(used[site.name])) for site in plan.sites if site.name in used)
    return tuple(sorted(found, key=lambda station: (_TIERS.index(station.site.tier), station.site.name)))


def weight(station: Station) -> tuple[int, int, str]:
    """Return a key that puts the stations with most replicas first, of several the larger tiers."""
    return -station.replicas, _TIERS.index(station.site.tier), station.site.name


def busiest(every: tuple[Station, ...], most: int = MOST_STATIONS) -> tuple[Station, ...]:
    """Return the stations with most replicas, by tier and name again."""
    chosen = {station.site.name for station in sorted(every, key=weight)[:most]}
    return tuple(station for station in every if station.site.name in chosen)


def _ranked(runs: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(runs.items(), key=lambda item: (-item[1], item[0])))
