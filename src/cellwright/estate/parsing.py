"""Texts become an Estate, or every problem with its place."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cellwright.errors import Diagnostic, Mark, Severity
from cellwright.estate.consistency import inconsistencies
from cellwright.estate.declarations import by_kind, declare, doubtful_names
from cellwright.estate.documents.kinds import Kind
from cellwright.estate.model import Estate
from cellwright.estate.yaml_nodes import read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwright.estate.declarations import Declaration


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


def parse(documents: Sequence[tuple[str, str]]) -> Parsed:
    """Return the estate in pairs of file name (as shown to the user) and YAML text, or all problems at once."""
    texts = [read_yaml(file, text) for file, text in documents]
    declarations, problems = declare(node for text in texts for node in text.documents)
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

    return Estate(
        sites=of(Kind.SITE),
        links=of(Kind.LINK),
        datasets=of(Kind.DATASET),
        regulations=of(Kind.REGULATION),
        workloads=of(Kind.WORKLOAD),
        tenants=of(Kind.TENANT),
        price_books=of(Kind.PRICE_BOOK),
    )
