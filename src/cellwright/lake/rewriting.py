"""Rewrites parts: many small ones into few, and shared ones without the rows of files whose time is over.

New parts are made durable first, one ledger transaction puts them in the place of the old, then the old are deleted: an
interruption leaves either the old rows or the new, and perhaps files that nobody lists, which the next writer removes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from cellwright.lake.ledger import Part, Rewrite, part_path
from cellwright.lake.parts import PartWriter, read_part
from cellwright.lake.record import FileState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from cellwright.lake.disk import Disk
    from cellwright.lake.ledger import Ledger
    from cellwright.lake.place import Place
    from cellwright.lake.record import FileRecord

ROWS: Final = 1_000_000
"""Rows of a compacted part: some 10 to 100 MB, few enough to read one, many enough that a year has few parts."""
_FULL: Final = 2  # a part that holds one in so many of the rows wanted is left as it is


def compact(place: Place, ledger: Ledger, disk: Disk, rows: int) -> tuple[int, int]:
    """Merge parts of the same table that are small, in order; return how many parts there were, and are."""
    before = ledger.parts()
    for group in _groups(before, rows):
        files = tuple(sorted({file_id for part in group for file_id in ledger.files_of(part)}))
        merged = _written(place, group, ledger.next_part(), disk, frozenset())
        _replace(place, ledger, group, Rewrite(tuple(part.number for part in group), ((merged, files),)))
    return len(before), len(ledger.parts())


def expire(place: Place, ledger: Ledger, disk: Disk, before: datetime) -> tuple[FileRecord, ...]:
    """Delete what is left of files stored before a time; return what the ledger said of them."""
    old = [each for each in ledger.files() if each.ingested < before and each.state is not FileState.EXPIRED]
    gone = frozenset(each.file_id for each in old)
    removed, added, number = list[Part](), list[tuple[Part, tuple[str, ...]]](), ledger.next_part()
    for part in ledger.parts():
        files = ledger.files_of(part)
        kept = tuple(each for each in files if each not in gone)
        if len(kept) == len(files):
            continue
        removed.append(part)
        if kept:
            added.append((_written(place, [part], number + len(added), disk, gone), kept))
    if old:
        numbers = tuple(part.number for part in removed)
        _replace(place, ledger, removed, Rewrite(numbers, tuple(added), tuple(sorted(gone))))
    return tuple(old)


def _groups(parts: Sequence[Part], rows: int) -> Iterator[list[Part]]:
    """Yield neighbours of one table that are small and together not larger than wanted, two at least."""
    for table in sorted({part.table for part in parts}):
        group, held = list[Part](), 0
        for part in (each for each in parts if each.table == table and each.rows * _FULL < rows):
            if group and held + part.rows > rows:
                if len(group) > 1:
                    yield group
                group, held = [], 0
            group.append(part)
            held += part.rows
        if len(group) > 1:
            yield group


def _written(place: Place, parts: Sequence[Part], number: int, disk: Disk, without: frozenset[str]) -> Part:
    """Write the rows of parts, but for those of some files, as one durable part that no ledger line lists yet."""
    table = parts[0].table
    writer = PartWriter(place, part_path(table, number), table, disk)
    try:
        for part in parts:
            for batch in read_part(place, part, None, _but(without)).to_batches():
                writer.append(batch)
        digest = writer.finish()
        writer.publish()
        place.sync([writer.path])
    finally:
        writer.close()
    return Part(number, table, "", writer.rows, digest)


def _but(files: frozenset[str]) -> pc.Expression | None:
    """Return what is true of the rows of all other files."""
    return ~pc.field("file_id").isin(pa.array(sorted(files), pa.string())) if files else None


def _replace(place: Place, ledger: Ledger, old: Sequence[Part], change: Rewrite) -> None:
    ledger.rewrite(change)
    for part in old:
        place.remove(part.path)
