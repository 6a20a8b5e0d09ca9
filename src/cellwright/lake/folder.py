"""The lake: Parquet tables in a folder or an object store, and the ledger that says which parts of them exist."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Self, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from cellwright.errors import StorageError, UsageError, nearest
from cellwright.lake import rewriting, sealing
from cellwright.lake import verify as checks
from cellwright.lake.address import Address
from cellwright.lake.bucket import Bucket
from cellwright.lake.disk import Disk, Transit, storage_errors
from cellwright.lake.ledger import NAME, Ledger
from cellwright.lake.parts import read_part
from cellwright.lake.place import Folder, Remote
from cellwright.lake.query import answer
from cellwright.lake.remote_ledger import RemoteLedger
from cellwright.lake.schema import TABLES
from cellwright.lake.writer import LakeWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    import pyarrow.dataset as pads

    from cellwright.lake.ledger import Part
    from cellwright.lake.place import Place
    from cellwright.lake.query import QueryLimits
    from cellwright.lake.record import FileRecord, QuarantineRecord, TableRecord
    from cellwright.lake.verify import Balance

    Kept = Callable[[pa.Table], pa.Table]

T = TypeVar("T")
_UNREADABLE: Final = "read: it lacks a part or holds a damaged one (see `cellwright lake verify`)"


class AbsentLakeError(StorageError):
    """There is no lake where one was looked for."""


class Lake:
    """A lake open for reading; `writer` opens it for writing. Close it, or use it as a context."""

    def __init__(self, place: Place, ledger: Ledger, disk: Disk) -> None:
        self._place = place
        self._ledger = ledger
        self._disk = disk

    @classmethod
    def open(cls, where: Path | Address, *, create: bool = False, disk: Disk | None = None) -> Self:
        """Return the lake in a folder or at an address, made when absent if `create`.

        Raises AbsentLakeError when there is none, StorageError when the store of an address cannot be read.
        """
        if isinstance(where, Address):
            return cls(*_at(where, create=create), disk or Transit())
        disk = disk or Disk()
        if create:
            with storage_errors("created", where):
                (where / "tables").mkdir(parents=True, exist_ok=True)
        elif not (where / NAME).is_file():
            raise _absent(where)
        return cls(Folder(where, disk), Ledger(where), disk)

    @property
    def path(self) -> Path:
        """Return the lake's folder; of a lake at an address, the folder of this machine that caches its ledger."""
        return self._place.scratch

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
        writer = LakeWriter(self._place, self._ledger, self._disk, quarantine_key)
        with storage_errors("written", self._place.name), writer.working():
            yield writer

    def read(
        self,
        table: str,
        columns: Sequence[str] | None = None,
        filter: pc.Expression | None = None,  # noqa: A002 - the word of pyarrow and of SQL
        kept: Kept | None = None,
    ) -> pa.Table:
        """Return the rows of a table that satisfy `filter`, in the order of parts and ordinals.

        `kept` returns those to keep of some rows, where no expression tells them: no more than a part is held at once.
        """
        schema = _schema(table)
        names = None if columns is None else [known(column, schema.names, "column") for column in columns]
        empty = schema.empty_table().select(schema.names if names is None else names)
        return pa.concat_tables([empty, *self._rows_of(lambda: self._ledger.parts(table), names, filter, kept)])

    def read_of(self, table: str, files: Collection[str]) -> pa.Table:
        """Return the rows of a table that some files brought; reads no part that holds none of them."""
        schema = _schema(table)

        def holding() -> tuple[Part, ...]:
            parts = {part for file in files for part in self._ledger.parts_of(file) if part.table == table}
            return tuple(sorted(parts, key=lambda part: part.number))

        rows = self._rows_of(holding, None, pc.field("file_id").isin(pa.array([*files], pa.string())))
        return pa.concat_tables([schema.empty_table(), *rows])

    def dataset(self, table: str) -> pads.Dataset:
        """Return a table as a dataset of its parts as they are now, for engines that read columns and rows of it."""
        paths = [part.path for part in self._ledger.parts(known(table, list(TABLES), "table"))]
        return self._place.dataset(paths, TABLES[table])

    def _datasets(self, where: pc.Expression | None) -> dict[str, pads.Dataset]:
        found = {table: self.dataset(table) for table in TABLES}
        return found if where is None else {table: rows.filter(where) for table, rows in found.items()}

    def _rows_of(
        self,
        listed: Callable[[], tuple[Part, ...]],
        names: list[str] | None,
        where: pc.Expression | None,
        kept: Kept | None = None,
    ) -> list[pa.Table]:
        with storage_errors(_UNREADABLE, self._place.name):
            parts = listed()
            try:
                return self._rows(parts, names, where, kept)
            except FileNotFoundError:
                self._ledger.refresh()
                if parts == (parts := listed()):
                    raise
                return self._rows(parts, names, where, kept)  # parts were rewritten between two looks

    def _rows(
        self, parts: Sequence[Part], names: list[str] | None, where: pc.Expression | None, kept: Kept | None
    ) -> list[pa.Table]:
        def rows(part: Part) -> pa.Table:
            found = read_part(self._place, part, names, where)
            return kept(found) if kept else found

        if self._place.at_once == 1:
            return [rows(part) for part in parts]
        with ThreadPoolExecutor(self._place.at_once) as pool:
            return list(pool.map(rows, parts))

    def tables(self) -> tuple[TableRecord, ...]:
        """Return the tables that have rows, with their parts and rows."""
        return self._ledger.tables()

    def files(self) -> tuple[FileRecord, ...]:
        """Return every file that was mediated or skipped, by source."""
        return self._ledger.files()

    def key(self) -> str:
        """Return the fingerprint of the key that the lake is written with, "" where nothing was written yet."""
        return self._ledger.key() or ""

    def quarantine(self) -> tuple[QuarantineRecord, ...]:
        """Return the quarantined pieces without their content."""
        return self._ledger.quarantine()

    def quarantined_payloads(self, file_id: str, ordinal: int, key: bytes) -> tuple[bytes, ...]:
        """Return the raw pieces of a file at an ordinal; raise StorageError for a wrong key."""
        sealed = self._ledger.sealed(file_id, ordinal)
        return tuple(sealing.unseal(key, piece, f"{file_id}:{ordinal}") for piece in sealed)

    def query(self, sql: str, where: pc.Expression | None = None, limits: QueryLimits | None = None) -> pa.Table:
        """Return what a SELECT finds in the tables, or in the rows of them that satisfy `where`.

        Raises UsageError for a statement that cannot be answered.
        """
        with storage_errors(_UNREADABLE, self._place.name):
            before = self._ledger.parts()
            try:
                return answer(sql, self._datasets(where), limits)
            except (OSError, UsageError):
                self._ledger.refresh()
                if self._ledger.parts() == before:
                    raise
                return answer(sql, self._datasets(where), limits)  # parts were rewritten meanwhile

    def compact(self, rows: int = rewriting.ROWS) -> tuple[int, int]:
        """Merge small parts into parts of up to `rows` rows; return how many parts there were, and are."""
        return self._rewritten(lambda: rewriting.compact(self._place, self._ledger, self._disk, rows))

    def expire(self, before: datetime) -> tuple[FileRecord, ...]:
        """Delete all rows and quarantined input of files stored before a time; return what they were.

        The ledger keeps a line of each, so that a copy that arrives late is known and not stored again.
        """
        return self._rewritten(lambda: rewriting.expire(self._place, self._ledger, self._disk, before))

    def forget_payloads(self, before: datetime) -> int:
        """Delete the input kept in quarantine of files stored before a time, not its lines; return how many pieces."""
        return self._rewritten(lambda: self._ledger.forget_payloads(before))

    def _rewritten(self, work: Callable[[], T]) -> T:
        with storage_errors("rewritten", self._place.name), self._place.writing(self._ledger):
            try:
                return work()
            finally:
                self._place.keep_listed(self._ledger)

    def verify(self) -> tuple[Balance, ...]:
        """Return the balance of every file, recounted from the parts, and of parts that no file accounts for."""
        with storage_errors("verified", self._place.name):
            return checks.verify(self._place, self._ledger)


def _at(address: Address, *, create: bool) -> tuple[Place, Ledger]:
    bucket = Bucket(address.url)
    with storage_errors("opened", address):
        ledger = RemoteLedger(bucket, address.cache)
        ledger.refresh()
    if not (create or ledger.exists):
        ledger.close()
        raise _absent(address)
    return Remote(bucket, address.cache, ledger), ledger


def _absent(where: Path | Address) -> AbsentLakeError:
    return AbsentLakeError.of("no-lake", f"there is no lake in {where}", hint="cellwright mediate makes one")


def _schema(table: str) -> pa.Schema:
    return TABLES[known(table, list(TABLES), "table")]


def known(name: str, names: list[str], what: str) -> str:
    """Return a name if it is among others; raise UsageError naming the nearest."""
    if name not in names:
        code = f"unknown-{what}"
        raise UsageError.of(
            code,
            f"the lake has no {what} {name!r} here",
            expected="one of " + ", ".join(names),
            hint=nearest(name, names),
        )
    return name
