"""How an audit reads a file: as Parquet, Arrow, ORC, SQLite, a compressed stream, text, or bytes."""

from __future__ import annotations

import bz2
import contextlib
import lzma
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

from cellwright.privacy.audit import (
    Place,
    Survivor,
    column_name,
    is_text,
    kinds_in,
    label_of,
    survivors_in_blob,
    survivors_in_bytes,
    survivors_in_text,
)
from cellwright.privacy.audit_columns import survivors_in_batch, survivors_in_schema
from cellwright.telemetry.sources import lend
from cellwright.wiring.audit_pdf import survivors_in_pdf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cellwright.privacy.identifiers import Kind

    _Read = Callable[[int], bytes]
    Reader = Callable[[BinaryIO, Path], Iterator[Survivor | str]]

_HEAD: Final = 8192
_ROWS: Final = 8192
_INFLATED: Final = 16 * 2**30  # bytes that a compressed stream may become
_CHUNK: Final = 1 << 16
_DAMAGE: Final = (pa.ArrowException, OSError, EOFError, ValueError, sqlite3.Error, lzma.LZMAError)


def survivors_in_file(stream: BinaryIO, spool: Path) -> Iterator[Survivor | str]:
    """Yield what survives in a file, and the kebab-case code of what could not be looked into.

    A file that is not what it says it is, or is damaged, is looked through as bytes too.
    """
    head = stream.read(_HEAD)
    stream.seek(0)
    if any(head.startswith(magic) for magic in _SEALED):
        yield "archive-unsupported"
        return
    reader = next((reader for magic, reader in _READERS if head.startswith(magic)), None)
    if reader is not None:
        try:
            yield from reader(lend(stream), spool)
        except _DAMAGE:
            yield "damaged"
        else:
            return
    stream.seek(0)
    yield from survivors_in_text(stream) if reader is None and is_text(head) else survivors_in_bytes(stream)


def _parquet(stream: BinaryIO, _spool: Path) -> Iterator[Survivor]:
    with pq.ParquetFile(stream) as opened:
        yield from survivors_in_schema(opened.schema_arrow)
        yield from _batches(opened.iter_batches(batch_size=_ROWS))


def _arrow_file(stream: BinaryIO, _spool: Path) -> Iterator[Survivor]:
    with pa.ipc.open_file(stream) as opened:
        yield from survivors_in_schema(opened.schema)
        yield from _batches(opened.get_batch(index) for index in range(opened.num_record_batches))


def _arrow_stream(stream: BinaryIO, _spool: Path) -> Iterator[Survivor]:
    with pa.ipc.open_stream(stream) as opened:
        yield from survivors_in_schema(opened.schema)
        yield from _batches(iter(opened))


def _orc(stream: BinaryIO, _spool: Path) -> Iterator[Survivor]:
    opened = orc.ORCFile(stream)
    yield from survivors_in_schema(opened.schema)
    yield from _batches(opened.read_stripe(index) for index in range(opened.nstripes))


def _batches(batches: Iterator[pa.RecordBatch]) -> Iterator[Survivor]:
    row = 1
    for batch in batches:
        yield from survivors_in_batch(batch, row)
        row += batch.num_rows


def _sqlite(stream: BinaryIO, spool: Path) -> Iterator[Survivor]:
    """Yield what survives in the rows of a database, read from a copy: opening one may write beside it."""
    with tempfile.TemporaryDirectory(dir=spool) as folder:
        copy = Path(folder, "copy.db")
        with copy.open("wb") as target:
            shutil.copyfileobj(stream, target, _CHUNK)
        with contextlib.closing(sqlite3.connect(f"{copy.as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            database.text_factory = lambda data: data.decode(errors="replace")
            for number, (name,) in enumerate(database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")):
                yield from _sqlite_table(database, name, number + 1)
            for (sql,) in database.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL"):
                for kind in kinds_in(sql):
                    yield Survivor(kind, Place(part="schema"))


def _sqlite_table(database: sqlite3.Connection, name: str, number: int) -> Iterator[Survivor]:
    quoted = name.replace('"', '""')
    rows = database.execute(f'SELECT * FROM "{quoted}"')  # noqa: S608 - a name of its own schema, quoted
    columns = [(label_of(each[0]), column_name(each[0], index)) for index, each in enumerate(rows.description, 1)]
    table = str(column_name(name, number))
    for row, values in enumerate(rows, 1):
        for (label, column), value in zip(columns, values, strict=True):
            for kind in _kinds_of(value, label):
                yield Survivor(kind, Place(table=table, column=column, row=row))


def _kinds_of(value: object, label: str) -> tuple[Kind, ...]:
    if isinstance(value, bytes):
        return survivors_in_blob(value)
    if isinstance(value, str):
        return kinds_in(value, label)
    return kinds_in(f"{value:.0f}", label) if label and isinstance(value, int | float) else ()


def _unpacked(opener: Callable[[BinaryIO], _Read]) -> Reader:
    """Return the reader of a compressed stream; what it expands to is looked through as text or bytes."""

    def read(stream: BinaryIO, spool: Path) -> Iterator[Survivor | str]:
        with tempfile.TemporaryFile(dir=spool) as inner:
            code = _unpack(opener(stream), inner)
            inner.seek(0)
            head = inner.read(_HEAD)
            inner.seek(0)
            yield from survivors_in_text(inner) if is_text(head) else survivors_in_bytes(inner)
        if code:
            yield code

    return read


def _unpack(read: _Read, target: BinaryIO) -> str:
    """Copy what a compressed stream expands to, and return the code of what cut it short, or nothing."""
    left = _INFLATED
    try:
        while left and (data := read(min(_CHUNK, left))):
            target.write(data)
            left -= len(data)
    except _DAMAGE:
        return "archive-damaged"
    return "" if left else "archive-too-large"


def _bzip2(stream: BinaryIO) -> _Read:
    return bz2.BZ2File(stream).read1


def _xz(stream: BinaryIO) -> _Read:
    return lzma.LZMAFile(stream).read1


def _arrow_codec(name: str) -> Callable[[BinaryIO], _Read]:
    return lambda stream: cast("_Read", pa.CompressedInputStream(stream, name).read)


_SEALED: Final = (b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"PARE")
"""7-Zip, RAR, and Parquet with an encrypted footer: nothing here reads them."""

_READERS: Final[tuple[tuple[bytes, Reader], ...]] = (
    (b"PAR1", _parquet),
    (b"ARROW1", _arrow_file),
    (b"\xff\xff\xff\xff", _arrow_stream),
    (b"ORC", _orc),
    (b"SQLite format 3\0", _sqlite),
    (b"%PDF-", lambda stream, _spool: survivors_in_pdf(stream)),
    (b"BZh", _unpacked(_bzip2)),
    (b"\xfd7zXZ\0", _unpacked(_xz)),
    (b"\x28\xb5\x2f\xfd", _unpacked(_arrow_codec("zstd"))),
    (b"\x04\x22\x4d\x18", _unpacked(_arrow_codec("lz4"))),
)
"""First bytes and who reads them; each is the magic number of the format's own specification."""
