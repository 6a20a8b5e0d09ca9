"""The lake of a machine whose rows go to Delta tables that others write too.

What was mediated is committed on this machine first, as in any lake, then added to the tables, and its parts are
dropped: the machine keeps its ledger and its quarantine. Whatever dies in between, the next writer adds what waits.
"""

from __future__ import annotations

import contextlib
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from sqlalchemy import Column, MetaData, String, Table, delete, insert, select

from cellwright.lake.delta import TOGETHER, DeltaTables, publishable
from cellwright.lake.disk import Disk, storage_errors
from cellwright.lake.folder import Lake
from cellwright.lake.ledger import Ledger, Rewrite
from cellwright.lake.place import Folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cellwright.lake.ledger import Part, Piece, Range
    from cellwright.lake.record import FileRecord
    from cellwright.lake.writer import LakeWriter


class Commit(StrEnum):
    """What makes the rows of a file visible."""

    LEDGER = "ledger"  # the lake's own: one writer at a time
    DELTA = "delta"  # the logs of Delta tables: many machines at once


_PENDING: Final = Table("pending", MetaData(), Column("file_id", String, primary_key=True))


class StagedLedger(Ledger):
    """A ledger that knows which files are not in the Delta tables yet."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        _PENDING.metadata.create_all(self._engine)

    def commit(
        self, file: FileRecord, parts: tuple[Part, ...], pieces: tuple[Piece, ...], ranges: tuple[Range, ...]
    ) -> None:
        """List a file with all that became of it, in place of what was listed of it before."""
        with self.changing() as connection:
            super().commit(file, parts, pieces, ranges)
            connection.execute(delete(_PENDING).where(_PENDING.c.file_id == file.file_id))
            if publishable(file):
                connection.execute(insert(_PENDING), [{"file_id": file.file_id}])

    def pending(self) -> list[FileRecord]:
        """Return the files that are not in the Delta tables yet."""
        with self._engine.connect() as connection:
            names = connection.execute(select(_PENDING.c.file_id).order_by(_PENDING.c.file_id)).scalars().all()
        return [file for name in names if (file := self.file(name))]

    def published(self, files: list[FileRecord]) -> list[Part]:
        """Say that files are in the Delta tables; return the parts that are not needed any longer."""
        parts = [part for file in files for part in self.parts_of(file.file_id)]
        with self.changing() as connection:
            self.rewrite(Rewrite(tuple(part.number for part in parts)))
            for file in files:
                connection.execute(delete(_PENDING).where(_PENDING.c.file_id == file.file_id))
        return parts


class StagedLake(Lake):
    """A lake that hands its rows on to Delta tables: all of them before `writer` ends, unless the block fails."""

    def __init__(self, folder: Path, ledger: StagedLedger, tables: DeltaTables) -> None:
        disk = Disk()
        super().__init__(Folder(folder, disk), ledger, disk)
        self._staged, self._tables, self._waiting = ledger, tables, 0

    @classmethod
    def stage(cls, folder: Path, tables: DeltaTables) -> Self:
        """Return the lake in a folder of this machine, made when absent, whose rows go to tables."""
        with storage_errors("created", folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(folder, StagedLedger(folder), tables)

    @contextlib.contextmanager
    def writer(self, quarantine_key: bytes) -> Iterator[LakeWriter]:
        """Return the only writer of this machine for the block; raise StorageError also for tables it cannot write."""
        with super().writer(quarantine_key) as writer:
            writer.committed = self._count
            yield writer
            self._publish()

    def _count(self, file: FileRecord) -> None:
        self._waiting += file.rows
        if self._waiting >= TOGETHER:
            self._publish()

    def _publish(self) -> None:
        if files := self._staged.pending():
            self._tables.add(self, files)
            for part in self._staged.published(files):
                self._place.remove(part.path)
        self._waiting = 0
