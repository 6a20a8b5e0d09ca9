"""What is wrong between documents: references, cycles, duplicates, contradictions. Works on broken documents too."""

from __future__ import annotations

from collections import defaultdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cellwright.errors import Diagnostic, nearest
from cellwright.estate.affinity import torn_apart
from cellwright.estate.contradictions import contradictions
from cellwright.estate.cycles import cycles
from cellwright.estate.documents.kinds import Kind
from cellwright.estate.price_conflicts import price_conflicts
from cellwright.estate.repeats import twice

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

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
            (("spec", "replicas", "perHome", "*"), Kind.DATASET),
            (("spec", "togetherWith", "*"), Kind.WORKLOAD),
            (("spec", "apartFrom", "*"), Kind.WORKLOAD),
        ),
        Kind.PRICE_BOOK: (
            (("spec", "compute", "*", "site"), Kind.SITE),
            (("spec", "owned", "*", "site"), Kind.SITE),
        ),
        Kind.MEASUREMENT: (
            (("spec", "workload"), Kind.WORKLOAD),
            (("spec", "users"), Kind.SITE),
            (("spec", "site"), Kind.SITE),
        ),
    }
)
"""Which fields name which kind of document."""

_ACYCLIC: Final = (
    (Kind.WORKLOAD, ("spec", "calls", "*", "workload"), "calls"),
    (Kind.WORKLOAD, ("spec", "togetherWith", "*"), "togetherWith"),
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
    yield from _repeated_measurements(declared.get(Kind.MEASUREMENT, ()))
    workloads = declared.get(Kind.WORKLOAD, ())
    yield from _unconsumed_homes(workloads, {item.name for item in declared.get(Kind.DATASET, ())})
    yield from torn_apart(workloads)
    yield from contradictions(declared.get(Kind.REGULATION, ()))
    yield from price_conflicts(declared.get(Kind.PRICE_BOOK, ()), declared.get(Kind.SITE, ()))


def _duplicate_documents(declared: ByKind) -> Iterator[Diagnostic]:
    for kind, declarations in declared.items():
        places = ((f"{kind} {item.name!r}", item.mark()) for item in declarations if item.name is not None)
        yield from twice("duplicate-name", "is declared twice", places)


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
    yield from twice("duplicate-link", "is linked twice", places)


def _duplicate_nodes(sites: Sequence[Declaration]) -> Iterator[Diagnostic]:
    for site in sites:
        names = ((f"node {name!r} of {site.name}", mark) for name, mark in site.texts("spec", "nodes", "*", "name"))
        yield from twice("duplicate-name", "is declared twice", names)


def _repeated_measurements(measurements: Sequence[Declaration]) -> Iterator[Diagnostic]:
    places = []
    for item in measurements:
        of = [name for key in ("workload", "users", "site") for name, _ in item.texts("spec", key)]
        if len(of) == 3:  # noqa: PLR2004 - what a measurement is of
            place = "what users at {1} measured of {0} at {2}".format(*of)
            places.append((place, item.node.descend(("spec",)).mark))
    yield from twice("duplicate-measurement", "is declared twice", places)


def _unconsumed_homes(workloads: Sequence[Declaration], datasets: Collection[str | None]) -> Iterator[Diagnostic]:
    """Yield the datasets at whose homes replicas should be, but which their workload does not consume."""
    for workload in workloads:
        consumed = [name for name, _ in workload.texts("spec", "consumes", "*", "dataset")]
        for name, mark in workload.texts("spec", "replicas", "perHome", "*"):
            if name in datasets and name not in consumed:
                message = f"{workload.name} has a replica for the home of {name!r}, but does not consume it"
                expected = f"one of {', '.join(consumed)}" if consumed else "a dataset that it consumes"
                yield Diagnostic("not-consumed", message, mark, expected, "add it to consumes, or take it out here")
