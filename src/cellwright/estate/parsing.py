"""Texts become an Estate, or every problem with its place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cellwright.errors import Diagnostic, Mark, Severity
from cellwright.estate.consistency import inconsistencies
from cellwright.estate.declarations import by_kind, declare, doubtful_names
from cellwright.estate.documents.kinds import Kind
from cellwright.estate.model import Estate
from cellwright.estate.suppositions import read_supposition, suppose
from cellwright.estate.yaml_nodes import read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwright.estate.declarations import Declaration
    from cellwright.estate.model import Dataset, Site, Workload


@dataclass(frozen=True, slots=True)
class Parsed:
    """An estate and what was found on the way to it; the estate is None beside an error."""

    estate: Estate | None
    diagnostics: tuple[Diagnostic, ...]  # by file, line, column
    declarations: Mapping[tuple[Kind, str], Declaration]

    def mark(self, kind: Kind, name: str, *path: str) -> Mark | None:
        """Return where a document, or the value at `path` in it, stands; None for a document that does not exist."""
        declaration = self.declarations.get((kind, name))
        return declaration.node.descend(path or ("metadata", "name")).mark if declaration else None


def parse(documents: Sequence[tuple[str, str]], supposed: Sequence[str] = ()) -> Parsed:
    """Return the estate in pairs of file name (as shown to the user) and YAML text, or all problems at once.

    Each of `supposed` takes one value to be another, as `suppositions` reads it; raises UsageError where it cannot.
    """
    texts = [read_yaml(file, text) for file, text in documents]
    nodes = tuple(node for text in texts for node in text.documents)
    for supposition in supposed:
        nodes = suppose(nodes, read_supposition(supposition))
    declarations, problems = declare(nodes)
    diagnostics = [problem for text in texts for problem in text.problems]
    diagnostics.extend(problems)
    unreadable = frozenset(doubtful_names(declarations))
    kinds = by_kind(declarations)
    diagnostics.extend(inconsistencies(kinds, unreadable.union(*(text.lost_names for text in texts))))
    if not declarations and not diagnostics:
        diagnostics.append(_empty(documents))
    sound = all(item.severity is not Severity.ERROR for item in diagnostics)
    return Parsed(
        estate=_estate(kinds) if sound else None,
        diagnostics=in_order(diagnostics),
        declarations=MappingProxyType(
            {(item.kind, item.name): item for item in declarations if item.kind and item.name}
        ),
    )


def in_order(diagnostics: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return the distinct diagnostics by file, line and column; those without a place come first."""
    nowhere = Mark("", 0, 0)
    return tuple(sorted(dict.fromkeys(diagnostics), key=lambda item: (item.mark or nowhere, item.code, item.message)))


def _empty(documents: Sequence[tuple[str, str]]) -> Diagnostic:
    mark = Mark(documents[0][0], 1, 1) if documents else None
    expected = f"documents with apiVersion, kind ({', '.join(Kind)}), metadata and spec"
    return Diagnostic("empty-estate", "the estate declares nothing", mark, expected)


def _estate(kinds: Mapping[Kind, Sequence[Declaration]]) -> Estate:
    """Return the frozen estate; all documents are sound."""

    def of(kind: Kind) -> Mapping[str, Any]:
        built = [declaration.document.build() for declaration in kinds.get(kind, ())]
        return MappingProxyType({item.name: item for item in sorted(built, key=lambda item: item.name)})

    sites, datasets = of(Kind.SITE), of(Kind.DATASET)
    workloads = of(Kind.WORKLOAD)
    return Estate(
        sites=sites,
        links=of(Kind.LINK),
        datasets=datasets,
        regulations=of(Kind.REGULATION),
        workloads=MappingProxyType({name: _served(each, sites, datasets) for name, each in workloads.items()}),
        tenants=of(Kind.TENANT),
        price_books=of(Kind.PRICE_BOOK),
        measurements=of(Kind.MEASUREMENT),
    )


def _served(workload: Workload, sites: Mapping[str, Site], datasets: Mapping[str, Dataset]) -> Workload:
    """Return the workload with users where none are written: those of the first of its replicas' own sites or homes."""
    if workload.latency.users:
        return workload
    per_site, homes = workload.replicas.per_site, workload.replicas.per_home
    own = (name for name, site in sites.items() if per_site and per_site.selects(site))
    users = datasets[homes[0]].home if homes else next(own, next(iter(sites), ""))
    return replace(workload, latency=replace(workload.latency, users=users))
