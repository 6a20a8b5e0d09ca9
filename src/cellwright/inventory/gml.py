"""GML, the Graph Modelling Language (Himsolt, "GML: A portable Graph File Format", University of Passau, 1997).

One pass over the tokens; nothing but the attributes of nodes and edges is kept.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cellwright.errors import Mark
from cellwright.inventory.graph import DEPTH_LIMIT, Graph, GraphEdge, GraphNode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.inventory.findings import Findings

_TOKEN: Final = re.compile(
    r"[ \t\n\f\v]+|(?P<comment>\#[^\n]*)|(?P<open>\[)|(?P<close>\])|\"(?P<text>[^\"]*)\"|(?P<word>[^\s\[\]\"]+)"
)
_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]*")
_NUMBER: Final = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf|infinity)", re.IGNORECASE)
_NODE: Final = ("graph", "node")
_EDGE: Final = ("graph", "edge")
_SHOWN: Final = 40


class _BrokenError(Exception):
    """The text ends or turns into something else; carries code, message, expectation and offset."""

    def __init__(self, code: str, message: str, offset: int, expected: str | None, hint: str | None = None) -> None:
        super().__init__(message)
        self.code, self.offset, self.expected, self.hint = code, offset, expected, hint


@dataclass(slots=True)
class _Element:
    """A list that is open: its key, where it begins and its plain values."""

    key: str
    offset: int
    values: dict[str, str] = field(default_factory=dict)


def read_gml(text: str, file: str, findings: Findings) -> Graph:
    """Return the graph of a GML text; what is wrong is noted with its line."""
    graph = Graph()
    lines = _Lines(text, file)
    graphs = 0
    try:
        for path, element in _elements(text):
            if path == _NODE:
                graph.add_node(_node(element, lines.mark(element.offset)), findings)
            elif path == _EDGE:
                graph.edges.append(_edge(element, lines.mark(element.offset)))
            elif path == ("graph",):
                graphs += 1
            if path in {_NODE, _EDGE} and graph.full(lines.mark(element.offset), findings):
                return graph
        _check_single(graphs)
    except _BrokenError as broken:
        mark = _Lines(text, file).mark(broken.offset)
        findings.problem(broken.code, str(broken), mark, expected=broken.expected, hint=broken.hint)
    return graph


def _check_single(graphs: int) -> None:
    if graphs != 1:
        message = f"the file holds {graphs or 'no'} graph{'s' if graphs > 1 else ''}"
        raise _BrokenError("not-a-topology", message, 0, "one graph [ node [ ... ] edge [ ... ] ]")


def _elements(text: str) -> Iterator[tuple[tuple[str, ...], _Element]]:
    """Yield every list when it is closed, with the keys that lead to it."""
    open_lists: list[_Element] = []
    key: tuple[str, int] | None = None
    position = 0
    for match in _TOKEN.finditer(text):
        if match.start() != position:
            break  # a quotation mark without its partner
        position = match.end()
        kind = match.lastgroup
        if kind is None or kind == "comment":
            continue
        if kind == "open":
            open_lists.append(_opened(key, match.start(), len(open_lists)))
            key = None
        elif kind == "close":
            if key is not None or not open_lists:
                what = f"the key {_shown(key[0])} has no value" if key else "a ] that closes nothing"
                raise _BrokenError("gml-syntax", what, match.start(), "pairs of key and value")
            yield tuple(each.key for each in open_lists), open_lists.pop()
        elif key is None:
            key = _key(match)
        else:
            if open_lists:
                _keep(open_lists[-1], key[0], match)
            key = None
    _check_end(text, position, open_lists, key)


def _opened(key: tuple[str, int] | None, offset: int, depth: int) -> _Element:
    if key is None:
        raise _BrokenError("gml-syntax", "a list without a key", offset, "a key before [")
    if depth >= DEPTH_LIMIT:
        raise _BrokenError("too-large", f"lists are nested more than {DEPTH_LIMIT} deep", offset, None)
    return _Element(*key)


def _check_end(text: str, position: int, open_lists: list[_Element], key: tuple[str, int] | None) -> None:
    if position < len(text):
        raise _BrokenError("gml-syntax", "a quotation mark is never closed", position, 'text between two "')
    if open_lists:
        inner = open_lists[-1]
        message = f"the text ends before {inner.key} [ is closed"
        raise _BrokenError("truncated", message, inner.offset, "a ] for every [", "is the file complete?")
    if key is not None:
        raise _BrokenError("truncated", f"the key {_shown(key[0])} has no value", key[1], "a value", "is it complete?")


def _key(match: re.Match[str]) -> tuple[str, int]:
    word = match["word"]
    if word is None or not _KEY.fullmatch(word):
        shown = _shown(match.group().strip())
        raise _BrokenError("gml-syntax", f"{shown} is no key", match.start(), "a key of letters and digits")
    return word, match.start()


def _keep(element: _Element, key: str, match: re.Match[str]) -> None:
    word = match["word"]
    if word is None:
        element.values.setdefault(key, html.unescape(match["text"]))
    elif _NUMBER.fullmatch(word):
        element.values.setdefault(key, word)
    else:
        raise _BrokenError(
            "gml-syntax", f"the value of {key} is {_shown(word)}", match.start(), 'a number, "text" or a [ list ]'
        )


def _node(element: _Element, mark: Mark) -> GraphNode:
    if "id" not in element.values:
        raise _BrokenError("gml-syntax", "a node without an id", element.offset, "id NUMBER")
    return GraphNode(element.values.pop("id"), mark, element.values)


def _edge(element: _Element, mark: Mark) -> GraphEdge:
    values = element.values
    if "source" not in values or "target" not in values:
        raise _BrokenError("gml-syntax", "an edge without source or target", element.offset, "the ids of two nodes")
    return GraphEdge(values.pop("source"), values.pop("target"), mark, values)


class _Lines:
    """Marks of rising offsets, counted once over the text."""

    def __init__(self, text: str, file: str) -> None:
        self._text, self._file = text, file
        self._offset, self._line = 0, 1

    def mark(self, offset: int) -> Mark:
        """Return the mark of an offset; of a smaller one than before at the price of counting anew."""
        if offset < self._offset:
            self._offset, self._line = 0, 1
        self._line += self._text.count("\n", self._offset, offset)
        self._offset = offset
        return Mark(self._file, self._line, offset - self._text.rfind("\n", 0, offset))


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
