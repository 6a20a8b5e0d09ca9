"""The lake: a folder of Parquet tables and the ledger that says which parts of it exist."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, Self, TypeVar

import pyarrow as pa

from cellwright.errors import StorageError, UsageError, nearest
from cellwright.lake import rewriting, sealing
from cellwright.lake import verify as checks
from cellwright.lake.disk import Disk, storage_errors
from cellwright.lake.ledger import NAME, Ledger
from cellwright.lake.lock import writer_lock
from cellwright.lake.parts import read_part
from cellwright.lake.query import answer
from cellwright.lake.schema import TABLES
from cellwright.lake.writer import LakeWriter, keep_listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    import pyarrow.compute as pc
    import pyarrow.dataset as pads

    from cellwright.lake.ledger import Part
    from cellwright.lake.record import FileRecord, QuarantineRecord, TableRecord
    from cellwright.lake.verify import Balance

T = TypeVar("T")
_UNREADABLE: Final = "read: it lacks a part or holds a damaged one (see `cellwright lake verify`)"


class Lake:
    """A lake open for reading; `writer` opens it for writing. Close it, or use it as a context."""

    def __init__(self, path: Path, ledger: Ledger, disk: Disk) -> None:
        self.path = path
        self._ledger = ledger
        self._disk = disk

    @classmethod
    def open(cls, path: Path, *, create: bool = False, disk: Disk | None = None) -> Self:
        """Return the lake in a folder, made when absent if `create`; raise StorageError when there is none."""
        if create:
            with storage_errors("created", path):
                (path / "tables").mkdir(parents=True, exist_ok=True)
        elif not (path / NAME).is_file():
            raise StorageError.of("no-lake", f"there is no lake in {path}", hint="cellwright mediate makes one")
        return cls(path, Ledger(path), disk or Disk())

    def close(self) -> None:
        """Release the ledger."""
        self._ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextlib.contextmanager
    def writer(self, quarantine_key: bytes) -> Iterator[LakeWriter]:
        """Return the only writer for the block.

        `quarantine_key`: 32 bytes that encrypt quarantined input and are stored nowhere in the lake. Raises
        StorageError when another writer is at work, and when the disk is full or not writable.
        """
        writer = LakeWriter(self.path, self._ledger, self._disk, quarantine_key)
        with storage_errors("written", self.path), writer.working():
            yield writer

    def read(
        self,
        table: str,
        columns: Sequence[str] | None = None,
        filter: pc.Expression | None = None,  # noqa: A002 - the word of pyarrow and of SQL
    ) -> pa.Table:
        """Return the rows of a table that satisfy `filter`, in the order of parts and ordinals."""
        schema = _schema(table)
        names = None if columns is None else [_known(column, schema.names, "column") for column in columns]
        empty = schema.empty_table().select(schema.names if names is None else names)
        with storage_errors(_UNREADABLE, self.path):
            parts = self._ledger.parts(table)
            try:
                rows = self._rows(parts, names, filter)
            except FileNotFoundError:
                if parts == (parts := self._ledger.parts(table)):
                    raise
                rows = self._rows(parts, names, filter)  # parts were rewritten between two looks
        return pa.concat_tables([empty, *rows])

    def dataset(self, table: str) -> pads.Dataset:
        """Return a table as a dataset of its parts as they are now, for engines that read columns and rows of it."""
        import pyarrow.dataset as pads  # noqa: PLC0415 - takes 7 MiB, and writing needs none

        paths = [str(self.path / part.path) for part in self._ledger.parts(_known(table, list(TABLES), "table"))]
        return pads.dataset(paths, schema=TABLES[table], format="parquet", partitioning=None)

    def _rows(self, parts: Sequence[Part], names: list[str] | None, where: pc.Expression | None) -> list[pa.Table]:
        return [read_part(self.path / part.path, names, where, sorts=bool(part.file_id)) for part in parts]

    def tables(self) -> tuple[TableRecord, ...]:
        """Return the tables that have rows, with their parts and rows."""
        return self._ledger.tables()

    def files(self) -> tuple[FileRecord, ...]:
        """Return every file that was mediated or skipped, by source."""
        return self._ledger.files()

    def quarantine(self) -> tuple[QuarantineRecord, ...]:
        """Return the quarantined pieces without their content."""
        return self._ledger.quarantine()

    def quarantined_payloads(self, file_id: str, ordinal: int, key: bytes) -> tuple[bytes, ...]:
        """Return the raw pieces of a file at an ordinal; raise StorageError for a wrong key."""
        sealed = self._ledger.sealed(file_id, ordinal)
        return tuple(sealing.unseal(key, piece, f"{file_id}:{ordinal}") for piece in sealed)

    def query(self, sql: str) -> pa.Table:
        """Return what a SELECT finds in the tables; raise UsageError for a statement that cannot be answered."""
        with storage_errors(_UNREADABLE, self.path):
            before = self._ledger.parts()
            try:
                return answer(sql, {table: self.dataset(table) for table in TABLES})
            except (OSError, UsageError):
                if self._ledger.parts() == before:
                    raise
                return answer(sql, {table: self.dataset(table) for table in TABLES})  # parts were rewritten meanwhile

    def compact(self, rows: int = rewriting.ROWS) -> tuple[int, int]:
        """Merge small parts into parts of up to `rows` rows; return how many parts there were, and are."""
        return self._rewritten(lambda: rewriting.compact(self.path, self._ledger, self._disk, rows))

    def expire(self, before: datetime) -> tuple[FileRecord, ...]:
        """Delete all rows and quarantined input of files stored before a time; return what they were.

        The ledger keeps a line of each, so that a copy that arrives late is known and not stored again.
        """
        return self._rewritten(lambda: rewriting.expire(self.path, self._ledger, self._disk, before))

    def forget_payloads(self, before: datetime) -> int:
        """Delete the input kept in quarantine of files stored before a time, not its lines; return how many pieces."""
        return self._rewritten(lambda: self._ledger.forget_payloads(before))

    def _rewritten(self, work: Callable[[], T]) -> T:
        with storage_errors("rewritten", self.path), writer_lock(self.path):
            keep_listed(self.path, self._ledger)
            try:
                return work()
            finally:
                keep_listed(self.path, self._ledger)

    def verify(self) -> tuple[Balance, ...]:
        """Return the balance of every file, recounted from the parts, and of parts that no file accounts for."""
        with storage_errors("verified", self.path):
            return checks.verify(self.path, self._ledger)


def _schema(table: str) -> pa.Schema:
    return TABLES[_known(table, list(TABLES), "table")]


def _known(name: str, names: list[str], what: str) -> str:
    if name not in names:
        code = f"unknown-{what}"
        raise UsageError.of(
            code,
            f"the lake has no {what} {name!r} here",
            expected="one of " + ", ".join(names),
            hint=nearest(name, names),
        )
    return name
