"""The change of prices that would make a site the cheaper choice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cellwright.estate.model import ComputePrices, OwnedHardware
from cellwright.placement.changes import Change, with_price_book
from cellwright.placement.wording import money, number

if TYPE_CHECKING:
    from cellwright.economics.tariffs import Tariff
    from cellwright.estate.model import Estate, Site
    from cellwright.placement.terrain import Terrain

_JUST_BELOW: Final = 1 - 1e-6
_DIGITS: Final = 9  # of a cost


def cheaper(terrain: Terrain, site: Site, cost: float | None, limit: float | None) -> Change | None:
    """Return prices at `site` scaled so that it costs just less than `limit`; None where a cost is unknown or zero."""
    tariff = terrain.tariff(site)
    if not cost or not limit or cost < limit:
        return None
    factor = limit / cost * _JUST_BELOW

    def apply(estate: Estate) -> Estate:
        return _repriced(estate, terrain.currency, site, tariff, factor)

    excess = round(cost - limit, _DIGITS)
    text = f"cost at {site.name} lower by more than {money(excess, terrain.currency)}: below {number(limit)}"
    return Change("cost.higher", site.name, cost, limit, f"{terrain.currency}/h", text, apply)


def _repriced(estate: Estate, currency: str, site: Site, tariff: Tariff, factor: float) -> Estate:
    """Return the estate in which the prices of a tariff, times `factor`, are the only ones that name the site."""
    compute = (_scaled(tariff.prices, site, factor),) if tariff.prices else ()
    owned = tuple(_scaled_owned(each.entry, site, factor) for each in tariff.owned)
    books = sorted(
        name for name, book in estate.price_books.items() if book.currency == currency and (book.compute or book.owned)
    )
    for name in books:
        book = estate.price_books[name]
        kept = tuple(entry for entry in book.compute if entry.site != site.name)
        kept_owned = tuple(entry for entry in book.owned if entry.site != site.name)
        first = name == books[0]
        added, added_owned = (compute, owned) if first else ((), ())
        estate = with_price_book(
            estate, replace(book, compute=(*kept, *added), owned=(*kept_owned, *_first_of_each(added_owned)))
        )
    return estate


def _first_of_each(owned: tuple[OwnedHardware, ...]) -> tuple[OwnedHardware, ...]:
    """Return the first entry of each node: the others never hold."""
    found: dict[str | None, OwnedHardware] = {}
    for entry in owned:
        found.setdefault(entry.node, entry)
    return tuple(found.values())


def _scaled(prices: ComputePrices, site: Site, factor: float) -> ComputePrices:
    """Return prices for one site, all times `factor`."""
    return ComputePrices(
        tier=site.tier,
        site=site.name,
        core_hour=prices.core_hour * factor,
        memory_gib_hour=prices.memory_gib_hour * factor,
        gpu_hour={model: price * factor for model, price in prices.gpu_hour.items()},
        ingress_gb=prices.ingress_gb * factor,
    )


def _scaled_owned(owned: OwnedHardware, site: Site, factor: float) -> OwnedHardware:
    """Return what machines of one site cost their owner, times `factor`."""
    return replace(owned, site=site.name, capex=owned.capex * factor, kwh=owned.kwh * factor)
