"""Finds the events in VES documents: single, batch, lines or arrays of either, and what damage leaves."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cellwright.telemetry.formats.facts import chunks

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from typing import BinaryIO

_BOM: Final = b"\xef\xbb\xbf"
_DOCUMENT_LINE: Final = re.compile(rb'\n(?=\{[ \t]*"event(?:List)?"[ \t]*:)')
_LONGEST_START: Final = 64  # bytes a document's start may need to be known as one
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_BETWEEN: Final = re.compile(r"[ \t\r\n,\[\]]*")
_TRAILING: Final = re.compile(r"(?:,[ \t\r\n]*)?")
_SURROGATE_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_NESTING: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_DEEPEST: Final = 64  # the deepest member that VES 7.2.1 names lies ten levels down
_STREAM_BYTES: Final = 1 << 20


class Piece(NamedTuple):
    """Bytes that begin where a document does; `line` is the number of the first."""

    raw: bytes
    line: int


@dataclass(frozen=True, slots=True)
class Found:
    """One member of a document that stands for an event, decoded; `flaw` says why it is not to be trusted."""

    path: str  # JSON path in its document
    value: Any
    start: int  # in characters of the piece
    end: int
    flaw: str | None = None


class BrokenError(Exception):
    """The text is not JSON from `position` on."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(reason)
        self.position = position
        self.reason = reason


def split_pieces(stream: BinaryIO) -> Iterator[Piece]:
    """Yield the stream cut before each line on which a document starts: damage in one does not reach the next.

    Lines of documents need the memory of one line; a document over many lines needs its own size.
    """
    held, line, searched, begun = bytearray(), 1, 0, False
    for chunk in chunks(stream, _STREAM_BYTES):
        held += chunk
        if not begun:
            begun = True
            del held[: len(_BOM) if held.startswith(_BOM) else 0]
        is_one_line = held.find(b"\n", searched) < 0
        ends = [] if is_one_line else [match.end() for match in _DOCUMENT_LINE.finditer(held, searched)]
        whole, cut = bytes(held[: ends[-1]]) if ends else b"", 0
        for end in ends:
            piece = whole[cut:end]
            yield Piece(piece, line)
            line += piece.count(b"\n")
            cut = end
        del held[:cut]
        searched = max(0, len(held) - _LONGEST_START)
    if held:
        yield Piece(bytes(held), line)


class _Decoder:
    """JSON as RFC 8259 has it, with a note of what it leaves open: repeated names, and what it does not have: NaN."""

    def __init__(self) -> None:
        self._flaw: str | None = None
        self._json = json.JSONDecoder(object_pairs_hook=self._object, parse_constant=self._constant, strict=False)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = dict(pairs)
        if len(names) < len(pairs):
            self._flaw = "an object holds one name twice"
        return names

    def _constant(self, _: str) -> None:
        self._flaw = "NaN and Infinity are no JSON numbers"

    def decode(self, text: str, position: int) -> tuple[Any, int, str | None]:
        """Return (value, end, flaw) of the JSON value at `position`; raise BrokenError."""
        self._flaw = None
        try:
            value, end = self._json.raw_decode(text, position)
        except RecursionError:
            raise BrokenError(position, "nested too deeply") from None
        except json.JSONDecodeError as error:
            if _depth_flaw(text[position : error.pos]):  # how deep Python follows differs by version
                raise BrokenError(position, "nested too deeply") from None
            broken = _skip(_TRAILING, text, error.pos)  # Python 3.13 points at a trailing comma, others behind it
            raise BrokenError(broken, "not valid JSON") from None
        except ValueError:  # an integer of more digits than Python converts
            raise BrokenError(position, "an integer has too many digits") from None
        source = text[position:end]
        return value, end, self._flaw or _depth_flaw(source) or _text_flaw(source, value)


def _depth_flaw(source: str) -> str | None:
    """Return that a value is nested deeper than any event, so that nothing behind has to fear for its stack."""
    if source.count("{") + source.count("[") <= _DEEPEST:
        return None
    depth = 0
    for mark in _NESTING.finditer(source):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(mark[0], 0)
        if depth > _DEEPEST:
            return "nested too deeply"
    return None


def _text_flaw(source: str, value: object) -> str | None:
    """Return what is wrong with the characters: bytes that were no UTF-8, or half of a surrogate pair."""
    try:
        source.encode()
    except UnicodeEncodeError:
        return "not UTF-8"
    if _SURROGATE_ESCAPE.search(source):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return "half of a surrogate pair"
    return None


class LineCount:
    """The number of the line on which a place of a piece stands; places are asked for as they follow each other."""

    def __init__(self, text: str | bytes, line: int) -> None:
        self._text = text
        self._position = 0
        self._line = line

    def at(self, position: int) -> int:
        """Return the line of a place that is not before the last one asked for."""
        text, since = self._text, self._position
        more = text.count("\n", since, position) if isinstance(text, str) else text.count(b"\n", since, position)
        self._position, self._line = position, self._line + more
        return self._line


def read_event(text: str, path: str) -> Found | None:
    """Return the event that a text is, None where that is not JSON."""
    try:
        value, end, flaw = _Decoder().decode(text, 0)
    except BrokenError:
        return None
    return Found(path, value, 0, end, flaw)


def find_events(text: str) -> Iterator[Found]:
    """Yield every event of a piece in order; raise BrokenError where the text stops being JSON."""
    decoder = _Decoder()
    position = _skip(_BETWEEN, text, 0)
    while position < len(text):
        if not text.startswith("{", position):
            raise BrokenError(position, "expected a VES document")
        position = yield from _document(decoder, text, position)
        position = _skip(_BETWEEN, text, position)


def _document(decoder: _Decoder, text: str, start: int) -> Generator[Found, None, int]:
    position, known = _skip(_SPACE, text, start + 1), False
    while not text.startswith("}", position):
        if not text.startswith('"', position):
            raise BrokenError(position, "not valid JSON")
        key, position, _ = decoder.decode(text, position)
        position = _expect(":", text, position)
        if key == "event":
            position = yield from _member(decoder, text, position, "$.event")
        elif key == "eventList" and text.startswith("[", position):
            position = yield from _list(decoder, text, position)
        elif key == "eventList":
            position = yield from _member(decoder, text, position, "$.eventList")
        else:
            position = decoder.decode(text, position)[1]
        known |= key in {"event", "eventList"}
        position = _next_member("}", text, position)
    if not known:
        yield Found("$", None, start, position + 1, "no event or eventList")
    return position + 1


def _list(decoder: _Decoder, text: str, start: int) -> Generator[Found, None, int]:
    position, index = _skip(_SPACE, text, start + 1), 0
    while not text.startswith("]", position):
        position = yield from _member(decoder, text, position, f"$.eventList[{index}]")
        position = _next_member("]", text, position)
        index += 1
    return position + 1


def _member(decoder: _Decoder, text: str, position: int, path: str) -> Generator[Found, None, int]:
    value, end, flaw = decoder.decode(text, position)
    follower = _skip(_SPACE, text, end)
    if follower < len(text) and text[follower] not in ",}]":
        raise BrokenError(follower, "not valid JSON")
    yield Found(path, value, position, end, flaw)
    return end


def _skip(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _expect(mark: str, text: str, position: int) -> int:
    position = _skip(_SPACE, text, position)
    if not text.startswith(mark, position):
        raise BrokenError(position, "not valid JSON")
    return _skip(_SPACE, text, position + 1)


def _next_member(closing: str, text: str, position: int) -> int:
    """Return where the next member begins, or where the closing mark stands."""
    position = _skip(_SPACE, text, position)
    return position if text.startswith(closing, position) else _expect(",", text, position)
