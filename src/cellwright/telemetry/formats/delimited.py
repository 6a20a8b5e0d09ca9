"""Delimited tables (RFC 4180 and its tab-separated kin), read by a mapping of columns."""

from __future__ import annotations

import csv
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

from cellwright.telemetry.formats.facts import RAW_LIMIT_BYTES, FactBuffer
from cellwright.telemetry.formats.table_rows import Refusal, TableRows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from cellwright.telemetry.format import Batch
    from cellwright.telemetry.formats.delimited_mapping import Mapping

_MOST_LINES: Final = 64  # a quote that is still open after so many lines was never meant as one
_BOM: Final = b"\xef\xbb\xbf"
_BLANK, _TEXT, _ODD = range(3)  # what a line holds: nothing, quotes in pairs or none, a quote without its partner


class Delimited:
    """A fact is a record below the header line; a record has more lines than one where a quoted field holds breaks."""

    def __init__(self, mapping: Mapping) -> None:
        self.name = f"delimited:{mapping.metadata.name}"
        self._rows = TableRows(mapping)
        self._header = mapping.spec.header
        self._delimiter = mapping.spec.delimiter

    def detects(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the header decides
        """Return whether the first line is exactly the mapping's header."""
        first = next((line for line in head.split(b"\n") if line.strip()), b"")
        return self._is_header(first)

    def count_facts(self, stream: BinaryIO) -> int:
        """Return the number of records below the header, counted from line ends and quotes."""
        return max(0, _count_records(stream) - 1)

    def parse(self, stream: BinaryIO) -> Iterator[Batch]:
        """Yield batches; a record that does not fit the mapping is quarantined."""
        facts = FactBuffer()
        records = _records(stream)
        _, header = next(records, (0, b""))
        if not self._is_header(header):
            self._refuse_all(facts, header, records)
        for line, raw in records:
            self._rows.add(facts, self._read(raw), raw, line)
            if facts.full():
                yield from facts.take()
        self._rows.settle(facts)
        yield from facts.take()

    def _is_header(self, raw: bytes) -> bool:
        cells = self._cells(raw.removeprefix(_BOM))
        return cells is not None and tuple(cell.strip() for cell in cells) == self._header

    def _cells(self, raw: bytes) -> list[str] | None:
        try:
            return next(csv.reader([raw.decode()], delimiter=self._delimiter, strict=True), [])
        except (UnicodeDecodeError, csv.Error):
            return None

    def _refuse_all(self, facts: FactBuffer, header: bytes, records: Iterator[tuple[int, bytes]]) -> None:
        raw, count = bytearray(header), 0
        for _, record in records:
            count += 1
            raw += record if len(raw) < RAW_LIMIT_BYTES else b""
        if raw:
            reason = f"the header is not the one that {self.name} reads"
            facts.quarantine("wrong-header", reason, bytes(raw), facts=count, line=1)

    def _read(self, raw: bytes) -> list[str] | Refusal:
        """Return the fields of a record."""
        cells = self._cells(raw)
        if cells is None:
            return Refusal("unreadable-record", "expected UTF-8 text with quotes in pairs")
        if len(cells) != len(self._header):
            return Refusal("wrong-field-count", f"expected {len(self._header)} fields, found {len(cells)}")
        return cells


def _count_records(stream: BinaryIO) -> int:
    """Return the number of records by the rule of `_records` from the kinds of lines alone; memory: a byte a line."""
    lines = bytearray(_ODD if raw.count(b'"') % 2 else _TEXT if raw.strip() else _BLANK for raw in stream)
    count = line = 0
    while line < len(lines):
        count += lines[line] != _BLANK
        partner = lines.find(_ODD, line + 1, line + 1 + _MOST_LINES) if lines[line] == _ODD else -1
        line = max(line, partner) + 1
    return count


def _records(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield (line number, bytes) of each record that is not blank.

    A record ends at the first line end outside quotes; where quotes stay open for too long, its first line is one.
    """
    lines = enumerate(stream, start=1)
    waiting: deque[tuple[int, bytes]] = deque()
    while first := waiting.popleft() if waiting else next(lines, None):
        number, raw = first
        if raw.count(b'"') % 2:
            raw = _joined(raw, waiting, lines)
        if raw.strip():
            yield number, raw


def _joined(first: bytes, waiting: deque[tuple[int, bytes]], lines: Iterator[tuple[int, bytes]]) -> bytes:
    """Return the record that an open quote in its first line begins, taken from the lines to come."""
    waiting.extend(islice(lines, max(0, _MOST_LINES - len(waiting))))
    open_quote = True
    for count, (_, raw) in enumerate(waiting, start=1):
        open_quote ^= bool(raw.count(b'"') % 2)
        if not open_quote:
            return first + b"".join(waiting.popleft()[1] for _ in range(count))
    return first
