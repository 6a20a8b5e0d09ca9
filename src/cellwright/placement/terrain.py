"""What planning asks an estate again and again, each answer computed once, and the case of one workload in it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cellwright.economics.compute import compute_currency, tariff_at
from cellwright.placement.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from cellwright.economics.compute import Tariff
    from cellwright.estate.model import Dataset, Estate, Site, Workload


class Terrain:
    """One estate with its paths and prices; lasts for one plan or one question and remembers only answers."""

    def __init__(self, estate: Estate, paths: Paths | None = None) -> None:
        self.estate = estate
        self.sites: tuple[Site, ...] = tuple(estate.sites[name] for name in sorted(estate.sites))
        self.paths = paths or Paths(estate.links.values())
        self.currency = compute_currency(estate.price_books.values())
        self._tariffs: dict[str, Tariff] = {}
        self._answers: dict[Hashable, dict[str, Any]] = defaultdict(dict)

    def changed(self, estate: Estate) -> Terrain:
        """Return the terrain of a changed estate; paths are searched again only where links changed."""
        return Terrain(estate, self.paths if estate.links is self.estate.links else None)

    def answers(self, question: Hashable) -> dict[str, Any]:
        """Return where the answers to one question are kept, by site: workloads with equal needs share them."""
        return self._answers[question]

    def tariff(self, site: Site) -> Tariff:
        """Return the prices that hold at `site`."""
        if site.name not in self._tariffs:
            self._tariffs[site.name] = tariff_at(site, self.estate.price_books.values(), self.currency)
        return self._tariffs[site.name]


@dataclass(frozen=True, slots=True)
class Case:
    """One workload to place: into which terrain, and where the workloads it calls have gone (None: nowhere)."""

    terrain: Terrain
    workload: Workload
    callees: Mapping[str, str | None]

    @property
    def estate(self) -> Estate:
        """The estate the workload belongs to."""
        return self.terrain.estate

    def data(self, name: str) -> tuple[Dataset, Site]:
        """Return the dataset `name` and its home."""
        dataset = self.estate.datasets[name]
        return dataset, self.estate.sites[dataset.home]
