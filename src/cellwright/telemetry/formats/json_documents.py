"""Reads JSON documents (RFC 8259) in pieces that hold facts: single, one a line, or in arrays; damage stays local."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from operator import setitem
from typing import TYPE_CHECKING, Any, Final

from cellwright.telemetry.formats.facts import chunks
from cellwright.telemetry.formats.json_values import NOT_VALID, BrokenError, StrictJson, skip, skip_space

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO

    from cellwright.telemetry.format import Batch
    from cellwright.telemetry.formats.gathered import GatheredFacts

LONGEST_PIECE: Final = 256 << 20
"""Bytes after which a piece is cut though no document begins there, so that no file fills the memory."""
LONGEST_DOCUMENT: Final = 64 << 20
"""Characters after which the rest of a document is not read."""
LONGEST_ITEM: Final = 8 << 20
"""Characters of the longest item that is kept; a message of gRPC has 4 MiB at most, unless more is agreed on."""
ANY_KEY: Final = "*"
WRONG_TYPE: Final = "?"
_BOM: Final = b"\xef\xbb\xbf"
_STREAM_BYTES: Final = 1 << 20
_START_BYTES: Final = 4096  # a document that begins with more blanks than this is not looked for
_BETWEEN: Final = re.compile(r"[ \t\r\n,\[\]]*")
_HEAD_TOKEN: Final = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)(?:"|\\?\Z)([ \t\r\n]*+:)?|[{}\[\]]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where in a document its items lie; an item is what is decoded, kept or refused as a whole.

    `children` maps the role of an object or array and the key of a member ("" in an array, "*" for every other key)
    to the roles that the member has as object, as array or as anything else. Members without a role are decoded whole.
    """

    starts: frozenset[str]  # the keys by which a document that begins on a line of its own is known
    children: Mapping[tuple[str, str], Mapping[str, str]]
    items: frozenset[str]

    def role(self, around: str, key: str, mark: str) -> str | None:
        """Return the role of a member that begins with `mark`; None when it has none; WRONG_TYPE: what it says."""
        roles = self.children.get((around, key)) or self.children.get((around, ANY_KEY))
        if roles is None:
            return None
        return roles.get(mark) or roles.get(ANY_KEY) or WRONG_TYPE


@dataclass(frozen=True, slots=True)
class Item:
    """One decoded item of a document; `flaw` says why the value is not to be trusted."""

    role: str
    value: Any
    start: int  # in characters of the piece
    end: int
    flaw: str | None = None


@dataclass(slots=True)
class Document:
    """A document as far as it could be read: objects and arrays of Python with items in their places."""

    start: int
    end: int
    tree: Any = None
    settled: int = 0  # where the last complete item ends
    strays: list[str] = field(default_factory=list)  # members that should be objects or arrays and are not
    broken: BrokenError | None = None


class Piece:
    """Bytes that begin where a document does; `line` is the number of the first."""

    def __init__(self, raw: bytes, line: int) -> None:
        self.raw = raw
        self.line = line
        self.text = ""
        self._counted = (0, line)  # a position, and the number of its line

    def decode(self) -> None:
        """Set the text, in which bytes that are no UTF-8 are surrogates."""
        self.text = self.raw.decode("utf-8", "surrogateescape")

    def line_at(self, position: int) -> int:
        """Return the number of the line of a character. Cost: the distance from the last one that was asked for."""
        start, line = self._counted if self._counted[0] <= position else (0, self.line)
        self._counted = (position, line + self.text.count("\n", start, position))
        return self._counted[1]

    def cut(self, start: int, end: int | None = None) -> bytes:
        """Return the bytes of a stretch of characters."""
        return self.text[start:end].encode("utf-8", "surrogateescape")


def split_pieces(stream: BinaryIO, layout: Layout) -> Iterator[Piece]:
    """Yield the stream cut before each line on which a document starts: damage in one does not reach the next.

    Lines of documents need the memory of one line; a document over many lines needs its own size.
    """
    starts = _starts_pattern(layout)
    held, line, searched, begun = bytearray(), 1, 0, False
    for chunk in chunks(stream, _STREAM_BYTES):
        held += chunk
        if not begun and len(held) >= len(_BOM):
            begun = True
            del held[: len(_BOM) if held.startswith(_BOM) else 0]
        cut = 0
        for match in starts.finditer(held, searched):
            piece = bytes(held[cut : match.end()])
            yield Piece(piece, line)
            line += piece.count(b"\n")
            cut = match.end()
        del held[:cut]
        searched = max(0, len(held) - _START_BYTES)
        if len(held) > LONGEST_PIECE:
            yield Piece(bytes(held), line)
            line, searched = line + held.count(b"\n"), 0
            held.clear()
    if held and held != _BOM:
        yield Piece(bytes(held.removeprefix(b"" if begun else _BOM)), line)


def _starts_pattern(layout: Layout) -> re.Pattern[bytes]:
    """Return what precedes a document: an unindented brace, its first key on this line or indented on the next."""
    keys = "|".join(re.escape(key) for key in sorted(layout.starts))
    return re.compile(rb'\n(?=\{(?:[ \t]{0,99}|\r?\n[ \t]{1,99})"(?:' + keys.encode() + rb')"[ \t]{0,99}:)')


def read_documents(
    facts: GatheredFacts,
    stream: BinaryIO,
    layout: Layout,
    count: Callable[[bytes], int],
    add: Callable[[Piece, Document], Iterator[None]],
) -> Iterator[Batch]:
    """Yield the batches of a stream: `add` puts a document into `facts`, and pauses so that batches stay small.

    The rest of a broken document is quarantined. `count` returns the facts of raw bytes of documents, broken or not.
    """
    decoder = _Decoder(layout)
    for piece in split_pieces(stream, layout):
        piece.decode()
        first = facts.ordinal
        for document in _documents(decoder, piece.text):
            for _ in add(piece, document):
                if facts.full():
                    yield from facts.take()
            if document.broken:
                left = count(piece.raw) - (facts.ordinal - first)
                line = piece.line_at(document.broken.position)
                raw = piece.cut(document.settled)
                facts.quarantine("malformed-json", document.broken.reason, raw, facts=left, line=line)
            if facts.full():
                yield from facts.take()
    yield from facts.take()


def quarantine_document(facts: GatheredFacts, piece: Piece, document: Document, reason: str, count: int) -> None:
    """Quarantine a document that stands for `count` facts, 0 where all that it holds were taken."""
    raw, line = piece.cut(document.start, document.end), piece.line_at(document.start)
    facts.quarantine("invalid-document", reason, raw, facts=count, line=line)


def _documents(decoder: _Decoder, text: str) -> Iterator[Document]:
    position = skip(_BETWEEN, text, 0)
    while position < len(text):
        document = decoder.document(text, position)
        yield document
        if document.broken:
            return
        position = skip(_BETWEEN, text, document.end)


class _Decoder:
    """Reads documents member by member, down to the items, so that damage leaves what stands before it."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._json = StrictJson()
        self._text = ""
        self._document = Document(0, 0)

    def document(self, text: str, position: int) -> Document:
        """Return the document at `position`."""
        self._text = text
        self._document = document = Document(position, len(text), settled=position)
        try:
            is_object = text.startswith("{", position)
            document.end = self._member("", "", position, self._root) if is_object else self._stranger(position)
        except BrokenError as broken:
            document.broken = broken
        return document

    def _stranger(self, position: int) -> int:
        """Decode a text, number, truth or null where a document should be, and return its end."""
        _, end, _ = self._json.decode(self._text, position)
        follower = skip_space(self._text, end)
        stands_alone = follower > end or self._text[follower : follower + 1] in {"", ",", "]"}
        if not stands_alone or self._text.startswith(":", follower):
            raise BrokenError(position, "expected a JSON object")
        self._document.strays.append("")
        return end

    def _root(self, tree: object) -> None:
        self._document.tree = tree

    def _member(self, around: str, key: str, position: int, keep: Callable[[Any], None]) -> int:
        """Decode the value at `position`, hand it to `keep` before its members are read, and return its end."""
        mark = self._text[position : position + 1]
        role = self._layout.role(around, key, mark)
        if role is not None and role in self._layout.items:
            item = self._item(role, position, around)
            keep(item)
            return item.end
        if role is None or role == WRONG_TYPE:
            value, end, flaw = self._json.decode(self._text, position)
            if flaw:
                raise BrokenError(position, flaw)
            if role and value is not None:
                self._document.strays.append(key)
            keep(None if role else value)
            return end
        tree: Any = {} if mark == "{" else []
        keep(tree)
        return (self._fill_object if mark == "{" else self._fill_array)(role, tree, position + 1)

    def _item(self, role: str, position: int, around: str) -> Item:
        value, end, flaw = self._json.decode(self._text, position)
        follower = skip_space(self._text, end)
        if around and follower < len(self._text) and self._text[follower] not in ",}]":
            raise BrokenError(follower, NOT_VALID)
        self._document.settled = end
        if end - position > LONGEST_ITEM:
            value, flaw = None, "longer than 8 MiB"
        return Item(role, value, position, end, flaw)

    def _fill_object(self, role: str, tree: dict[str, Any], position: int) -> int:
        position = skip_space(self._text, position)
        while not self._text.startswith("}", position):
            if not self._text.startswith('"', position):
                raise BrokenError(position, NOT_VALID)
            key, end, flaw = self._json.decode(self._text, position)
            if flaw or key in tree:
                raise BrokenError(position, flaw or "an object holds one name twice")
            position = self._expect(":", end)
            position = self._member(role, key, position, partial(setitem, tree, key))
            position = self._next("}", position)
        return position + 1

    def _fill_array(self, role: str, tree: list[Any], position: int) -> int:
        position = skip_space(self._text, position)
        while not self._text.startswith("]", position):
            position = self._member(role, "", position, tree.append)
            position = self._next("]", position)
        return position + 1

    def _expect(self, mark: str, position: int) -> int:
        position = skip_space(self._text, position)
        if not self._text.startswith(mark, position):
            raise BrokenError(position, NOT_VALID)
        return skip_space(self._text, position + 1)

    def _next(self, closing: str, position: int) -> int:
        """Return where the next member begins, or where the closing mark stands."""
        position = skip_space(self._text, position)
        if self._text.startswith(closing, position):
            return position
        if position - self._document.start > LONGEST_DOCUMENT:
            raise BrokenError(position, "a document of more than 64 MiB")
        position = self._expect(",", position)
        if self._text.startswith(closing, position):
            raise BrokenError(position, NOT_VALID)
        return position


def top_keys(head: bytes) -> frozenset[str]:
    """Return the keys of the outermost objects in the first bytes of a file, none when it is not JSON."""
    if not head.removeprefix(_BOM).lstrip(b" \t\r\n").startswith((b"{", b"[")):
        return frozenset()
    keys: set[str] = set()
    objects = 0
    for token in _HEAD_TOKEN.finditer(head):
        if token[0] in b"{}":
            objects = max(0, objects + (1 if token[0] == b"{" else -1))
        elif objects == 1 and token[2]:
            keys.add(token[1].decode("utf-8", "replace"))
    return frozenset(keys)
