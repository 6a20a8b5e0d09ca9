"""Which prices hold where: price books of one currency, looked up by site and machine."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

from cellwright.estate.model import ComputePrices, OwnedHardware, Tier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cellwright.estate.model import PriceBook, Site

NO_CURRENCY: Final = "XXX"  # ISO 4217: "no currency is involved"
HOURS_PER_YEAR: Final = 8766.0  # 365.25 days

_EntryT = TypeVar("_EntryT", ComputePrices, OwnedHardware)
_Place: TypeAlias = tuple[Tier | None, str | None]  # of a tier, or of the site of that name


@dataclass(frozen=True, slots=True)
class Listed(Generic[_EntryT]):
    """An entry of a price book, and where it is from."""

    entry: _EntryT
    book: str
    source: str

    @property
    def place(self) -> str:
        """What the entry is about: its site, else its tier."""
        return self.entry.site or self.entry.tier.value


@dataclass(frozen=True, slots=True)
class Tariff:
    """The prices that hold at one site; prices None: nobody has priced the site in this currency."""

    prices: ComputePrices | None
    source: str
    book: str = ""
    site: str = ""
    pue: float | None = None
    owned: tuple[Listed[OwnedHardware], ...] = ()  # the first that names a machine holds for it

    @property
    def place(self) -> str:
        """What the prices are about: a site or a tier."""
        return (self.prices.site or self.prices.tier.value) if self.prices else ""

    def ownership(self, node: str) -> Listed[OwnedHardware] | None:
        """Return what the machine called `node` costs its owner, None where it is paid for by the hour."""
        return next((each for each in self.owned if each.entry.node in {None, node}), None)


class PriceLists:
    """The price books of one currency; there is no exchange rate to convert others with."""

    def __init__(self, books: Iterable[PriceBook], currency: str) -> None:
        self.currency = currency
        known = sorted((book for book in books if book.currency == currency), key=lambda book: book.name)
        self._compute = _placed(_listed(entry, book) for book in known for entry in book.compute)
        self._owned = _placed(_listed(entry, book) for book in known for entry in book.owned)

    def tariff(self, site: Site) -> Tariff:
        """Return the prices at `site`: an entry for the site wins over one for its tier, then the first book by name.

        Of owned hardware, an entry that names a machine wins over one for all machines of the same place.
        """
        owned = tuple(
            sorted((*self._owned.get((None, site.name), ()), *self._owned.get((site.tier, None), ())), key=_precedence)
        )
        compute = (*self._compute.get((None, site.name), ()), *self._compute.get((site.tier, None), ()))
        if not compute:
            source = f"no price in {self.currency} for {site.name} or tier {site.tier}"
            return Tariff(None, source, "", site.name, site.pue, owned)
        first = compute[0]
        return Tariff(first.entry, first.source, first.book, site.name, site.pue, owned)


def tariff_at(site: Site, books: Iterable[PriceBook], currency: str) -> Tariff:
    """Return the prices at one site; to ask for many sites, keep the `PriceLists`."""
    return PriceLists(books, currency).tariff(site)


def compute_currency(books: Iterable[PriceBook]) -> str:
    """Return the currency of the first price book (by name) that prices machines; `XXX` when none does."""
    priced = sorted((book.name, book.currency) for book in books if book.compute or book.owned)
    return priced[0][1] if priced else NO_CURRENCY


def machine_hour(owned: OwnedHardware) -> float:
    """Return what an hour in which a machine earns costs its owner, without energy.

    The purchase price is spread evenly (straight-line depreciation) over the hours of its life in which it earns.
    """
    return owned.capex / (owned.lifetime_years * HOURS_PER_YEAR * owned.utilisation)


def facility_kw(owned: OwnedHardware, pue: float | None) -> float | None:
    """Return what the facility draws for one machine, kW; None where the PUE is unknown.

    An unknown PUE makes the energy unknown, not 1.0: no facility is that good (ISO/IEC 30134-2 defines PUE as total
    over IT energy, never below one). A site whose price of a kilowatt-hour already covers cooling states a PUE of 1.
    """
    if not owned.power_kw or not owned.kwh:
        return 0.0
    return None if pue is None else owned.power_kw * pue


def _listed(entry: _EntryT, book: PriceBook) -> Listed[_EntryT]:
    return Listed(entry, book.name, f"{book.name}: {book.source}, {book.checked.isoformat()}")


def _placed(entries: Iterable[Listed[_EntryT]]) -> Mapping[_Place, list[Listed[_EntryT]]]:
    """Return entries by the place they are about, those of the first book first."""
    found: dict[_Place, list[Listed[_EntryT]]] = defaultdict(list)
    for each in entries:
        found[(None, each.entry.site) if each.entry.site else (each.entry.tier, None)].append(each)
    return dict(found)


def _precedence(owned: Listed[OwnedHardware]) -> tuple[bool, bool, str]:
    return owned.entry.site is None, owned.entry.node is None, owned.book
