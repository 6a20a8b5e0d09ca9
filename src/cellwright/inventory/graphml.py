"""GraphML (graphml.graphdrawing.org, specification 1.0), read as events by expat; entity declarations are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.parsers import expat

from cellwright.errors import Mark
from cellwright.inventory.graph import DEPTH_LIMIT, Graph, GraphEdge, GraphNode

if TYPE_CHECKING:
    from cellwright.inventory.findings import Findings

_WHOLE: Final = True  # nothing follows
_TEXT_LIMIT: Final = 10_000  # characters of one value
_LABEL: Final = "label"
_DEFAULTED: Final = ("node", "edge", "all")


class _RefusedError(Exception):
    """The document must not or cannot be read on; carries code and message."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code, self.hint = code, hint


@dataclass(frozen=True, slots=True)
class _Key:
    name: str
    of: str  # node, edge, all, graph ...
    default: str | None


def read_graphml(data: bytes | str, file: str, findings: Findings) -> Graph:
    """Return the graph of a GraphML document; what is wrong is noted with its line."""
    reader = _Reader(file, findings)
    try:
        reader.parser.Parse(data, _WHOLE)
    except expat.ExpatError as error:
        message = f"this is not well-formed XML: {expat.errors.messages[error.code]}"
        findings.problem(
            "xml-syntax", message, Mark(file, error.lineno, error.offset + 1), hint="is the file complete?"
        )
    except (LookupError, ValueError) as error:
        message = f"the document's encoding cannot be read: {error}"
        findings.problem("wrong-encoding", message, Mark(file, 1, 1), hint="save it as UTF-8")
    except _RefusedError as refused:
        findings.problem(refused.code, str(refused), reader.mark(), hint=refused.hint)
    else:
        reader.finish()
    return reader.graph


class _Reader:
    """Collects nodes and edges while expat reads."""

    def __init__(self, file: str, findings: Findings) -> None:
        self.graph = Graph()
        self._file, self._findings = file, findings
        self._keys: dict[str, _Key] = {}
        self._path: list[str] = []
        self._nodes: list[GraphNode] = []  # nodes that are open, the innermost last
        self._edge: GraphEdge | None = None
        self._text: list[str] | None = None
        self._length = 0
        self._data_key = ""
        self._graphs = 0
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.EntityDeclHandler = self._entity
        self.parser.ExternalEntityRefHandler = self._entity

    def mark(self) -> Mark:
        """Return where the parser is."""
        return Mark(self._file, self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1)

    def finish(self) -> None:
        """Fill defaults, and note a document without exactly one topology."""
        if self._graphs == 0:
            self._findings.problem(
                "not-a-topology", "the document holds no graph", Mark(self._file, 1, 1), expected="<graphml><graph>"
            )
        for key in self._keys.values():
            if key.default is not None and key.of in _DEFAULTED:
                elements: list[GraphNode | GraphEdge] = []
                elements += self.graph.nodes.values() if key.of in {"node", "all"} else ()
                elements += self.graph.edges if key.of in {"edge", "all"} else ()
                for element in elements:
                    element.attributes.setdefault(key.name, key.default)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        self._path.append(name)
        if len(self._path) > DEPTH_LIMIT:
            raise _RefusedError("too-large", f"elements are nested more than {DEPTH_LIMIT} deep")
        if name == "graph":
            self._graphs += 1
        elif name == "node":
            node = GraphNode(self._needed(attributes, "id", name), self.mark())
            self.graph.add_node(node, self._findings)
            self._nodes.append(node)
            self._check_size()
        elif name == "edge":
            ends = (self._needed(attributes, "source", name), self._needed(attributes, "target", name))
            self._edge = GraphEdge(*ends, self.mark())
            self.graph.edges.append(self._edge)
            self._check_size()
        elif name == "hyperedge":
            self._findings.skipped("hyperedges: links of more than two ends", f"line {self.mark().line}")
        elif name == "key":
            self._data_key = self._needed(attributes, "id", name)
            names = attributes.get("attr.name", self._data_key)
            self._keys[self._data_key] = _Key(names, attributes.get("for", "all"), None)
        elif name in {"data", "default", "NodeLabel"}:
            self._data_key = attributes.get("key", self._data_key)
            self._text, self._length = [], 0

    def _end(self, tag: str) -> None:
        name = self._path.pop()
        if name == "node":
            self._nodes.pop()
        elif name == "edge":
            self._edge = None
        elif name in {"data", "default", "NodeLabel"} and self._text is not None:
            value = "".join(self._text).strip()
            self._text = None
            self._keep(name, value)
        del tag

    def _keep(self, element: str, value: str) -> None:
        key = self._keys.get(self._data_key)
        if element == "default":
            if key is not None:
                self._keys[self._data_key] = _Key(key.name, key.of, value)
            return
        holder = self._edge or (self._nodes[-1] if self._nodes else None)
        if holder is None or not value:
            return
        name = _LABEL if element == "NodeLabel" else key.name if key else self._data_key
        holder.attributes.setdefault(name, value)

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._length += len(text)
            if self._length > _TEXT_LIMIT:
                raise _RefusedError("too-large", f"a value of more than {_TEXT_LIMIT:,} characters")
            self._text.append(text)

    def _entity(self, *_: object) -> int:
        raise _RefusedError(
            "entity-declaration", "the document declares entities of its own", "write the characters themselves"
        )

    def _needed(self, attributes: dict[str, str], name: str, element: str) -> str:
        if name not in attributes:
            raise _RefusedError("not-graphml", f"a <{element}> without {name!r}")
        return attributes[name]

    def _check_size(self) -> None:
        if self.graph.full(self.mark(), self._findings):
            raise _RefusedError("too-large", "reading stopped here")
