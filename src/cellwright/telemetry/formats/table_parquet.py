"""Tables in Parquet, read by a mapping of their columns."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from cellwright.telemetry.formats.facts import RAW_LIMIT_BYTES, FactBuffer, chunks
from cellwright.telemetry.formats.table_parquet_cells import column_texts
from cellwright.telemetry.formats.table_parquet_footer import ENCRYPTED, MAGIC, footer_groups, footer_rows, is_encrypted
from cellwright.telemetry.formats.table_rows import Refusal, TableRows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from cellwright.telemetry.format import Batch
    from cellwright.telemetry.formats.delimited_mapping import Mapping

_BATCH_ROWS: Final = 4096
_BUFFER_BYTES: Final = 1 << 20
_LARGEST_TEXT: Final = 64 << 20  # in the footer
# What Arrow raises for files that are damaged, encrypted or beyond it; its own errors derive from these or its base.
_UNREADABLE: Final = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError, LookupError)


class ParquetTable:
    """A fact is a row. A file whose columns are not those of the header is refused as a whole."""

    def __init__(self, mapping: Mapping) -> None:
        self.name = f"parquet:{mapping.metadata.name}"
        self._mapping = mapping
        self._header = mapping.spec.header

    def detects(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content decides
        """Return whether the file is Parquet; its columns stand at its end, and are looked at when it is read."""
        return head.startswith((MAGIC, ENCRYPTED))

    def count_facts(self, stream: BinaryIO) -> int:
        """Return the number of rows that the footer says; 1, for the file, where it cannot be read."""
        rows = footer_rows(stream)
        return 1 if rows is None and stream.seek(0, io.SEEK_END) else rows or 0

    def parse(self, stream: BinaryIO) -> Iterator[Batch]:
        """Yield batches; a row that does not fit the mapping is quarantined, and a row group that is damaged."""
        facts = FactBuffer()
        count = footer_rows(stream)
        if count is None:
            if raw := _content(stream):
                is_secret = is_encrypted(stream)
                code, reason = ("encrypted-table", "the footer is encrypted") if is_secret else _DAMAGED
                facts.quarantine(code, reason, raw)
        else:
            yield from self._read(facts, stream, count)
        yield from facts.take()

    def _read(self, facts: FactBuffer, stream: BinaryIO, count: int) -> Iterator[Batch]:
        refusal = None
        try:
            file = pq.ParquetFile(
                pa.PythonFile(_Whole(stream), mode="r"),
                pre_buffer=False,
                buffer_size=_BUFFER_BYTES,
                thrift_string_size_limit=_LARGEST_TEXT,
            )
            names = leaf_names(file.schema_arrow, self._header)
            refusal = self._wrong_columns(names)
        except _UNREADABLE:
            refusal = Refusal(*_DAMAGED)
        if refusal:
            facts.quarantine(refusal.code, refusal.reason, _content(stream), facts=count)
            return
        for index, group in enumerate(footer_groups(stream) or ()):
            end = min(facts.ordinal + group.rows, count)
            yield from self._read_group(facts, file, index, end)
            if facts.ordinal < end:
                raw = _content(stream, group.offset, group.size) if group.offset > 0 and group.size > 0 else b""
                reason = "the row group is damaged or encrypted"
                facts.quarantine("damaged-row-group", reason, raw, facts=end - facts.ordinal)
        if facts.ordinal < count:
            reason = "expected as many rows as the footer says"
            facts.quarantine("missing-rows", reason, b"", facts=count - facts.ordinal)

    def _read_group(self, facts: FactBuffer, file: pq.ParquetFile, index: int, end: int) -> Iterator[Batch]:
        """Add the rows of a row group up to the ordinal `end`, as far as they can be read."""
        rows = TableRows(self._mapping)
        try:
            for batch in file.iter_batches(_BATCH_ROWS, row_groups=[index], use_threads=False):
                self._add(facts, rows, batch.slice(0, end - facts.ordinal))
                if facts.full():
                    yield from facts.take()
        except _UNREADABLE:
            rows.settle(facts)

    def _add(self, facts: FactBuffer, rows: TableRows, batch: pa.RecordBatch) -> None:
        columns = [column_texts(batch, name) for name in self._header]
        for cells in zip(*columns, strict=True):
            texts = ["" if cell is None else cell for cell in cells]
            is_whole = None not in cells
            record = texts if is_whole else Refusal("unreadable-field", "expected a value that can be text")
            rows.add(facts, record, json.dumps(texts).encode(), None)
        rows.settle(facts)

    def _wrong_columns(self, names: frozenset[str]) -> Refusal | None:
        missing = [name for name in self._header if name not in names]
        if missing:
            return Refusal("wrong-columns", f"the file lacks columns of the header: {', '.join(missing)}")
        if len(names) > len(self._header):
            return Refusal("wrong-columns", "the file has columns that the header does not name")
        return None


_DAMAGED: Final = ("damaged-table", "expected a Parquet file with a footer that can be read")


def leaf_names(schema: pa.Schema, header: tuple[str, ...]) -> frozenset[str]:
    """Return the names of columns; of one with members that the header does not name, those of the members."""
    names: set[str] = set()
    open_fields = [(field.name, field.type) for field in schema]
    while open_fields:
        name, kind = open_fields.pop()
        if name not in header and pa.types.is_struct(kind):
            open_fields += [(f"{name}.{field.name}", field.type) for field in kind]
        else:
            names.add(name)
    return frozenset(names)


def _content(stream: BinaryIO, start: int = 0, size: int = RAW_LIMIT_BYTES) -> bytes:
    stream.seek(start)
    return _read_whole(stream, min(size, RAW_LIMIT_BYTES))


def _read_whole(stream: BinaryIO, size: int) -> bytes:
    """Return `size` bytes, fewer only at the end: a stream may give less than it is asked for."""
    data = bytearray()
    while len(data) < size and (chunk := stream.read(size - len(data))):
        data += chunk
    return bytes(data)


class _Whole(io.RawIOBase):
    """A stream that gives as many bytes as are asked for, and stays open."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to an offset."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """Return the offset."""
        return self._stream.tell()

    def read(self, size: int | None = -1, /) -> bytes:
        """Return `size` bytes, fewer only at the end."""
        if size is None or size < 0:
            return b"".join(chunks(self._stream))
        return _read_whole(self._stream, size)
