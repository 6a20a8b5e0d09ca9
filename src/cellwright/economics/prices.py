"""What a demand costs on every machine of a network at once: the numbers of `compute`, as arrays.

A *rack* is one node of one site; racks are in the order of the sites, then of their nodes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cellwright.economics.compute import DAY_H, NANO
from cellwright.economics.shares import gpus_taken, memory_taken_gib, takes_gpus
from cellwright.economics.tariffs import PriceLists, facility_kw, machine_hour

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    from cellwright.economics.tariffs import Tariff
    from cellwright.estate.model import Demand, Node, PriceBook, Site

    Figures: TypeAlias = NDArray[np.float64]
    _Rack: TypeAlias = tuple[Tariff, Node]


class Prices:
    """The prices at all racks of some sites in one currency; lasts as long as sites and price books stay the same.

    `tariffs` are those of the sites, `site_of` is the site of each rack, (n_racks,) int32, and `ingress_gb` the price
    of a GB that arrives at each site, (n_sites,) float64, NaN where it is unknown.
    """

    def __init__(self, sites: Sequence[Site], books: Iterable[PriceBook], currency: str) -> None:
        lists = PriceLists(books, currency)
        self.tariffs: tuple[Tariff, ...] = tuple(lists.tariff(site) for site in sites)
        racks = [(tariff, node) for tariff, site in zip(self.tariffs, sites, strict=True) for node in site.nodes]
        self.site_of: NDArray[np.int32] = np.repeat(
            np.arange(len(sites), dtype=np.int32), [len(site.nodes) for site in sites]
        )
        self.ingress_gb: Figures = _figures(each.prices.ingress_gb if each.prices else None for each in self.tariffs)
        self._core = NANO * _figures(tariff.prices.core_hour if tariff.prices else None for tariff, _ in racks)
        self._gib = NANO * _figures(tariff.prices.memory_gib_hour if tariff.prices else None for tariff, _ in racks)
        self._gpu = NANO * _figures(_gpu_hour(*rack) for rack in racks)
        self._grain = _figures(node.threads_per_core for _, node in racks)
        self._models = [node.gpus.model if node.gpus else None for _, node in racks]
        self._gpus_taken: dict[str, Figures] = {}  # by MIG profile
        self._owned = _Owned(racks)

    def per_hour(self, demand: Demand, hours: float = DAY_H) -> Figures:
        """Return what a replica that runs `hours` a day costs per hour on each rack, (n_racks,) float64, NaN: unknown.

        Without the traffic that arrives, and whether or not the rack has room for it.
        """
        day = hours / DAY_H
        gpus = self._taken(demand) if takes_gpus(demand) else None
        threads: Figures | int = demand.cores
        if demand.pinned:
            threads = np.ceil(demand.cores / self._grain) * self._grain
        nanos: Figures = np.rint(threads * day * self._core)
        nanos += np.rint(memory_taken_gib(demand) * day * self._gib)
        if gpus is not None:
            nanos += np.rint(gpus * day * self._gpu)
        owned = self._owned
        if owned.racks.size:
            nanos[owned.racks] = owned.nanos(demand, threads, gpus, day)
        nanos /= NANO
        return nanos

    def arriving(self, rate_gb_per_h: Figures | float) -> Figures:
        """Return what data arriving at each site costs per hour, (n_sites,) float64; nothing where none arrives."""
        cost = np.rint(rate_gb_per_h * (self.ingress_gb * NANO)) / NANO
        return np.where(np.equal(rate_gb_per_h, 0.0), 0.0, cost)

    def _taken(self, demand: Demand) -> Figures | float:
        """Return how many GPUs a replica takes on each rack, (n_racks,) float64 with NaN, or one number for all."""
        profile = demand.mig_profile
        if profile is None:
            return demand.gpus * demand.gpu_share
        if profile not in self._gpus_taken:
            by_model = {model: gpus_taken(demand, model) for model in set(self._models)}
            self._gpus_taken[profile] = _figures(by_model[model] for model in self._models)
        return self._gpus_taken[profile]


class _Owned:
    """The racks whose owner has paid for them once, and what a whole machine of each costs and has."""

    def __init__(self, racks: Sequence[_Rack]) -> None:
        found = [
            (rack, owned.entry, tariff, node)
            for rack, (tariff, node) in enumerate(racks)
            if (owned := tariff.ownership(node.name))
        ]
        self.racks: NDArray[np.int64] = np.array([rack for rack, *_ in found], dtype=np.int64)
        self._hour = NANO * _figures(machine_hour(entry) for _, entry, *_ in found)
        self._kw = _figures(facility_kw(entry, tariff.pue) for _, entry, tariff, _ in found)
        self._kwh = NANO * _figures(entry.kwh for _, entry, *_ in found)
        self._threads = _figures(node.threads for *_, node in found)
        self._memory_gib = _figures(node.memory_gib or None for *_, node in found)
        self._gpus = _figures(node.gpus.count if node.gpus else None for *_, node in found)
        self._unified = np.array([node.unified_memory for *_, node in found], dtype=bool)

    def nanos(self, demand: Demand, threads: Figures | int, gpus: Figures | float | None, day: float) -> Figures:
        """Return billionths of the currency per hour, (n_owned,) float64."""
        taken = self._share(demand, self._of(threads), None if gpus is None else self._of(gpus)) * day
        nanos: Figures = np.rint(taken * self._hour) + np.rint(taken * self._kw * self._kwh)
        return nanos

    def _share(self, demand: Demand, threads: Figures | float, gpus: Figures | float | None) -> Figures:
        """Return the dominant share, (n_owned,) float64, NaN where a machine has nothing of what is taken."""
        share: Figures = threads / self._threads
        unified = demand.gpus * demand.gpu_memory_gib
        memory = memory_taken_gib(demand) + (np.where(self._unified, unified, 0.0) if unified else 0.0)
        if np.any(memory):
            share = np.maximum(share, np.where(memory, memory / self._memory_gib, 0.0))
        return share if gpus is None else np.maximum(share, gpus / self._gpus)

    def _of(self, figures: Figures | float) -> Figures | float:
        """Return the figures of the owned racks."""
        return figures[self.racks] if isinstance(figures, np.ndarray) else figures


def _gpu_hour(tariff: Tariff, node: Node) -> float | None:
    return tariff.prices.gpu_hour.get(node.gpus.model) if tariff.prices and node.gpus else None


def _figures(values: Iterable[float | None]) -> Figures:
    """Return values as float64, the unknown as NaN."""
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)
