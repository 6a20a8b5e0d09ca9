"""Takes what a scan found over into the facts of a file, and tells what only the parser can read."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from cellwright.telemetry.formats.pm_head import read_head
from cellwright.telemetry.formats.pm_rows import BEYOND_INT64, NAN, NIL, Plain, PlainRows
from cellwright.telemetry.formats.pm_scan import INTEGER, OTHER, REAL
from cellwright.telemetry.formats.pm_values import read_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cellwright.telemetry.formats.pm_elements import Elements
    from cellwright.telemetry.formats.pm_head import Types
    from cellwright.telemetry.formats.pm_rows import Around
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
        plain = Plain(scan, np.empty(len(scan.kinds), np.int32))
        is_special = _is_special(scan)
        if is_special or not self._read_whole(plain, data):
            yield from self._read_groups(plain, data, is_special=is_special)

    def _read_whole(self, plain: Plain, data: bytes) -> bool:
        """Take over a scan of which the parser has to read nothing; return False, and take nothing, if it has to."""
        scan, elements = plain.scan, self._elements
        heads = [read_head(self.tags.prefix, data, *place) for place in scan.groups[:, :3].tolist()]
        if None in heads:
            return False
        bounds = [0, *scan.groups[:, 3].tolist(), len(scan.blocks)]
        before = elements.mark()
        groups: list[tuple[Types, Around, int]] = []
        for head, (first, last) in zip([None, *heads], pairwise(bounds), strict=True):
            if head is not None:
                elements.read_head(head)
            if first < last:
                groups.append((elements.types(), elements.around(), last - first))
        if not _count_whole(plain, groups, self.rows):
            elements.reset(before)
            return False
        if groups:
            self._add(plain, data, range(len(scan.blocks)), [(around, objects) for _, around, objects in groups])
        return True

    def _read_groups(self, plain: Plain, data: bytes, *, is_special: bool) -> Iterator[Odd]:
        """Take over group by group."""
        groups = plain.scan.groups.tolist()
        bounds = [*(first for *_, first in groups), len(plain.scan.blocks)]
        yield from self._objects(plain, data, range(bounds[0]), is_special=is_special)
        for (begin, split, end, first), last in zip(groups, bounds[1:], strict=True):
            head = read_head(self.tags.prefix, data, begin, split, end)
            if head is None:
                yield Odd(begin, end, is_head=True)
            else:
                self._elements.read_head(head)
            yield from self._objects(plain, data, range(first, last), is_special=is_special)

    def _objects(self, plain: Plain, data: bytes, blocks: range, *, is_special: bool) -> Iterator[Odd]:
        if not blocks:
            return
        odd = _find_counters(plain, blocks, self._elements.types(), self.rows, is_special=is_special)
        begin = blocks.start
        for block in [*odd, blocks.stop]:
            if begin < block:
                self._add(plain, data, range(begin, block), [(self._elements.around(), block - begin)])
            if block < blocks.stop:
                start, end_tag = plain.scan.blocks[block, :2].tolist()
                yield Odd(start, end_tag + len(self.tags.value_end), is_head=False)
            begin = block + 1

    def _add(self, plain: Plain, data: bytes, blocks: range, arounds: Sequence[tuple[Around, int]]) -> None:
        place = plain.scan.blocks[blocks.start : blocks.stop, 2:4].tolist()
        names = [
            data[first:last].decode("ascii") if first >= 0 else self._elements.object or "" for first, last in place
        ]
        facts = self._elements.facts
        facts.ordinal += self.rows.add(plain, blocks, arounds, names, facts.ordinal)
        self.settled = int(plain.scan.blocks[blocks.stop - 1, 1])


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


def _count_whole(plain: Plain, groups: Sequence[tuple[Types, Around, int]], rows: PlainRows) -> bool:
    """Set the counters of all values, given their groups and how many objects each has; return whether all have one."""
    if not groups:
        return True
    scan = plain.scan
    kinds = {id(types): types for types, _, _ in groups}
    places = np.concatenate([types.places for types in kinds.values()])
    lengths, bases = [len(types.places) for types in kinds.values()], [rows.base(types) for types in kinds.values()]
    each = np.array([np.cumsum([0, *lengths[:-1]]), lengths, bases], np.int32).T
    order = {kind: place for place, kind in enumerate(kinds)}
    ends = scan.blocks[np.cumsum([objects for _, _, objects in groups]) - 1, 6]
    table = each[[order[id(types)] for types, _, _ in groups]].repeat(np.diff(ends, prepend=np.int32(0)), axis=0)
    found = places[table[:, 0] + np.minimum(scan.positions, table[:, 1] - 1)]
    np.add(found, table[:, 2], out=plain.counters)
    return not len(found) or int(found.min()) >= 0


def _find_counters(plain: Plain, blocks: range, types: Types, rows: PlainRows, *, is_special: bool) -> list[int]:
    """Set the counters of the values of some objects; return the odd: with a value that is OTHER or has no counter."""
    scan, counters = plain.scan, plain.counters
    first, last = plain.values(blocks)
    places = types.places.take(scan.positions[first:last], mode="clip")
    base = rows.base(types)
    np.add(places, base, out=counters[first:last])
    if not is_special and (first == last or places.min() >= 0):
        return []
    odd = np.flatnonzero((places < 0) | (scan.kinds[first:last] == OTHER)) + first
    found = set(
        (np.searchsorted(scan.blocks[blocks.start : blocks.stop, 6], odd, side="right") + blocks.start).tolist()
    )
    for block in blocks:
        if scan.blocks[block, 5]:
            begin, end = plain.values(range(block, block + 1))
            found.discard(block)
            if end - begin != len(types.counters) or types.ambiguous or (scan.kinds[begin:end] == OTHER).any():
                found.add(block)
            counters[begin:end] = np.arange(base, base + end - begin)
    return sorted(found)
