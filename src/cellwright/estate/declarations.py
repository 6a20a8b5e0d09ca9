"""What the documents declare: each with its kind, name and raw value, readable even where it is broken."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cellwright.errors import Diagnostic
from cellwright.estate.documents.kinds import KINDS, Kind, UnknownDocument
from cellwright.estate.refusals import refusals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cellwright.errors import Mark
    from cellwright.estate.yaml_nodes import Node


@dataclass(frozen=True, slots=True)
class Declaration:
    """One document: kind and name as far as they can be read, and the document itself where it is sound."""

    kind: Kind | None
    name: str | None
    node: Node
    document: Any  # one of the models of KINDS, None where it has problems

    def values(self, *path: str) -> Iterator[tuple[Any, Mark]]:
        """Yield the raw values at `path` with their marks; `*` stands for every item of a list."""
        pending = [(self.node, path)]
        while pending:
            node, rest = pending.pop()
            if not rest:
                yield node.value, node.mark
            elif rest[0] == "*" and isinstance(node.value, list):
                pending.extend((node.children[index], rest[1:]) for index in reversed(range(len(node.value))))
            elif rest[0] in node.children:
                pending.append((node.children[rest[0]], rest[1:]))

    def texts(self, *path: str) -> Iterator[tuple[str, Mark]]:
        """Yield those of the values at `path` that are text."""
        return ((value, mark) for value, mark in self.values(*path) if isinstance(value, str))

    def mark(self) -> Mark:
        """Return where its name stands."""
        return self.node.descend(("metadata", "name")).mark


def declare(nodes: Iterable[Node]) -> tuple[tuple[Declaration, ...], tuple[Diagnostic, ...]]:
    """Return a declaration for every mapping, and what is wrong with each document by itself."""
    declarations: list[Declaration] = []
    problems: list[Diagnostic] = []
    for node in nodes:
        if not isinstance(node.value, dict):
            expected = "a mapping with apiVersion, kind, metadata and spec"
            problems.append(Diagnostic("not-a-mapping", "the document is not a mapping", node.mark, expected))
            continue
        kind = node.value.get("kind")
        known = Kind(kind) if isinstance(kind, str) and kind in KINDS else None
        document, found = refusals(KINDS[known] if known else UnknownDocument, node)
        problems.extend(found)
        declarations.append(Declaration(known, _name(node), node, document if known else None))
    return tuple(declarations), tuple(problems)


def _name(node: Node) -> str | None:
    metadata = node.value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else None


def doubtful_names(declarations: Iterable[Declaration]) -> Iterator[str]:
    """Yield what may be the name of a document whose kind or name is not where it should be."""
    for item in declarations:
        if item.name is None:
            metadata = item.node.value.get("metadata")
            inside = metadata.values() if isinstance(metadata, dict) else ()
            yield from (text for text in (*item.node.value.values(), *inside) if isinstance(text, str))
        elif item.kind is None:
            yield item.name


def by_kind(declarations: Sequence[Declaration]) -> dict[Kind, list[Declaration]]:
    """Return the declarations of known kind by kind, in file order."""
    found: defaultdict[Kind, list[Declaration]] = defaultdict(list)
    for declaration in declarations:
        if declaration.kind is not None:
            found[declaration.kind].append(declaration)
    return found
