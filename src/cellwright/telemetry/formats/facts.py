"""Collects what a format found, numbers it in file order, and hands it out as micro-batches."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from cellwright.lake.schema import FACTS
from cellwright.telemetry.format import Batch, Filtered, Quarantined

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import BinaryIO

BATCH_FACTS: Final = 16_384
CHUNK_BYTES: Final = 1 << 16
RAW_LIMIT_BYTES: Final = 16 << 20
"""A quarantined piece keeps at most this much of itself, so that a hostile file cannot fill the memory."""


def chunks(stream: BinaryIO, size: int = CHUNK_BYTES) -> Iterator[bytes]:
    """Yield the bytes of a stream in pieces of at most `size`."""
    while chunk := stream.read(size):
        yield chunk


class FactBuffer:
    """Rows, quarantined and filtered facts; ordinals are given consecutively, so they partition 0..n-1."""

    def __init__(self) -> None:
        self.ordinal = 0  # of the next fact: how many there were so far
        self._taken = 0
        self._columns: dict[str, dict[str, list[object]]] = {}
        self._quarantined: list[Quarantined] = []
        self._filtered: list[Filtered] = []

    def row(self, table: str, values: Mapping[str, object]) -> None:
        """Add one row; absent columns are null."""
        self.rows(table, 1, values, {})

    def rows(
        self, table: str, count: int, shared: Mapping[str, object], varied: Mapping[str, Sequence[object]]
    ) -> None:
        """Add `count` rows: `shared` values are the same in each, `varied` hold `count` values."""
        columns = self._columns.setdefault(table, {name: [] for name in FACTS[table].names})
        for name, column in columns.items():
            if name in varied:
                column.extend(varied[name])
            elif name == "ordinal":
                column.extend(range(self.ordinal, self.ordinal + count))
            elif name == "dq_flags":
                column.extend(repeat(shared.get(name) or (), count))
            else:
                column.extend(repeat(shared.get(name), count))
        self.ordinal += count

    def quarantine(self, code: str, reason: str, raw: bytes, *, facts: int = 1, line: int | None = None) -> None:
        """Set a piece of input aside; facts 0: the file is damaged where it holds no fact."""
        self._quarantined.append(Quarantined(self.ordinal, facts, line, code, reason, raw[:RAW_LIMIT_BYTES]))
        self.ordinal += facts

    def leave_out(self, reason: str, *, facts: int = 1) -> None:
        """Count facts as left out on purpose; neighbours with one reason become one entry."""
        last = self._filtered[-1] if self._filtered else None
        if last and last.reason == reason and last.ordinal + last.facts == self.ordinal:
            self._filtered[-1] = Filtered(last.ordinal, last.facts + facts, reason)
        else:
            self._filtered.append(Filtered(self.ordinal, facts, reason))
        self.ordinal += facts

    def full(self) -> bool:
        """Return whether a micro-batch is due."""
        return self.ordinal - self._taken >= BATCH_FACTS

    def take(self) -> Iterator[Batch]:
        """Yield what was collected since the last call as one batch, nothing when there is nothing."""
        if self._columns or self._quarantined or self._filtered:
            tables = {table: _record_batch(table, columns) for table, columns in self._columns.items()}
            yield Batch(tables, tuple(self._quarantined), tuple(self._filtered))
        self._columns, self._quarantined, self._filtered = {}, [], []
        self._taken = self.ordinal


def _record_batch(table: str, columns: Mapping[str, list[object]]) -> pa.RecordBatch:
    schema = FACTS[table]
    arrays = [pa.array(columns[field.name], type=field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
