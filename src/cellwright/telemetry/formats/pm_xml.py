"""3GPP performance measurement files (TS 32.435 measCollecFile, TS 28.532 measDataFile), read as they stream past."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from cellwright.telemetry.format import Batch
from cellwright.telemetry.formats.facts import RAW_LIMIT_BYTES, chunks
from cellwright.telemetry.formats.pm_count import ValueCounter, count_values
from cellwright.telemetry.formats.pm_elements import ROOTS
from cellwright.telemetry.formats.pm_scan import AdaptiveScanner
from cellwright.telemetry.formats.pm_stretches import StretchReader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from cellwright.telemetry.formats.pm_parser import Break
    from cellwright.telemetry.formats.pm_scan import Scanner

_ROOT: Final = re.compile(rb"<(?:[^\s<>:/]+:)?(?:" + "|".join(ROOTS).encode() + rb")[\s/>]")
_WINDOW_BYTES: Final = 1 << 19
_BATCH_FACTS: Final = 49_152


class PmXml:
    """A fact is one value: an `<r>` element or one word of a `<measResults>` list.

    Rows carry what stands around the value: element, object, period and whether the element called it suspect.
    """

    name = "pm-xml"

    def __init__(
        self, scanner: Scanner | None = None, *, parses_all: bool = False, window_bytes: int = _WINDOW_BYTES
    ) -> None:
        """Read with another scanner, with the XML parser alone, or in other pieces: what is read stays the same."""
        self._scanner = None if parses_all else scanner or AdaptiveScanner()
        self._window_bytes = window_bytes

    def detects(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content decides
        """Return whether the head mentions a root of the two schemas, in UTF-8 or UTF-16."""
        return _ROOT.search(head.replace(b"\0", b"")) is not None

    def count_facts(self, stream: BinaryIO) -> int:
        """Return the number of values, counted from the bytes."""
        return count_values(stream)

    def parse(self, stream: BinaryIO) -> Iterator[Batch]:
        """Yield the rows of every complete object; from a break in the XML on, the rest is one quarantined piece."""
        return _Reading(self._scanner).batches(stream, self._window_bytes)


class _Reading:
    """One pass over one file; the bytes since the last complete object are held back."""

    def __init__(self, scanner: Scanner | None) -> None:
        self._reader = StretchReader(scanner)
        self._counter: ValueCounter | None = None  # only for a stream that cannot be read again
        self._held = bytearray()
        self._held_from = 0  # place of the first byte held
        self._taken = 0  # facts that were handed out

    def batches(self, stream: BinaryIO, window_bytes: int) -> Iterator[Batch]:
        """Yield batches in the order of the file."""
        start = stream.tell() if stream.seekable() else None
        if start is None:
            self._counter = ValueCounter()
        windows = _windows(stream, window_bytes)
        broken = None
        for window in windows:
            self._hold(window)
            broken = self._reader.feed(window)
            if broken is not None:
                break
            self._release()
            if self._reader.facts.ordinal - self._taken >= _BATCH_FACTS:
                yield from self._take()
        broken = broken or self._reader.close()
        for window in windows:
            self._hold(window)
        if broken is not None:
            self._set_rest_aside(broken, self._count(stream, start))
        yield from self._take()

    def _hold(self, window: bytes) -> None:
        if self._counter is not None:
            self._counter.feed(window)
        if len(self._held) < RAW_LIMIT_BYTES:
            self._held += window

    def _release(self) -> None:
        surplus = min(self._reader.settled - self._held_from, len(self._held))
        del self._held[:surplus]
        self._held_from += surplus

    def _count(self, stream: BinaryIO, start: int | None) -> int:
        if start is not None:
            stream.seek(start)
            return count_values(stream)
        return self._counter.close() if self._counter else 0

    def _set_rest_aside(self, broken: Break, count: int) -> None:
        self._release()
        facts = self._reader.facts
        left = count - facts.ordinal
        facts.quarantine(broken.code, broken.reason, bytes(self._held), facts=left, line=broken.line)

    def _take(self) -> Iterator[Batch]:
        """Yield what was read since the last call as one batch, its rows in the order of the file."""
        parsed = next(iter([*self._reader.facts.take()]), Batch())  # to its end, where the buffer is emptied
        rows = [*parsed.tables.values(), *self._reader.take_rows()]
        if len(rows) > 1:
            both = pa.Table.from_batches([rows[0].cast(rows[1].schema), rows[1]]).unify_dictionaries()
            rows = both.take(np.argsort(both["ordinal"].to_numpy())).combine_chunks().to_batches()
        if rows or parsed.quarantined:
            yield Batch({"pm_counters": rows[0]} if rows else {}, parsed.quarantined)
        self._taken = self._reader.facts.ordinal


def _windows(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the bytes of a stream in pieces of one size, however they arrive."""
    pieces: list[bytes] = []
    held = 0
    for chunk in chunks(stream, size):
        pieces.append(chunk)
        held += len(chunk)
        if held >= size:
            yield b"".join(pieces)
            pieces, held = [], 0
    if pieces:
        yield b"".join(pieces)
