"""What a replica costs per hour on a machine, item by item; a missing price makes an item and the total unknown.

Amounts are whole billionths of the currency: far below a cent, far above the noise of binary fractions. So the order
of additions does not matter, and the same cost reckoned for many machines at once (`prices`) is the same number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.economics.shares import dominant_share, gpus_taken, memory_taken_gib, takes_gpus, threads_taken
from cellwright.economics.tariffs import Tariff, compute_currency, facility_kw, machine_hour, tariff_at
from cellwright.units import MEMORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cellwright.economics.tariffs import Listed
    from cellwright.estate.model import Demand, Node, OwnedHardware

__all__ = ["Arrival", "Cost", "CostItem", "Tariff", "compute_cost", "compute_currency", "tariff_at"]

NANO: Final = 1e9
DAY_H: Final = 24.0


@dataclass(frozen=True, slots=True)
class CostItem:
    """A part of a cost per hour: quantity times price; amount None: one of them is unknown, so the total is too."""

    label: str
    amount: float | None
    source: str
    meter: str = ""  # core, memory, gpu/MODEL, machine/NODE, energy, ingress
    quantity: float | None = None  # in an hour, the mean of the day: core hours, GiB hours, GB, kWh ...
    price: float | None = None  # of one
    price_id: str = ""  # where in which price book the price is: BOOK/PLACE/METER


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one hour and what it is made of."""

    items: tuple[CostItem, ...]

    @property
    def per_hour(self) -> float | None:
        """The sum of the items; None as soon as one of them is unknown."""
        known = [item.amount for item in self.items if item.amount is not None]
        return round(math.fsum(known) * NANO) / NANO if len(known) == len(self.items) else None


@dataclass(frozen=True, slots=True)
class Arrival:
    """Data that arrives at a site from another one; the rate is the mean of the day, whenever the replica runs."""

    label: str
    rate_gb_per_h: float


@dataclass(frozen=True, slots=True)
class _Price:
    """The price of one unit of what a meter counts, and where it is from."""

    meter: str
    amount: float | None
    source: str
    book: str
    place: str

    def item(self, label: str, quantity: float | None) -> CostItem:
        """Return quantity times price, unknown where one of them is."""
        if self.amount is None or quantity is None:
            return CostItem(label, None, self.source, self.meter, quantity)
        amount = round(quantity * (self.amount * NANO)) / NANO
        price_id = f"{self.book}/{self.place}/{self.meter}"
        return CostItem(label, amount, self.source, self.meter, quantity, self.amount, price_id)


def compute_cost(
    tariff: Tariff, demand: Demand, node: Node, arrivals: Iterable[Arrival] = (), hours: float = DAY_H
) -> Cost:
    """Return what `demand` costs per hour on a machine `node`, with the traffic that arrives from other sites.

    A replica that runs in a window of `hours` a day pays for these alone: the cost is the mean hour of the day.
    """
    owned = tariff.ownership(node.name)
    used = _owned(tariff, owned, demand, node, hours) if owned else _rented(tariff, demand, node, hours)
    ingress = _priced(tariff, "ingress", tariff.prices.ingress_gb if tariff.prices else None)
    arriving = (
        ingress.item(f"arriving {arrival.label}", arrival.rate_gb_per_h)
        for arrival in arrivals
        if arrival.rate_gb_per_h
    )
    return Cost((*used, *arriving))


def _rented(tariff: Tariff, demand: Demand, node: Node, hours: float) -> Iterator[CostItem]:
    """Yield what is paid by the hour: threads, memory and GPUs."""
    prices, when, day = tariff.prices, _when(hours), hours / DAY_H
    threads, memory = threads_taken(demand, node), memory_taken_gib(demand)
    core = _priced(tariff, "core", prices.core_hour if prices else None)
    yield core.item(f"{threads} {'core' if threads == 1 else 'cores'}{when}", threads * day)
    gib = _priced(tariff, "memory", prices.memory_gib_hour if prices else None)
    yield gib.item(f"{MEMORY.format(memory)} memory{when}", memory * day)
    if takes_gpus(demand):
        model = node.gpus.model if node.gpus else None
        taken, label = gpus_taken(demand, model), _gpus(demand, model)
        price = prices.gpu_hour.get(model) if prices and model and taken is not None else None
        gpu = _priced(tariff, f"gpu/{model or '?'}", price, label)
        yield gpu.item(label + when, None if taken is None else taken * day)


def _owned(
    tariff: Tariff, owned: Listed[OwnedHardware], demand: Demand, node: Node, hours: float
) -> Iterator[CostItem]:
    """Yield the share of a machine that its owner has paid for, and of the energy it draws."""
    share = dominant_share(demand, node)
    taken = None if share is None else share * (hours / DAY_H)
    label = f"{'?' if share is None else f'{share * 100:.6g} %'} of machine {node.name}{_when(hours)}"
    source = owned.source if share is not None else f"{node.name} has nothing of that kind to share: {owned.source}"
    hardware = _Price(f"machine/{node.name}", machine_hour(owned.entry), source, owned.book, owned.place)
    yield hardware.item(label, taken)
    draw_kw = facility_kw(owned.entry, tariff.pue)
    if draw_kw is None:
        source = f"no PUE of {tariff.site} to reckon the energy of {node.name} with: {owned.source}"
    energy = _Price("energy", owned.entry.kwh, source, owned.book, owned.place)
    yield energy.item(f"energy of {label}", None if taken is None or draw_kw is None else taken * draw_kw)


def _priced(tariff: Tariff, meter: str, price: float | None, label: str | None = None) -> _Price:
    """Return a price of the tariff, or that it has none."""
    source = tariff.source
    if price is None and tariff.prices is not None:
        source = f"no price for {label or meter} in {tariff.source}"
    return _Price(meter, price, source, tariff.book, tariff.place)


def _gpus(demand: Demand, model: str | None) -> str:
    """Return the GPUs that a demand takes, in words."""
    if demand.mig_profile:
        return f"1 MIG instance {demand.mig_profile} of GPU {model or '?'}"
    count = demand.gpus * demand.gpu_share
    return f"{count:.6g} {'GPU' if count <= 1 else 'GPUs'} {model or '?'}"


def _when(hours: float) -> str:
    return "" if hours == DAY_H else f", {hours:.6g} h a day"
