"""What a workload costs per hour at a site, item by item; a missing price makes an item and the total unknown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.units import MEMORY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellwright.estate.model import ComputePrices, Demand, PriceBook, Site

NO_CURRENCY: Final = "XXX"  # ISO 4217: "no currency is involved"
_DIGITS: Final = 9  # of a cost: far below a cent, far above the noise of binary fractions


@dataclass(frozen=True, slots=True)
class CostItem:
    """A part of a cost per hour; amount None: a price is missing, so the total is unknown too."""

    label: str
    amount: float | None
    source: str


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one hour and what it is made of."""

    items: tuple[CostItem, ...]

    @property
    def per_hour(self) -> float | None:
        """The sum of the items; None as soon as one of them is unknown."""
        known = [item.amount for item in self.items if item.amount is not None]
        return round(math.fsum(known), _DIGITS) if len(known) == len(self.items) else None


@dataclass(frozen=True, slots=True)
class Tariff:
    """The prices that hold at one site; prices None: nobody has priced the site in this currency."""

    prices: ComputePrices | None
    source: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """Data that arrives at a site from another one."""

    label: str
    rate_gb_per_h: float


def compute_currency(books: Iterable[PriceBook]) -> str:
    """Return the currency of the first price book (by name) that prices compute; `XXX` when none does."""
    priced = sorted((book.name, book.currency) for book in books if book.compute)
    return priced[0][1] if priced else NO_CURRENCY


def tariff_at(site: Site, books: Iterable[PriceBook], currency: str) -> Tariff:
    """Return the prices at `site`: an entry for the site wins over one for its tier, then the first book by name.

    Books in another currency do not count: there is no exchange rate to convert with.
    """
    offers = [
        (entry.site is None, book.name, entry, book)
        for book in books
        if book.currency == currency
        for entry in book.compute
        if entry.site == site.name or (entry.site is None and entry.tier is site.tier)
    ]
    if not offers:
        return Tariff(None, f"no price in {currency} for {site.name} or tier {site.tier}")
    _, name, entry, book = min(offers, key=lambda offer: offer[:2])
    return Tariff(entry, f"{name}: {book.source}, {book.checked.isoformat()}")


def compute_cost(tariff: Tariff, demand: Demand, gpu_model: str | None, arrivals: Iterable[Arrival] = ()) -> Cost:
    """Return what `demand` costs per hour on GPUs of `gpu_model`, with the traffic that arrives from other sites."""
    prices = tariff.prices
    core, gib, ingress = (prices.core_hour, prices.memory_gib_hour, prices.ingress_gb) if prices else (None, None, None)
    memory = MEMORY.format(demand.memory_gib)
    items = [
        _item(f"{demand.cores} {'core' if demand.cores == 1 else 'cores'}", demand.cores, core, tariff),
        _item(f"{memory} memory", demand.memory_gib, gib, tariff),
    ]
    if demand.gpus:
        gpu = prices.gpu_hour.get(gpu_model or "") if prices else None
        kind = f"{'GPU' if demand.gpus == 1 else 'GPUs'} {gpu_model or '?'}"
        items.append(_item(f"{demand.gpus} {kind}", demand.gpus, gpu, tariff))
    items += (
        _item(f"arriving {arrival.label}", arrival.rate_gb_per_h, ingress, tariff)
        for arrival in arrivals
        if arrival.rate_gb_per_h
    )
    return Cost(tuple(items))


def _item(label: str, quantity: float, price: float | None, tariff: Tariff) -> CostItem:
    """Return quantity times price, unknown where the price is."""
    if price is None:
        source = tariff.source if tariff.prices is None else f"no price for {label} in {tariff.source}"
        return CostItem(label, None, source)
    return CostItem(label, round(quantity * price, _DIGITS), tariff.source)
