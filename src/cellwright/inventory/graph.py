"""A topology as its file describes it, and what both readers refuse."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cellwright.inventory.model import ELEMENT_LIMIT

if TYPE_CHECKING:
    from cellwright.errors import Mark
    from cellwright.inventory.findings import Findings

DEPTH_LIMIT: Final = 32


@dataclass(slots=True)
class GraphNode:
    """A node: its identifier and every plain attribute, text as written."""

    id: str
    mark: Mark
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class GraphEdge:
    """An edge between two nodes, by their identifiers."""

    source: str
    target: str
    mark: Mark
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Graph:
    """Nodes by identifier, and edges in the order of the file."""

    nodes: dict[str, GraphNode] = field(default_factory=dict)
    edges: list[GraphEdge] = field(default_factory=list)

    def add_node(self, node: GraphNode, findings: Findings) -> None:
        """Add a node unless its identifier is taken."""
        first = self.nodes.setdefault(node.id, node)
        if first is not node:
            message = f"the node id {node.id!r} occurs twice"
            findings.problem("duplicate-node", message, node.mark, hint=f"first at {first.mark}")

    def full(self, mark: Mark, findings: Findings) -> bool:
        """Return whether there are more elements than an import may have, and say so."""
        if max(len(self.nodes), len(self.edges)) <= ELEMENT_LIMIT:
            return False
        findings.problem("too-large", f"more than {ELEMENT_LIMIT:,} nodes or edges", mark, hint="import parts")
        return True
