"""Parquet parts: written to a temporary name in row groups, read whole."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cellwright.lake.disk import sha256_of
from cellwright.lake.schema import TABLES

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from cellwright.lake.disk import Disk
    from cellwright.lake.ledger import Part
    from cellwright.lake.place import Place


class _Sink(io.RawIOBase):
    """A stream that can be told to write no more, so that a Parquet writer closes on a full disk."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self.stream = stream
        self.discards = False

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Buffer, /) -> int:
        """Write, or pretend to."""
        return memoryview(data).nbytes if self.discards else self.stream.write(data)


_RISING: Final = "ordinal"
_WHERE: Final = frozenset(
    ("ne_dn", "obj_ldn", "object_dn", "host", "exporter", "target", "tenant", "source", "file_id")
)
"""Columns of strings by which a part may be left out of a search."""
ROW_GROUP: Final = 49_152  # rows held in memory for each table of the file being written


class PartWriter:
    """Writes the rows of one table from one file; nothing has the final name before `publish`.

    Strings may come as dictionaries of strings; as the first batch has a column, so it is written. Readers get strings.
    """

    def __init__(self, place: Place, path: str, table: str, disk: Disk) -> None:
        self.path = path
        self.rows = 0
        self._place, self._disk = place, disk
        self._temporary = place.temporary(path)
        self._pending: list[pa.RecordBatch] = []
        self._waiting = 0
        self._sink = _Sink(disk.create(self._temporary))
        self._schema = TABLES[table]
        self._parquet: pq.ParquetWriter | None = None

    def append(self, batch: pa.RecordBatch) -> None:
        """Add rows; full row groups go to the disk."""
        if self._parquet is None:
            self._schema = batch.schema
            self._parquet = _opened(self._sink, batch.schema)
        self._pending.append(batch if batch.schema.equals(self._schema) else batch.cast(self._schema))
        self.rows += batch.num_rows
        self._waiting += batch.num_rows
        if self._waiting >= ROW_GROUP:
            self._flush()

    def finish(self) -> str:
        """Make the temporary file complete and durable and return its SHA-256."""
        self._flush()
        self._parquet = self._parquet or _opened(self._sink, self._schema)
        self._parquet.close()
        self._disk.sync(self._sink.stream)
        self._sink.stream.close()
        return sha256_of(self._temporary)

    def publish(self) -> None:
        """Give the part its name."""
        self._place.publish(self._temporary, self.path)

    def close(self) -> None:
        """Release the file; what was not published stays under its temporary name."""
        self._sink.discards = True
        self._pending = []
        if self._parquet is not None:
            self._parquet.close()
        with contextlib.suppress(OSError):
            self._sink.stream.close()

    def _flush(self) -> None:
        if self._pending and self._parquet:
            rows = pa.Table.from_batches([_distinct(batch) for batch in self._pending])
            self._parquet.write_table(rows.unify_dictionaries())
            self._pending, self._waiting = [], 0


def _opened(sink: _Sink, schema: pa.Schema) -> pq.ParquetWriter:
    # Ordinals rise one by one: as differences they take next to no room, and no dictionary is tried on them first.
    return pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        use_dictionary=[leaf for field in schema if field.name != _RISING for leaf in _leaves(field)],
        column_encoding={_RISING: "DELTA_BINARY_PACKED"},
        write_statistics=[leaf for field in schema if _narrows(field) for leaf in _leaves(field)],
        store_schema=False,  # a reader would get dictionaries for strings
    )


def _distinct(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows with each string once in every dictionary, as the Parquet writer takes for granted."""
    for place, column in enumerate(batch.columns):
        if pa.types.is_dictionary(column.type):
            strings = column.dictionary.dictionary_encode()
            if len(strings.dictionary) < len(column.dictionary):
                merged = pa.DictionaryArray.from_arrays(strings.indices.take(column.indices), strings.dictionary)
                batch = batch.set_column(place, batch.schema.field(place), merged)
    return batch


def _narrows(field: pa.Field) -> bool:
    """Return whether the least and greatest value of a column tell which parts and row groups need not be read.

    Of names that every file has all of, as those of counters, they do not, and take as long as writing them.
    """
    return field.name in _WHERE or not (pa.types.is_string(field.type) or pa.types.is_dictionary(field.type))


def _leaves(field: pa.Field) -> list[str]:
    """Return the paths of a column's leaves as Parquet's encodings are set by (LogicalTypes.md, lists and maps)."""
    if pa.types.is_map(field.type):
        return [f"{field.name}.key_value.key", f"{field.name}.key_value.value"]
    return [f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name]


def read_part(place: Place, part: Part, columns: list[str] | None, where: pc.Expression | None) -> pa.Table:
    """Return the rows of a part, those of one file by ordinal; `where` is applied before columns are dropped."""
    wanted = None if columns is None else list(dict.fromkeys([*columns, "ordinal"]))
    path = place.at(part.path)
    rows = pq.read_table(path, columns=wanted, filters=where, partitioning=None, filesystem=place.filesystem)
    ordinals = rows["ordinal"]
    if part.file_id and rows.num_rows > 1 and not pc.all(pc.less(ordinals[:-1], ordinals[1:])).as_py():
        rows = rows.take(pc.sort_indices(ordinals))
    return rows if columns is None else rows.select(columns)
