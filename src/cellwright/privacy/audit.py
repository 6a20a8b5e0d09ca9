"""Looks for identifiers that survive in texts and bytes of any kind; says where and of which kind, never what.

What is packed, encrypted or in base64 within a text is not looked into, and neither are addresses in binary headers.
"""

from __future__ import annotations

import codecs
import csv
import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.privacy.identifiers import Kind, find
from cellwright.privacy.patterns import HINT, LABEL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

WINDOW: Final = 1 << 16
"""Characters read at a time; a longer line is looked at in windows of this size."""

_CONTEXT: Final = 1 << 11  # characters around a window: no identifier with its label is longer
_CACHED: Final = 512  # characters of a text that may come again
_CARRIED: Final = 256  # characters of a line whose end may name what stands on the next one
_LEAST_RUN: Final = 7  # printable bytes in a row that are text: `1.2.3.4`
_HINT: Final = re.compile(HINT, re.IGNORECASE)
_HANGING: Final = re.compile(rf"({LABEL.pattern})[a-z_]{{0,12}}[^\w]*$")
_LETTER: Final = re.compile(r"[^\W\d_]")
_DELIMITERS: Final = ",;\t|"
_SENTENCE: Final = 100  # letters in a header cell that no name of a column has
_BOMS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_PRINTABLE: Final = bytes(byte if 0x20 <= byte < 0x7F else 0x0A for byte in range(256))  # noqa: PLR2004 - ASCII
# The digits of a hash (MD5, SHA-1, SHA-2) and the decimals of a number are nobody's, however many stand in a row.
_NOBODYS: Final = re.compile(
    r"(?<![\w.+])\d{1,9}\.\d{10,}(?:e[-+]?\d{1,3})?(?![\w.])|(?<![0-9a-z])(?=[0-9]*[a-f])(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})"
    r"(?![0-9a-z])",
    re.IGNORECASE,
)
_BARE: Final = b"\0" + _PRINTABLE[1:]  # what is not printable but zero became a line end
_WIDE_REACH: Final = 4  # bytes around a zero that tell what it is
# Between two printable bytes that stand alone: the second byte of a UTF-16 character of ASCII.
_WIDE: Final = re.compile(rb"(?<![ -~][ -~])(?<=[ -~])\x00(?=[ -~](?![ -~]))")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands, counting from 1; nothing of it repeats what stands there."""

    line: int | None = None
    row: int | None = None
    byte: int | None = None
    column: int | str | None = None  # of a line: the character; of a table: its name, or its number where unsafe
    table: str | None = None
    part: str | None = None  # `name` of the file, `metadata`

    def __str__(self) -> str:
        told = (("", self.part), ("table ", self.table), ("line ", self.line), ("byte ", self.byte))
        rest = (("column ", self.column), ("row ", self.row))
        return ", ".join(f"{word}{value}" for word, value in (*told, *rest) if value is not None)


@dataclass(frozen=True, slots=True)
class Survivor:
    """An identifier that is still there: its kind and place."""

    kind: Kind
    place: Place


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of a line with what stands around it; what starts within `fresh` is told of this piece."""

    line: int
    offset: int  # of its first character from the beginning of the line
    text: str
    fresh: range


def masked(name: str, label: str = "") -> str:
    """Return a name that can be shown: each identifier becomes its kind in brackets, each control character `?`."""
    pieces, end = [], 0
    for match in find(name):
        pieces += [name[end : match.start], f"[{match.kind.value}]"]
        end = match.end
    text = "".join([*pieces, name[end:]])
    return "".join(each if each.isprintable() else "?" for each in text) or label


def column_name(name: str, number: int) -> str | int:
    """Return how a column is called in a report: by its number where its name is an identifier."""
    return number if find(name) or not name.strip() else masked(name.strip())


def label_of(name: str) -> str:
    """Return the word of a column or key that makes the numbers in it identifiers, or nothing."""
    found = LABEL.search(name.lower())
    return found.group() if found else ""


def kinds_in(text: str, label: str = "") -> tuple[Kind, ...]:
    """Return the kinds of the identifiers in a value that stands beside `label`, one entry each."""
    return _cached_kinds(text, label) if len(text) <= _CACHED else _kinds(text, label)


def survivors_in_name(name: str) -> Iterator[Survivor]:
    """Yield the identifiers in a file's name and the folders above it."""
    for match in find(name):
        yield Survivor(match.kind, Place(part="name"))


def is_text(head: bytes) -> bool:
    """Return whether the first bytes of a file are those of a text."""
    return head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or (
        b"\0" not in head and not head.startswith(b"%PDF-")
    )


def survivors_in_text(stream: BinaryIO) -> Iterator[Survivor]:
    """Yield the identifiers of a text in order: in its lines, in columns that are called so, below a label."""
    head = stream.read(4)
    stream.seek(0)
    encoding = next((name for bom, name in _BOMS if head.startswith(bom)), "utf-8")
    labels = _Labels()
    for piece in _pieces(_decoded(stream, encoding)):
        written = [match for match in _matches(piece.text) if match[1] in piece.fresh]
        for kind, start in written:
            yield Survivor(kind, Place(line=piece.line, column=piece.offset + start + 1))
        for kind, column in labels.tell(piece.text, piece.line, bare=not written):
            yield Survivor(kind, Place(line=piece.line, column=column))


def survivors_in_bytes(stream: BinaryIO) -> Iterator[Survivor]:
    """Yield the identifiers in runs of printable characters of any bytes, in ASCII or UTF-16."""
    at = 0
    for piece in _pieces(_printable(stream)):
        if len(piece.text) > _LEAST_RUN:
            for kind, start in _matches(piece.text, _LEAST_RUN):
                if start in piece.fresh:
                    yield Survivor(kind, Place(byte=at + start - piece.fresh.start + 1))
        at += len(piece.fresh)


def survivors_in_blob(data: bytes) -> tuple[Kind, ...]:
    """Return the kinds of the identifiers in a binary value, one entry each."""
    runs = _joined(data, 0, len(data)).split("\n")
    return tuple(kind for run in runs if len(run) >= _LEAST_RUN for kind, _ in _matches(run, _LEAST_RUN))


class _Labels:
    """What the lines before say about a line: the labels of its columns, the label that a value still waits for."""

    def __init__(self) -> None:
        self._delimiter = ""
        self._columns: dict[int, tuple[str, str | int]] = {}
        self._record = ""
        self._hanging = ""

    def tell(self, text: str, line: int, *, bare: bool) -> list[tuple[Kind, str | int]]:
        """Return what is an identifier in this line only for its label; `bare`: nothing else was found in it."""
        if line == 1:
            self._read_header(text)
            return []
        found = self._below(text) if bare else []
        if not self._columns:
            self._hang(text)
            return found
        return found or self._cells(text)

    def _read_header(self, text: str) -> None:
        self._delimiter = max(_DELIMITERS, key=text.count)
        cells = _split(text, self._delimiter) if text.count(self._delimiter) else [text.strip()]
        if all(cell and len(cell) < _SENTENCE and not cell[0].isdecimal() for cell in map(str.strip, cells)):
            self._columns = {
                index: (label, column_name(cell, index + 1))
                for index, cell in enumerate(cells)
                if (label := label_of(cell)) and cell.isprintable() and "=" not in cell and ":" not in cell
            }
        self._hang(text)

    def _below(self, text: str) -> list[tuple[Kind, str | int]]:
        if not self._hanging or _LETTER.search(text):
            return []
        return [(kind, 1) for kind in kinds_in(text.strip(), self._hanging)]

    def _hang(self, text: str) -> None:
        """Keep the label at the end of a line for the values below it, until another word or a bracket ends them."""
        if len(text) > _CARRIED:
            self._hanging = ""
        elif found := _HANGING.search(text.lower()):
            self._hanging = found.group(1)
        elif _LETTER.search(text) or "]" in text or "}" in text:
            self._hanging = ""

    def _cells(self, text: str) -> list[tuple[Kind, str | int]]:
        """Return what stands in a column named for an identifier and is none without that name."""
        self._record += text
        if self._record.count('"') % 2 and len(self._record) < WINDOW:
            return []
        cells, self._record = _split(self._record, self._delimiter), ""
        return [
            (kind, name)
            for index, (label, name) in self._columns.items()
            if index < len(cells) and not kinds_in(cells[index])
            for kind in kinds_in(cells[index], label)
        ]


def _split(text: str, delimiter: str) -> list[str]:
    try:
        return next(
            csv.reader([text.replace("\0", " ").replace("\n", " ").replace("\r", " ")], delimiter=delimiter), []
        )
    except csv.Error:
        return text.split(delimiter)


def _kinds(text: str, label: str) -> tuple[Kind, ...]:
    if not label:
        return tuple(kind for kind, _ in _matches(text))
    return tuple(kind for kind, start in _matches(f"{label}={text}") if start > len(label))


_cached_kinds = functools.lru_cache(maxsize=1 << 14)(_kinds)


def _matches(text: str, least: int = 0) -> list[tuple[Kind, int]]:
    """Return kinds and starts of what is found, addresses of fewer than `least` characters left out."""
    found = find(text) if _HINT.search(text) else ()
    if not found:
        return []
    nobodys = [each.span() for each in _NOBODYS.finditer(text)]
    return [
        (match.kind, match.start)
        for match in found
        if not any(start <= match.start and match.end <= end for start, end in nobodys)
        and not (match.kind is Kind.IP and match.end - match.start < least)
    ]


def _pieces(chunks: Iterator[str]) -> Iterator[_Piece]:
    """Yield lines, and the windows of long ones, so that every character is fresh in exactly one piece."""
    line, offset, before = 1, 0, ""
    ahead = _lines(chunks)
    piece = next(ahead, "")
    while piece:
        after = next(ahead, "")
        ends = piece.endswith("\n")
        context = "" if ends else after.partition("\n")[0][:_CONTEXT]
        fresh = range(len(before), len(before) + len(piece))
        yield _Piece(line, offset - len(before), f"{before}{piece}{context}", fresh)
        if ends:
            line, offset, before = line + 1, 0, ""
        else:
            offset, before = offset + len(piece), piece[-_CONTEXT:]
        piece = after


def _lines(chunks: Iterator[str]) -> Iterator[str]:
    rest = ""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split("\n")
        for each in whole:
            yield f"{each}\n"
        if len(rest) >= WINDOW:
            yield rest
            rest = ""
    if rest:
        yield rest


def _decoded(stream: BinaryIO, encoding: str) -> Iterator[str]:
    """Yield the text of a stream; bytes that are none become a control character, which no identifier spans."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    while data := stream.read(WINDOW):
        yield decoder.decode(data).replace("\ufffd", "\x1a")
    yield decoder.decode(b"", final=True).replace("\ufffd", "\x1a")


def _printable(stream: BinaryIO) -> Iterator[str]:
    """Yield the bytes of a stream as text: what is not printable ends a line, the zeros of UTF-16 are left out."""
    left = rest = b""
    while data := stream.read(WINDOW):
        whole = left + rest + data
        yield _joined(whole, len(left), len(whole) - _WIDE_REACH)
        left, rest = whole[-2 * _WIDE_REACH : -_WIDE_REACH], whole[-_WIDE_REACH:]
    yield _joined(left + rest, len(left), len(left + rest))


def _joined(data: bytes, start: int, end: int) -> str:
    marked = _WIDE.sub(b"\1", data.translate(_BARE))[start : max(start, end)]
    return marked.translate(_PRINTABLE, b"\1").decode("ascii")
