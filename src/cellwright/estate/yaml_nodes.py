"""YAML text becomes plain values that remember their places; one broken document does not hide the others."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import yaml

from cellwright.errors import Diagnostic, Mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    _Events = Callable[[], "_Event"]  # the parser: each call returns the next event
    Path = tuple[str | int, ...]  # keys and 0-based positions from a document down to a value

DEPTH_LIMIT: Final = 32  # an estate document needs less than ten levels
SIZE_LIMIT: Final = 100_000  # values of one document, aliases written out: bounds what an alias bomb can ask for

_Event: TypeAlias = Any  # the stubs of PyYAML know neither tags nor that places are always there
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})  # shared: most nodes have nothing inside
_DOCUMENT_START: Final = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_NAME_KEY: Final = re.compile(r"\bname:[ \t]*[\"']?([^\s,\"'{}\[\]]+)")
_TYPED_STARTS: Final = frozenset("~nNtTfF+-.0123456789")  # first characters of plain scalars that are not text
_NULL: Final = re.compile(r"~|null|Null|NULL|")
_BOOL: Final = re.compile(r"(true|True|TRUE)|false|False|FALSE")
_INT: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NO_COLON: Final = "could not find expected ':'"
_CORE: Final = "tag:yaml.org,2002:"
_TEXT_TAGS: Final = frozenset({"!", f"{_CORE}str"})
_KNOWN_TAGS: Final = frozenset(
    {None, *_TEXT_TAGS, *(f"{_CORE}{name}" for name in ("null", "bool", "int", "float", "map", "seq", "timestamp"))}
)


@dataclass(frozen=True, slots=True)
class Node:
    """A plain value, where it stands, and for a collection the nodes inside it."""

    value: Any
    mark: Mark
    size: int = 1  # values inside it and itself
    children: Mapping[str | int, Node] = field(default_factory=lambda: _NOTHING)
    key_marks: Mapping[str, Mark] = field(default_factory=lambda: _NOTHING)

    def descend(self, path: Path) -> Node:
        """Return the node at `path`, or the innermost collection on the way that exists."""
        node = self
        for step in path:
            if step not in node.children:
                break
            node = node.children[step]
        return node

    def key_mark(self, path: Path) -> Mark:
        """Return the mark of the key that `path` ends in."""
        parent = self.descend(path[:-1])
        return parent.key_marks.get(str(path[-1]), parent.mark)


@dataclass(frozen=True, slots=True)
class YamlText:
    """What one file holds: its documents, its problems, and names seen in text that could not be read."""

    documents: tuple[Node, ...]
    problems: tuple[Diagnostic, ...]
    lost_names: frozenset[str]


class _RefusedError(Exception):
    """The rest of this piece of text cannot be used; carries the reason."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(str(diagnostic))


def read_yaml(file: str, text: str) -> YamlText:
    """Return the documents of a YAML 1.2 text; `file` is the name that marks carry.

    Only `true` and `false` are booleans, so that NO stays Norway; dates stay text.
    """
    documents: list[Node] = []
    problems: list[Diagnostic] = []
    lost: set[str] = set()
    for first_line, piece in _pieces(text):
        composer = _Composer(file, first_line)
        try:
            documents.extend(composer.compose(piece))
        except _RefusedError as refused:
            problems.append(refused.diagnostic)
            lost.update(_NAME_KEY.findall(piece))
        except (yaml.YAMLError, UnicodeEncodeError) as error:
            problems.append(_syntax_problem(error, composer, piece))
            lost.update(_NAME_KEY.findall(piece))
        problems.extend(composer.problems)
    return YamlText(tuple(documents), tuple(problems), frozenset(lost))


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Yield each document's text with the number of lines before it."""
    starts = [match.start() for match in _DOCUMENT_START.finditer(text)]
    if text.startswith("%"):  # directives belong to the first document
        starts = starts[1:]
    lines = 0
    for start, end in zip([0, *starts], [*starts, len(text)], strict=True):
        piece = text[start:end]
        yield lines, piece
        lines += piece.count("\n")


class _Composer:
    """Builds nodes from the events of one piece of text."""

    def __init__(self, file: str, first_line: int) -> None:
        self.problems: list[Diagnostic] = []
        self._file = file
        self._first_line = first_line
        self._anchors: dict[str, Node] = {}

    def mark(self, line: int, column: int) -> Mark:
        """Return the mark of a 0-based place in this piece."""
        return Mark(self._file, self._first_line + line + 1, column + 1)

    def compose(self, piece: str) -> Iterator[Node]:
        """Yield the documents; raises YAMLError and _RefusedError."""
        loader = _LOADER(piece)
        take: _Events = loader.get_event
        while not isinstance(event := take(), yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
                node = self._node(take(), take, 0)
                if node.value is not None:
                    yield node

    def _node(self, event: _Event, take: _Events, depth: int) -> Node:
        mark = self.mark(event.start_mark.line, event.start_mark.column)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), mark)
        if event.tag not in _KNOWN_TAGS:
            self._problem("unknown-tag", f"tag {event.tag!r} has no meaning here", mark, "a plain value")
        if depth > DEPTH_LIMIT:
            raise _RefusedError(_too_large(f"values are nested more than {DEPTH_LIMIT} deep", mark))
        if isinstance(event, yaml.ScalarEvent):
            node = Node(_scalar(event), mark)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(take, mark, depth)
        else:
            node = self._mapping(take, mark, depth)
        if node.size > SIZE_LIMIT:
            raise _RefusedError(_too_large(f"the document holds more than {SIZE_LIMIT} values", mark))
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, anchor: str, mark: Mark) -> Node:
        if anchor not in self._anchors:
            self._problem("unknown-alias", f"no finished value is anchored as &{anchor} before *{anchor}", mark)
            return Node(None, mark)
        return self._anchors[anchor]

    def _sequence(self, take: _Events, mark: Mark, depth: int) -> Node:
        items: list[Node] = []
        size = 1
        while not isinstance(event := take(), yaml.SequenceEndEvent):
            items.append(self._node(event, take, depth + 1))
            size = _checked_size(size + items[-1].size, mark)
        return Node([item.value for item in items], mark, size, dict(enumerate(items)))

    def _mapping(self, take: _Events, mark: Mark, depth: int) -> Node:
        children: dict[str | int, Node] = {}
        key_marks: dict[str, Mark] = {}
        size = 1
        while not isinstance(event := take(), yaml.MappingEndEvent):
            key_node = self._node(event, take, depth + 1)
            value_node = self._node(take(), take, depth + 1)
            size = _checked_size(size + 1 + value_node.size, mark)
            key = event.value if isinstance(event, yaml.ScalarEvent) else None
            if key is None:
                self._problem("not-a-key", "a key must be plain text", key_node.mark, "text such as 'name'")
            elif key in children:
                first = key_marks[key]
                self._problem("duplicate-key", f"key {key!r} occurs twice", key_node.mark, None, f"first at {first}")
            else:
                children[key], key_marks[key] = value_node, key_node.mark
        return Node({key: child.value for key, child in children.items()}, mark, size, children, key_marks)

    def _problem(
        self, code: str, message: str, mark: Mark, expected: str | None = None, hint: str | None = None
    ) -> None:
        self.problems.append(Diagnostic(code, message, mark, expected, hint))


def _checked_size(size: int, mark: Mark) -> int:
    if size > SIZE_LIMIT:
        raise _RefusedError(_too_large(f"the document holds more than {SIZE_LIMIT} values", mark))
    return size


def _too_large(message: str, mark: Mark) -> Diagnostic:
    return Diagnostic("too-large", message, mark, hint="write several smaller documents, without aliases of aliases")


def _scalar(event: yaml.ScalarEvent) -> str | float | bool | None:
    """Return the value of a scalar by the core schema of YAML 1.2 (clause 10.3.2), less octal, hex, inf and nan.

    Digits behind a leading zero are text: whoever writes 007 means a label.
    """
    text = event.value
    if (event.tag is None and not event.implicit[0]) or event.tag in _TEXT_TAGS:
        return text
    if text and text[0] not in _TYPED_STARTS:
        return text
    if _NULL.fullmatch(text):
        return None
    if match := _BOOL.fullmatch(text):
        return match[1] is not None
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _syntax_problem(error: Exception, composer: _Composer, piece: str) -> Diagnostic:
    """Return where and why the YAML parser gave up."""
    place = (0, 0)
    if isinstance(error, yaml.MarkedYAMLError):
        begun = error.context_mark if error.problem == _NO_COLON else None  # the parser notices it a line too late
        if at := begun or error.problem_mark or error.context_mark:
            place = at.line, at.column
        cause = " ".join(part for part in (error.context, error.problem) if part)
    else:
        place = _bad_character(piece)
        cause = "a character that YAML does not allow"
    line = piece.split("\n")[place[0] : place[0] + 1]
    hint = "indent with spaces, not tabs" if line and line[0][: place[1] + 1].endswith("\t") else None
    return Diagnostic("yaml-syntax", "this is not valid YAML", composer.mark(*place), None, hint, cause)


def _bad_character(piece: str) -> tuple[int, int]:
    """Return the 0-based line and column of the first character outside YAML 1.2's printable set (clause 5.1)."""
    match = re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", piece)
    before = piece[: match.start()] if match else ""
    return before.count("\n"), len(before) - before.rfind("\n") - 1
