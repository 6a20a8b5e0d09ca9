"""The ledger: which parts exist, which file every row came from, and what became of every fact."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import JSON, Column, Integer, LargeBinary, MetaData, String, Table, delete, func, insert, select, update

from cellwright.lake.record import FileRecord, FileState, QuarantineRecord, TableRecord
from cellwright.store import open_store, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection, RowMapping

NAME: Final = "ledger.db"

METADATA: Final = MetaData()
_FILES: Final = Table(
    "files",
    METADATA,
    Column("file_id", String, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("source", String, nullable=False),
    Column("format", String),
    Column("vendor", String),
    Column("sha256", String, nullable=False),
    Column("size", Integer, nullable=False),
    Column("raw", Integer, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("quarantined", Integer, nullable=False),
    Column("filtered", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("rows_by_table", JSON, nullable=False),
    Column("ingested", String, nullable=False),
)
_PARTS: Final = Table(
    "parts",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("table", String, nullable=False),
    Column("file_id", String, nullable=False, index=True),
    Column("rows", Integer, nullable=False),
    Column("sha256", String, nullable=False),
)
_SHARES: Final = Table(
    "part_files",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("file_id", String, primary_key=True, index=True),
)
_QUARANTINE: Final = Table(
    "quarantine",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("file_id", String, nullable=False, index=True),
    Column("ordinal", Integer, nullable=False),
    Column("facts", Integer, nullable=False),
    Column("line", Integer),
    Column("code", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("size", Integer, nullable=False),
    Column("kept", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
_FILTERED: Final = Table(
    "filtered",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("file_id", String, nullable=False, index=True),
    Column("ordinal", Integer, nullable=False),
    Column("facts", Integer, nullable=False),
    Column("reason", String, nullable=False),
)
_KEY: Final = Table("key", METADATA, Column("fingerprint", String, primary_key=True))


@dataclass(frozen=True, slots=True)
class Part:
    """One Parquet file: rows of one table from one raw file, or from several once it was compacted.

    Its number gives its name and its place in order.
    """

    number: int
    table: str
    file_id: str  # "" of a compacted part: the ledger lists its files beside it
    rows: int
    sha256: str

    @property
    def path(self) -> str:
        """Return where it lies in the lake's folder."""
        return part_path(self.table, self.number)


def part_path(table: str, number: int) -> str:
    """Return where the part with this number lies in the lake's folder."""
    return f"tables/{table}/part-{number:08d}.parquet"


@dataclass(frozen=True, slots=True)
class Piece:
    """One quarantined piece as it is stored; `sealed` is encrypted."""

    ordinal: int
    facts: int
    line: int | None
    code: str
    reason: str
    size: int
    kept: int
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What takes the place of parts: new parts with their files, and files of which no row is left."""

    removed: tuple[int, ...]
    added: tuple[tuple[Part, tuple[str, ...]], ...] = ()
    expired: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Range:
    """Facts left out on purpose."""

    ordinal: int
    facts: int
    reason: str


class Ledger:
    """The database beside the tables. Every method is one transaction."""

    def __init__(self, folder: Path) -> None:
        self._engine = open_store(sqlite_url(str(folder / NAME)), METADATA)
        self._changing: Connection | None = None

    def close(self) -> None:
        """Release the database."""
        self._engine.dispose()

    def refresh(self) -> None:
        """Take notice of what others changed; nothing is to be done where all use one database."""

    @contextlib.contextmanager
    def changing(self) -> Iterator[Connection]:
        """Hold one transaction that changes the ledger; one within another is part of it."""
        if self._changing is not None:
            yield self._changing
            return
        with self._engine.begin() as connection:
            self._changing = connection
            try:
                yield connection
            finally:
                self._changing = None

    def commit(
        self, file: FileRecord, parts: tuple[Part, ...], pieces: tuple[Piece, ...], ranges: tuple[Range, ...]
    ) -> None:
        """List a file with all that became of it, in place of what was listed of it before."""
        with self.changing() as connection:
            if connection.execute(delete(_FILES).where(_FILES.c.file_id == file.file_id)).rowcount:
                for table in (_PARTS, _SHARES, _QUARANTINE, _FILTERED):
                    connection.execute(delete(table).where(table.c.file_id == file.file_id))
                shared = _PARTS.c.file_id == ""
                connection.execute(delete(_PARTS).where(shared, _PARTS.c.number.not_in(select(_SHARES.c.number))))
            connection.execute(insert(_FILES), [_file_values(file)])
            for table, rows in ((_PARTS, parts), (_QUARANTINE, pieces), (_FILTERED, ranges)):
                if rows:
                    connection.execute(insert(table), [_values(row, file.file_id) for row in rows])

    def rewrite(self, change: Rewrite) -> None:
        """Put new parts in the place of others, and take what is left of expired files out."""
        with self.changing() as connection:
            for number in change.removed:
                for table in (_PARTS, _SHARES):
                    connection.execute(delete(table).where(table.c.number == number))
            for part, files in change.added:
                connection.execute(insert(_PARTS), [_values(part, part.file_id)])
                connection.execute(insert(_SHARES), [{"number": part.number, "file_id": each} for each in files])
            for file_id in change.expired:
                for table in (_QUARANTINE, _FILTERED):
                    connection.execute(delete(table).where(table.c.file_id == file_id))
                mine = _FILES.c.file_id == file_id
                raw = connection.execute(select(_FILES.c.raw).where(mine)).scalar_one()
                expired = {"rows": 0, "quarantined": 0, "filtered": raw, "state": FileState.EXPIRED.value}
                plain = {"reasons": {FileState.EXPIRED.value: raw}, "rows_by_table": {}}
                connection.execute(update(_FILES).where(mine).values(expired | plain))
                gone = {"file_id": file_id, "ordinal": 0, "facts": raw, "reason": FileState.EXPIRED.value}
                connection.execute(insert(_FILTERED), [gone])

    def forget_payloads(self, before: datetime) -> int:
        """Drop the sealed content of quarantined pieces of files stored before a time; return how many had some."""
        stored = select(_FILES.c.file_id).where(_FILES.c.ingested < before.astimezone(UTC).isoformat())
        held = (_QUARANTINE.c.kept > 0) & _QUARANTINE.c.file_id.in_(stored)
        with self.changing() as connection:
            return connection.execute(update(_QUARANTINE).where(held).values(kept=0, sealed=b"")).rowcount

    def bind_key(self, fingerprint: str) -> bool:
        """Return whether the lake is written with the key of this fingerprint; the first to ask decides."""
        with self.changing() as connection:
            known = connection.execute(select(_KEY.c.fingerprint)).scalar()
            if known is None:
                connection.execute(insert(_KEY), [{"fingerprint": fingerprint}])
        return known in {None, fingerprint}

    def file(self, file_id: str) -> FileRecord | None:
        """Return what is listed of a file, or None."""
        with self._engine.connect() as connection:
            row = connection.execute(select(_FILES).where(_FILES.c.file_id == file_id)).mappings().first()
        return _file_record(row) if row else None

    def files(self) -> tuple[FileRecord, ...]:
        """Return all files, by source."""
        query = select(_FILES).order_by(_FILES.c.source, _FILES.c.file_id)
        with self._engine.connect() as connection:
            return tuple(_file_record(row) for row in connection.execute(query).mappings())

    def parts(self, table: str | None = None) -> tuple[Part, ...]:
        """Return the parts, of one table or all, in order."""
        query = select(_PARTS).order_by(_PARTS.c.number)
        if table is not None:
            query = query.where(_PARTS.c.table == table)
        with self._engine.connect() as connection:
            return tuple(Part(**row) for row in connection.execute(query).mappings())

    def parts_of(self, file_id: str) -> tuple[Part, ...]:
        """Return the parts that hold rows of one file, in order."""
        shared = select(_SHARES.c.number).where(_SHARES.c.file_id == file_id)
        mine = (_PARTS.c.file_id == file_id) | _PARTS.c.number.in_(shared)
        query = select(_PARTS).where(mine).order_by(_PARTS.c.number)
        with self._engine.connect() as connection:
            return tuple(Part(**row) for row in connection.execute(query).mappings())

    def files_of(self, part: Part) -> tuple[str, ...]:
        """Return the files of which a part holds rows, by id."""
        if part.file_id:
            return (part.file_id,)
        query = select(_SHARES.c.file_id).where(_SHARES.c.number == part.number).order_by(_SHARES.c.file_id)
        with self._engine.connect() as connection:
            return tuple(connection.execute(query).scalars())

    def next_part(self) -> int:
        """Return the number of the next part."""
        with self._engine.connect() as connection:
            return (connection.execute(select(func.max(_PARTS.c.number))).scalar() or 0) + 1

    def tables(self) -> tuple[TableRecord, ...]:
        """Return the tables that have parts, by name."""
        query = select(_PARTS.c.table, func.count(), func.sum(_PARTS.c.rows)).group_by(_PARTS.c.table)
        with self._engine.connect() as connection:
            return tuple(TableRecord(*row) for row in connection.execute(query.order_by(_PARTS.c.table)))

    def key(self) -> str | None:
        """Return the fingerprint of the key that the lake is written with, None where nothing was written yet."""
        with self._engine.connect() as connection:
            return connection.execute(select(_KEY.c.fingerprint)).scalar()

    def quarantine(self, file_id: str | None = None) -> tuple[QuarantineRecord, ...]:
        """Return the quarantined pieces of one file or all, by source and place."""
        names = [column for column in _QUARANTINE.c if column.name not in {"id", "sealed"}]
        query = (
            select(*names, _FILES.c.source)
            .join(_FILES, _FILES.c.file_id == _QUARANTINE.c.file_id)
            .order_by(_FILES.c.source, _QUARANTINE.c.file_id, _QUARANTINE.c.ordinal, _QUARANTINE.c.id)
        )
        if file_id is not None:
            query = query.where(_QUARANTINE.c.file_id == file_id)
        with self._engine.connect() as connection:
            return tuple(QuarantineRecord(**row) for row in connection.execute(query).mappings())

    def sealed(self, file_id: str, ordinal: int) -> tuple[bytes, ...]:
        """Return the encrypted pieces of a file at an ordinal."""
        query = select(_QUARANTINE.c.sealed).where(
            _QUARANTINE.c.file_id == file_id, _QUARANTINE.c.ordinal == ordinal, _QUARANTINE.c.kept > 0
        )
        with self._engine.connect() as connection:
            return tuple(connection.execute(query.order_by(_QUARANTINE.c.id)).scalars())

    def filtered(self, file_id: str) -> tuple[Range, ...]:
        """Return the facts of a file that were left out on purpose, by place."""
        query = select(_FILTERED.c.ordinal, _FILTERED.c.facts, _FILTERED.c.reason).where(_FILTERED.c.file_id == file_id)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(_FILTERED.c.ordinal, _FILTERED.c.id))
            return tuple(Range(*row) for row in rows)

    def ranges(self, file_id: str) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
        """Return (ordinal, facts) of the quarantined and of the filtered facts of a file."""
        with self._engine.connect() as connection:
            found = [
                connection.execute(select(table.c.ordinal, table.c.facts).where(table.c.file_id == file_id)).all()
                for table in (_QUARANTINE, _FILTERED)
            ]
        quarantined, filtered = (tuple((row[0], row[1]) for row in rows) for rows in found)
        return quarantined, filtered


def _values(row: Part | Piece | Range, file_id: str) -> dict[str, object]:
    return {name: getattr(row, name) for name in row.__slots__} | {"file_id": file_id}


def _file_values(file: FileRecord) -> dict[str, object]:
    values = {name: getattr(file, name) for name in file.__slots__}
    plain = {"reasons": dict(file.reasons), "rows_by_table": dict(file.rows_by_table), "state": file.state.value}
    return values | plain | {"ingested": file.ingested.astimezone(UTC).isoformat()}


def _file_record(row: RowMapping) -> FileRecord:
    record = FileRecord(**row)
    return replace(record, state=FileState(row["state"]), ingested=datetime.fromisoformat(row["ingested"]))
