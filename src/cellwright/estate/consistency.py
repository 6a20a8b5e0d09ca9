"""What is wrong between documents: references, cycles, duplicates, currencies. Works on broken documents too."""

from __future__ import annotations

from collections import Counter, defaultdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cellwright.errors import Diagnostic, nearest
from cellwright.estate.cycles import cycles
from cellwright.estate.documents.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cellwright.errors import Mark
    from cellwright.estate.declarations import Declaration

    ByKind = Mapping[Kind, Sequence[Declaration]]

REFERENCES: Final = MappingProxyType(
    {
        Kind.LINK: ((("spec", "a"), Kind.SITE), (("spec", "b"), Kind.SITE)),
        Kind.DATASET: ((("spec", "home"), Kind.SITE), (("spec", "derivedFrom", "*"), Kind.DATASET)),
        Kind.WORKLOAD: (
            (("spec", "tenant"), Kind.TENANT),
            (("spec", "consumes", "*", "dataset"), Kind.DATASET),
            (("spec", "latency", "users"), Kind.SITE),
            (("spec", "calls", "*", "workload"), Kind.WORKLOAD),
        ),
        Kind.PRICE_BOOK: ((("spec", "compute", "*", "site"), Kind.SITE),),
    }
)
"""Which fields name which kind of document."""

_ACYCLIC: Final = (
    (Kind.WORKLOAD, ("spec", "calls", "*", "workload"), "calls"),
    (Kind.DATASET, ("spec", "derivedFrom", "*"), "derivedFrom"),
)

HINT_LIMIT: Final = 100  # unknown names for which the nearest is sought: each search compares all names


def inconsistencies(declared: ByKind, doubtful: frozenset[str]) -> Iterator[Diagnostic]:
    """Yield every problem between documents; `doubtful` names may exist in text that could not be read."""
    yield from _duplicate_documents(declared)
    yield from _unknown_references(declared, doubtful)
    for kind, path, key in _ACYCLIC:
        yield from _cycles(declared.get(kind, ()), path, key)
    yield from _parallel_links(declared.get(Kind.LINK, ()))
    yield from _duplicate_nodes(declared.get(Kind.SITE, ()))
    yield from _price_conflicts(declared)


def _twice(code: str, what: str, places: Iterable[tuple[str, Mark]]) -> Iterator[Diagnostic]:
    """Yield a diagnostic for each key that occurred before; `what` continues after the key."""
    first: dict[str, Mark] = {}
    for key, mark in places:
        if key in first:
            yield Diagnostic(code, f"{key} {what}", mark, hint=f"first at {first[key]}")
        first.setdefault(key, mark)


def _duplicate_documents(declared: ByKind) -> Iterator[Diagnostic]:
    for kind, declarations in declared.items():
        places = ((f"{kind} {item.name!r}", item.mark()) for item in declarations if item.name is not None)
        yield from _twice("duplicate-name", "is declared twice", places)


def _unknown_references(declared: ByKind, doubtful: frozenset[str]) -> Iterator[Diagnostic]:
    names = {kind: {item.name: None for item in declared.get(kind, ()) if item.name is not None} for kind in Kind}
    hints: dict[tuple[Kind, str], str | None] = {}
    for kind, references in REFERENCES.items():
        for path, target in references:
            for declaration in declared.get(kind, ()):
                for name, mark in declaration.texts(*path):
                    if name not in names[target] and name not in doubtful:
                        if (target, name) not in hints and len(hints) < HINT_LIMIT:
                            hints[target, name] = nearest(name.lower(), names[target])
                        yield _unknown(name, target, mark, hints.get((target, name)))


def _unknown(name: str, target: Kind, mark: Mark, hint: str | None) -> Diagnostic:
    code = f"unknown-{target.lower()}"
    return Diagnostic(code, f"there is no {target} named {name!r}", mark, f"the name of a {target}", hint)


def _cycles(declarations: Sequence[Declaration], path: tuple[str, ...], key: str) -> Iterator[Diagnostic]:
    edges: defaultdict[str, dict[str, Mark]] = defaultdict(dict)
    for declaration in declarations:
        if declaration.name is not None:
            for target, mark in declaration.texts(*path):
                edges[declaration.name].setdefault(target, mark)
    for cycle in cycles(edges):
        mark = edges[cycle[-1]][cycle[0]]
        route = " -> ".join([*cycle, cycle[0]])
        yield Diagnostic(
            "cycle", f"{key} goes round in a circle: {route}", mark, hint="take one of these references out"
        )


def _parallel_links(links: Sequence[Declaration]) -> Iterator[Diagnostic]:
    places = []
    for link in links:
        ends = [name for end in ("a", "b") for name, _ in link.texts("spec", end)]
        if len(set(ends)) == 2:  # noqa: PLR2004 - a link has two ends; a link to itself is reported as that
            places.append((f"the pair {' and '.join(sorted(ends))}", link.node.descend(("spec",)).mark))
    yield from _twice("duplicate-link", "is linked twice", places)


def _duplicate_nodes(sites: Sequence[Declaration]) -> Iterator[Diagnostic]:
    for site in sites:
        names = ((f"node {name!r} of {site.name}", mark) for name, mark in site.texts("spec", "nodes", "*", "name"))
        yield from _twice("duplicate-name", "is declared twice", names)


def _price_conflicts(declared: ByKind) -> Iterator[Diagnostic]:
    """Yield two prices for one thing, two currencies of compute, and prices filed under a site's wrong tier."""
    books = [book for book in declared.get(Kind.PRICE_BOOK, ()) if next(book.values("spec", "compute", "*"), None)]
    yield from _second_currencies([place for book in books for place in book.texts("spec", "currency")])
    sites = (site for site in declared.get(Kind.SITE, ()) if site.document)
    tiers = {site.name: str(site.document.spec.tier) for site in sites}
    places: list[tuple[str, Mark]] = []
    for book in books:
        for entry, mark in book.values("spec", "compute", "*"):
            tier, site = (entry.get("tier"), entry.get("site")) if isinstance(entry, dict) else (None, None)
            if isinstance(tier, str) and isinstance(site, str | None):
                places.append((f"the price of compute at {site or f'the tier {tier}'}", mark))
                if site and tiers.get(site, tier) != tier:
                    yield Diagnostic("wrong-tier", f"{site} is not of the tier {tier!r}", mark, repr(tiers[site]))
    yield from _twice("duplicate-price", "is given twice", places)


def _second_currencies(places: Sequence[tuple[str, Mark]]) -> Iterator[Diagnostic]:
    if not places:
        return
    usual = Counter(currency for currency, _ in places).most_common(1)[0][0]
    first = next(mark for currency, mark in places if currency == usual)
    for currency, mark in places:
        if currency != usual:
            message = f"compute is priced in {currency!r} here and in {usual!r} elsewhere"
            yield Diagnostic("currency-mismatch", message, mark, repr(usual), f"first at {first}")
