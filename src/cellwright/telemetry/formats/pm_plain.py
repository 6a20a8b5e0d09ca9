"""Takes what a scan found over into the facts of a file, and tells what only the parser can read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from cellwright.telemetry.formats.pm_head import read_head
from cellwright.telemetry.formats.pm_rows import BEYOND_INT64, NAN, NIL, Plain, PlainRows
from cellwright.telemetry.formats.pm_scan import INTEGER, OTHER, REAL
from cellwright.telemetry.formats.pm_values import read_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.telemetry.formats.pm_elements import Elements
    from cellwright.telemetry.formats.pm_head import Types
    from cellwright.telemetry.formats.pm_scan import Scan, Tags

_NULL_KINDS: Final = {"nil": NIL, "nan": NAN}


class Odd(NamedTuple):
    """A piece that the parser has to read before what follows it: an object, or the head of a group."""

    begin: int
    end: int
    is_head: bool


class PlainReader:
    """Reads the scans of one file; `rows` holds what became of them since it was renewed."""

    def __init__(self, elements: Elements, tags: Tags) -> None:
        self.rows = PlainRows()
        self.tags = tags
        self.settled = -1  # index of the end tag of the last plain object
        self._elements = elements

    def read(self, scan: Scan, data: bytes) -> Iterator[Odd]:
        """Take over a scan of `data`, and yield on the way what the parser has to read first."""
        _read_others(scan)
        self.settled = -1
        plain = Plain(scan, np.empty(len(scan.kinds), np.int32), scan.blocks.tolist(), _is_special(scan))
        bounds = [*scan.groups[:, 3].tolist(), len(plain.blocks)]
        yield from self._objects(plain, data, range(bounds[0]))
        for (begin, split, end, first), last in zip(scan.groups.tolist(), bounds[1:], strict=True):
            head = read_head(self.tags.prefix, data, begin, split, end)
            if head is None:
                yield Odd(begin, end, is_head=True)
            else:
                self._elements.read_head(head)
            yield from self._objects(plain, data, range(first, last))

    def _objects(self, plain: Plain, data: bytes, blocks: range) -> Iterator[Odd]:
        if not blocks:
            return
        odd = _find_counters(plain, blocks, self._elements.types(), self.rows)
        begin = blocks.start
        for block in [*odd, blocks.stop]:
            if begin < block:
                self._add(plain, data, range(begin, block))
            if block < blocks.stop:
                start, end_tag = plain.blocks[block][:2]
                yield Odd(start, end_tag + len(self.tags.value_end), is_head=False)
            begin = block + 1

    def _add(self, plain: Plain, data: bytes, blocks: range) -> None:
        names = [
            data[block[2] : block[3]].decode("ascii") if block[2] >= 0 else self._elements.object or ""
            for block in plain.blocks[blocks.start : blocks.stop]
        ]
        facts = self._elements.facts
        facts.ordinal += self.rows.add(plain, blocks, self._elements.around(), names, facts.ordinal)
        self.settled = plain.blocks[blocks.stop - 1][1]


def _read_others(scan: Scan) -> None:
    """Read the texts that the scan left; what is no single value stays OTHER, which makes its object odd."""
    for number, text in scan.others:
        value = read_value(text)
        if value is None or value.vec is not None:
            continue
        if value.i64 is not None:
            scan.kinds[number], scan.integers[number] = INTEGER, value.i64
        elif value.f64 is not None:
            scan.kinds[number], scan.reals[number] = BEYOND_INT64 if value.flag else REAL, value.f64
        elif value.null_reason in _NULL_KINDS:
            scan.kinds[number] = _NULL_KINDS[value.null_reason]


def _is_special(scan: Scan) -> bool:
    """Return whether some value is still OTHER, or some object a list."""
    return bool((scan.kinds == OTHER).any() or scan.blocks[:, 5].any())


def _find_counters(plain: Plain, blocks: range, types: Types, rows: PlainRows) -> list[int]:
    """Set the counters of the values of some objects; return the odd: with a value that is OTHER or has no counter."""
    scan, counters = plain.scan, plain.counters
    first, last = plain.values(blocks)
    places = types.places.take(scan.positions[first:last], mode="clip")
    base = rows.base(types)
    np.add(places, base, out=counters[first:last])
    if not plain.is_special and (first == last or places.min() >= 0):
        return []
    odd = np.flatnonzero((places < 0) | (scan.kinds[first:last] == OTHER)) + first
    found = set(
        (np.searchsorted(scan.blocks[blocks.start : blocks.stop, 6], odd, side="right") + blocks.start).tolist()
    )
    for block in blocks:
        if plain.blocks[block][5]:
            begin, end = plain.values(range(block, block + 1))
            found.discard(block)
            if end - begin != len(types.counters) or types.ambiguous or (scan.kinds[begin:end] == OTHER).any():
                found.add(block)
            counters[begin:end] = np.arange(base, base + end - begin)
    return sorted(found)
