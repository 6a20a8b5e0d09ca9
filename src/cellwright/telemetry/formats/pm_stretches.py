"""Reads a measurement file window by window: plain stretches by a scanner, everything else by the parser.

The parser is given the file up to and with the start tag of an object. If it saw that tag where it stands, what follows
is content, and the scanner may go on from there over as many objects and groups as are plain. The parser then gets the
end tags that balance what it has open and goes on behind the stretch.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.telemetry.formats.pm_parser import ElementParser
from cellwright.telemetry.formats.pm_plain import PlainReader
from cellwright.telemetry.formats.pm_rows import PlainRows
from cellwright.telemetry.formats.pm_scan import tags_of

if TYPE_CHECKING:
    import pyarrow as pa

    from cellwright.telemetry.formats.facts import FactBuffer
    from cellwright.telemetry.formats.pm_parser import Break
    from cellwright.telemetry.formats.pm_plain import Odd
    from cellwright.telemetry.formats.pm_scan import Scan, Scanner

_OBJECT: Final = re.compile(rb"<([^\s<>:/!?'\"=&]+:)?measValue(?=[ \t\r\n>])")
_LINE_FEED: Final = ord("\n")
_FAR: Final = 4 << 20  # bytes of one object that are waited for
_PATIENCE: Final = 16  # heads that the parser did not see as the scanner did


class StretchReader:
    """The facts of one file, fed in windows; without a scanner the parser reads all of it."""

    def __init__(self, scanner: Scanner | None) -> None:
        self._scanner = scanner
        self._parser = ElementParser()
        self._plain: PlainReader | None = None  # with the prefix of the last stretch
        self._rest = b""  # of the windows so far, to be read with the next
        self._place = 0  # of the first byte of the rest
        self._is_plain = False  # within a stretch
        self._is_open = False  # at the start of one, within an object that the parser has open
        self._is_inside = True  # the scanner stands in a group; so does the parser:
        self._parser_is_inside = True
        self._owes_end = False  # the parser has an object open that has ended
        self._settled = 0
        self._mistrust = 0

    @property
    def facts(self) -> FactBuffer:
        """What the parser read; its ordinal counts all facts."""
        return self._parser.elements.facts

    @property
    def settled(self) -> int:
        """The place up to which every value became a fact."""
        return max(self._settled, self._parser.settled)

    def take_rows(self) -> list[pa.RecordBatch]:
        """Return the rows of plain objects since the last call, as one batch or none."""
        if self._plain is None or not self._plain.rows.count:
            return []
        rows, self._plain.rows = self._plain.rows, PlainRows()
        return [rows.batch()]

    def feed(self, window: bytes) -> Break | None:
        """Read one more piece of the file."""
        return self._advance(self._rest + window, is_last=False)

    def close(self) -> Break | None:
        """Read what is left and the end of the file."""
        return self._advance(self._rest, is_last=True) or self._parser.close()

    def _advance(self, data: bytes, *, is_last: bool) -> Break | None:
        at = 0
        while True:
            if self._is_plain:
                at, broken = self._scan(data, at)
                if broken or (self._is_plain and not is_last and self._awaits_more(data, at)):
                    self._keep(data, at)
                    return broken
                broken = self._leave()
                if broken:
                    return broken
            found = _OBJECT.search(data, at) if self._scanner and self._parser.is_simple else None
            end = data.find(b">", found.end()) + 1 if found else len(data)
            if found and not end and not is_last and len(data) - found.start() < _FAR:
                broken = self._parser.feed(data[at : found.start()], self._place + at)
                self._keep(data, found.start())
                return broken
            end = end or len(data)
            broken = self._parser.feed(data[at:end], self._place + at)
            if broken or not found:
                self._keep(data, end)
                return broken
            at = end
            if found:
                self._enter(found)

    def _keep(self, data: bytes, at: int) -> None:
        self._rest = data[at:]
        self._place += at

    def _awaits_more(self, data: bytes, at: int) -> bool:
        ends = self._plain.tags.value_end if self._plain else b""
        return len(data) - at < _FAR and data.find(ends, at) < 0

    def _enter(self, found: re.Match[bytes]) -> None:
        """Begin a stretch behind the start tag of an object if the parser saw it there."""
        tags = tags_of(found[1] or b"")
        path = self._parser.path
        if self._parser.is_simple and self._parser.event == self._place + found.start() and path[-3:] == tags.path:
            if self._plain is None or self._plain.tags is not tags:
                rows = self._plain.rows if self._plain else PlainRows()
                self._plain = PlainReader(self._parser.elements, tags)
                self._plain.rows = rows
            self._is_plain = self._is_open = self._is_inside = self._parser_is_inside = True

    def _scan(self, data: bytes, at: int) -> tuple[int, Break | None]:
        """Take over what is plain from `at` on; return where it ends."""
        while self._is_plain and self._scanner and self._plain:
            tags = self._plain.tags
            scan = self._scanner.scan(data, at, tags, is_open=self._is_open, is_inside=self._is_inside)
            if scan.stop == at:
                break
            at, broken = self._take_over(scan, data, at, self._plain)
            if broken:
                return at, broken
        return at, None

    def _take_over(self, scan: Scan, data: bytes, at: int, plain: PlainReader) -> tuple[int, Break | None]:
        for odd in plain.read(scan, data):
            self._skip(data, at, odd.begin, plain)
            broken = self._hand_over(odd, data, plain, is_open=self._is_open and odd.begin == at)
            at = odd.end
            if broken or not self._is_plain:
                return at, broken
        self._skip(data, at, scan.stop, plain)
        self._owes_end = self._owes_end or self._is_open
        self._is_open, self._is_inside = False, scan.is_inside
        return scan.stop, None

    def _skip(self, data: bytes, begin: int, end: int, plain: PlainReader) -> None:
        """Note what the parser is not given."""
        lines = int(np.count_nonzero(np.frombuffer(data, np.uint8)[begin:end] == _LINE_FEED))
        if data.find(b"\r", begin, end) >= 0:
            lines += data.count(b"\r", begin, end) - data.count(b"\r\n", begin, end)
        self._parser.skipped_lines += lines
        if plain.settled >= 0:
            self._settled = self._place + plain.settled

    def _hand_over(self, odd: Odd, data: bytes, plain: PlainReader, *, is_open: bool) -> Break | None:
        """Let the parser read a piece in the midst of a stretch."""
        if not is_open:
            self._owes_end = self._owes_end or self._is_open
            broken = self._balance(plain, is_inside=not odd.is_head)
            if broken:
                return broken
        self._is_open = False
        broken = self._parser.feed(data[odd.begin : odd.end], self._place + odd.begin)
        if odd.is_head:
            self._parser_is_inside = True
            last = data.rindex(b"<", odd.begin, odd.end)
            is_whole = not data[data.find(b">", last) + 1 : odd.end].strip()
            was_seen = self._parser.event == self._place + last and self._parser.path[-2:] == plain.tags.path[:2]
            if not (is_whole and was_seen):
                self._is_plain = False
                self._mistrust += 1
                self._scanner = None if self._mistrust > _PATIENCE else self._scanner
        return broken

    def _balance(self, plain: PlainReader, *, is_inside: bool) -> Break | None:
        """Give the parser the end tags of what has ended and is still open for it."""
        broken = None
        if self._owes_end:
            broken = self._parser.feed(plain.tags.value_end, self._settled)
        if not broken and self._parser_is_inside and not is_inside:
            broken = self._parser.feed(plain.tags.info_end, self._settled)
            self._parser_is_inside = False
        self._owes_end = False
        return broken

    def _leave(self) -> Break | None:
        """Bring the parser to where the stretch ended; in an object that was not plain it stands already."""
        plain = self._plain if self._is_plain and not self._is_open else None
        self._is_plain = self._is_open = False
        return self._balance(plain, is_inside=self._is_inside) if plain else None
