"""Prices that contradict each other or the sites they are about."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from cellwright.errors import Diagnostic, nearest
from cellwright.estate.repeats import twice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cellwright.errors import Mark
    from cellwright.estate.declarations import Declaration

_PRICED = ("compute", "owned")


def price_conflicts(books: Sequence[Declaration], sites: Sequence[Declaration]) -> Iterator[Diagnostic]:
    """Yield two prices for one thing, two currencies of compute, and prices of machines that are not there."""
    pricing = [book for book in books if any(next(book.values("spec", key, "*"), None) for key in _PRICED)]
    yield from _second_currencies([place for book in pricing for place in book.texts("spec", "currency")])
    sound = {site.name: site.document.spec for site in sites if site.document and site.name}
    places: list[tuple[str, Mark]] = []
    for book in pricing:
        for key in _PRICED:
            for entry, mark in book.values("spec", key, "*"):
                if isinstance(entry, dict) and isinstance(entry.get("tier"), str):
                    places += _thing(key, entry, mark)
                    yield from _misplaced(entry, mark, sound, complete=len(sound) == len(sites))
    yield from twice("duplicate-price", "is given twice", places)


def _thing(key: str, entry: dict[str, Any], mark: Mark) -> Iterator[tuple[str, Mark]]:
    """Yield what an entry prices, where it can be told."""
    site, node = entry.get("site"), entry.get("node")
    if isinstance(site, str | None) and isinstance(node, str | None):
        where = site or f"the tier {entry['tier']}"
        what = "compute" if key == "compute" else f"owned {f'machines {node!r}' if node else 'machines'}"
        yield f"the price of {what} at {where}", mark


def _misplaced(entry: dict[str, Any], mark: Mark, sound: dict[str, Any], *, complete: bool) -> Iterator[Diagnostic]:
    """Yield where a site is of another tier, or has no such machines; `sound` are the sites that can be read."""
    site, node, tier = entry.get("site"), entry.get("node"), entry["tier"]
    spec = sound.get(site) if isinstance(site, str) else None
    if spec and spec.tier != tier:
        yield Diagnostic("wrong-tier", f"{site} is not of the tier {tier!r}", mark, repr(str(spec.tier)))
    if not isinstance(node, str) or not (spec or (site is None and complete)):
        return
    there = [spec] if spec else [each for each in sound.values() if each.tier == tier]
    names = sorted({machine.name for each in there for machine in each.nodes})
    if node not in names:
        where = site or f"any site of the tier {tier}"
        message = f"there is no node named {node!r} at {where}"
        expected = f"one of {', '.join(names)}" if names else None
        yield Diagnostic("unknown-node", message, mark, expected, nearest(node, names))


def _second_currencies(places: Sequence[tuple[str, Mark]]) -> Iterator[Diagnostic]:
    if not places:
        return
    usual = Counter(currency for currency, _ in places).most_common(1)[0][0]
    first = next(mark for currency, mark in places if currency == usual)
    for currency, mark in places:
        if currency != usual:
            message = f"compute is priced in {currency!r} here and in {usual!r} elsewhere"
            yield Diagnostic("currency-mismatch", message, mark, repr(usual), f"first at {first}")
