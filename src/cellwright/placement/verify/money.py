"""What each replica costs per hour, reckoned again from the price books."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cellwright.estate.mig import geometry
from cellwright.placement.verify.breach import EPSILON, Breach
from cellwright.placement.verify.machines import profile_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.estate.model import ComputePrices, Estate, OwnedHardware, PriceBook
    from cellwright.placement.plan import Plan
    from cellwright.placement.verify.seated import Seated

_YEAR_H = 8766.0  # 365.25 days


class Ledger:
    """The price books of the plan's currency, and what each replica costs by them."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        books = sorted(estate.price_books.values(), key=lambda book: book.name)
        currencies = [book.currency for book in books if book.compute or book.owned]
        self.currency = currencies[0] if currencies else "XXX"  # ISO 4217: none is involved
        self._books = [book for book in books if book.currency == self.currency]
        self.expiries = [book.expires for book in self._books if book.compute or book.owned]

    def per_hour(self, seat: Seated) -> float | None:
        """Return the cost of the mean hour of the day; None where a price is unknown."""
        prices = self._prices(seat)
        owned = self._owned(seat)
        parts = [_owned_cost(seat, owned)] if owned else _rented_cost(seat, prices)
        for arriving in self._arriving(seat):
            parts.append(arriving * prices.ingress_gb if prices else None)
        known = [part for part in parts if part is not None]
        return math.fsum(known) if len(known) == len(parts) else None

    def _arriving(self, seat: Seated) -> list[float]:
        """Return the GB per hour that come from other sites, of each dataset and each callee."""
        homes = [
            (use.transfer_gb * 3.6e6 / use.every_ms, self._estate.datasets[use.dataset].home) for use in seat.consumes
        ]
        answers = {name: site for name, site, _ in seat.placement.calls}
        homes += [(call.traffic_gb_per_h, site) for call in seat.workload.calls if (site := answers.get(call.workload))]
        return [rate for rate, home in homes if home != seat.site.name and rate > 0]

    def _prices(self, seat: Seated) -> ComputePrices | None:
        """Return the prices for the site, else for its tier, of the first book that has them."""
        for wanted in (seat.site.name, None):
            for book in self._books:
                for entry in book.compute:
                    if entry.site == wanted and (wanted or entry.tier is seat.site.tier):
                        return entry
        return None

    def _owned(self, seat: Seated) -> OwnedHardware | None:
        """Return what the machine cost its owner: entries for the site first, of them those that name it."""
        for wanted in (seat.site.name, None):
            for node in (seat.node.name, None):
                found = _first_owned(self._books, seat, wanted, node)
                if found:
                    return found
        return None


def _first_owned(books: list[PriceBook], seat: Seated, site: str | None, node: str | None) -> OwnedHardware | None:
    for book in books:
        for entry in book.owned:
            if entry.site == site and entry.node == node and (site or entry.tier is seat.site.tier):
                return entry
    return None


def _day_share(seat: Seated) -> float:
    """Return the part of the day in which a replica runs."""
    window = seat.workload.window
    return ((window.end_min - window.start_min) % 1440) / 1440 if window else 1.0


def _threads(seat: Seated) -> int:
    grain = seat.node.threads_per_core if seat.demand.pinned else 1
    return math.ceil(seat.demand.cores / grain) * grain


def _gpus(seat: Seated) -> float | None:
    """Return how many GPUs a replica pays for, a MIG instance by its memory slices; None where that is unknown."""
    if seat.demand.mig_profile is None:
        return seat.demand.gpus * seat.demand.gpu_share
    profile, cut = profile_of(seat), geometry(seat.node.gpus.model) if seat.node.gpus else None
    return profile.memory_slices / cut.memory_slices if profile and cut else None


def _rented_cost(seat: Seated, prices: ComputePrices | None) -> list[float | None]:
    """Return what is paid by the hour for threads, memory and GPUs."""
    if prices is None:
        return [None]
    day, gpus = _day_share(seat), _gpus(seat)
    parts: list[float | None] = [
        _threads(seat) * day * prices.core_hour,
        (seat.demand.memory_gib + seat.demand.hugepages_gib) * day * prices.memory_gib_hour,
    ]
    if seat.demand.gpus or seat.demand.mig_profile:
        price = prices.gpu_hour.get(seat.node.gpus.model) if seat.node.gpus else None
        parts.append(None if price is None or gpus is None else gpus * day * price)
    return parts


def _owned_cost(seat: Seated, owned: OwnedHardware) -> float | None:
    """Return the dominant share of a machine that its owner paid for, and of what it draws."""
    node, demand, gpus = seat.node, seat.demand, _gpus(seat)
    unified = demand.gpus * demand.gpu_memory_gib if node.unified_memory else 0.0
    shares = [_threads(seat) / node.threads, (demand.memory_gib + demand.hugepages_gib + unified) / node.memory_gib]
    if demand.gpus or demand.mig_profile:
        if gpus is None or node.gpus is None:
            return None
        shares.append(gpus / node.gpus.count)
    hour = owned.capex / (owned.lifetime_years * _YEAR_H * owned.utilisation)
    if owned.power_kw and owned.kwh:
        if seat.site.pue is None:
            return None
        hour += owned.power_kw * seat.site.pue * owned.kwh
    return max(shares) * _day_share(seat) * hour


def cost_breaches(ledger: Ledger, seat: Seated) -> Iterator[Breach]:
    """Yield a cost that the price books do not bear out, and items that do not add up to it."""
    said, true = seat.placement.cost_per_hour, ledger.per_hour(seat)
    if _differ(said, true):
        yield seat.breach("cost.per-hour", said, true, f"the plan says {said} {ledger.currency}/h, it is {true}")
    amounts = [item.amount for item in seat.placement.cost_items]
    known = [amount for amount in amounts if amount is not None]
    total = math.fsum(known) if len(known) == len(amounts) else None
    if _differ(said, total):
        yield seat.breach("cost.items", total, said, f"the items add up to {total} {ledger.currency}/h, not {said}")


def _differ(said: float | None, true: float | None) -> bool:
    return (said is None) != (true is None) or (said is not None and true is not None and abs(said - true) > EPSILON)


def validity_breaches(ledger: Ledger, estate: Estate, plan: Plan) -> Iterator[Breach]:
    """Yield a currency that is not that of the price books, and a validity beyond that of what the plan rests on."""
    if plan.currency != ledger.currency:
        message = f"the plan counts in {plan.currency}, the price books in {ledger.currency}"
        yield Breach("plan.currency", "", None, plan.currency, ledger.currency, message)
    used = {use.dataset for workload in estate.workloads.values() for use in workload.consumes}
    expiries = [
        rule.expires
        for rule in estate.regulations.values()
        for data in (estate.datasets[name] for name in used)
        if estate.sites[data.home].jurisdiction in rule.jurisdictions and data.sensitivity in rule.classes
    ]
    expiries += ledger.expiries
    first = min(expiries).isoformat() if expiries else None
    if first is not None and (plan.valid_until is None or plan.valid_until > first):
        message = f"the plan claims to hold until {plan.valid_until}, what it rests on expires on {first}"
        yield Breach("plan.valid-until", "", None, plan.valid_until, first, message)
