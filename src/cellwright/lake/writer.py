"""Writes files into the lake: all of a file or nothing of it.

Order of a commit: temporary parts, sync, rename, sync of the folders, ledger transaction. A crash before the
transaction leaves parts that no reader sees and that the next writer removes.
"""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from typing import TYPE_CHECKING, Final

from cellwright.errors import StorageError
from cellwright.lake import sealing
from cellwright.lake.ledger import Part, Piece, Range, part_path
from cellwright.lake.parts import PartWriter
from cellwright.lake.record import FileRecord, FileState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    import pyarrow as pa

    from cellwright.lake.disk import Disk
    from cellwright.lake.ledger import Ledger
    from cellwright.lake.place import Place

SPOOL: Final = ".spool"
_KEPT_A_PIECE: Final = 16 * 2**20  # bytes of one quarantined piece that are kept
_KEPT_A_FILE: Final = 64 * 2**20  # and of all pieces of a file


class FileDraft:
    """What is to be stored of one file; nothing of it is visible before the commit."""

    def __init__(self, lake: LakeWriter, file_id: str) -> None:
        self.file_id = file_id
        self.raw = 0  # facts by the independent count
        self.is_balanced = True  # set to False where facts are unaccounted for although the sums agree
        self.is_committed = False
        self._lake = lake
        self._writers: dict[str, PartWriter] = {}
        self._pieces: list[Piece] = []
        self._ranges: list[Range] = []
        self._room = _KEPT_A_FILE

    @property
    def rows(self) -> int:
        """Return how many rows were appended."""
        return sum(writer.rows for writer in self._writers.values())

    @property
    def quarantined(self) -> int:
        """Return how many facts are in quarantine."""
        return sum(piece.facts for piece in self._pieces)

    @property
    def filtered(self) -> int:
        """Return how many facts were left out on purpose."""
        return sum(left_out.facts for left_out in self._ranges)

    @property
    def reasons(self) -> dict[str, int]:
        """Return the facts by quarantine code or filter reason."""
        facts: Counter[str] = Counter()
        for piece in self._pieces:
            facts[piece.code] += piece.facts
        for left_out in self._ranges:
            facts[left_out.reason] += left_out.facts
        return dict(sorted(facts.items()))

    def append(self, table: str, batch: pa.RecordBatch) -> None:
        """Add rows in the schema `TABLES[table]`."""
        if batch.num_rows:
            if table not in self._writers:
                self._writers[table] = self._lake.part_writer(table, len(self._writers))
            self._writers[table].append(batch)

    def quarantine(self, ordinal: int, facts: int, line: int | None, code: str, reason: str, payload: bytes) -> None:  # noqa: PLR0913, PLR0917 - the fields of one ledger line
        """Add a quarantined piece; its payload is encrypted at once, and cut at 16 MiB a piece and 64 MiB a file."""
        kept = payload[: min(_KEPT_A_PIECE, self._room)]
        self._room -= len(kept)
        sealed = sealing.seal(self._lake.quarantine_key, kept, f"{self.file_id}:{ordinal}") if kept else b""
        self._pieces.append(Piece(ordinal, facts, line, code, reason, len(payload), len(kept), sealed))

    def leave_out(self, ordinal: int, facts: int, reason: str) -> None:
        """Add facts left out on purpose; neighbours with one reason become one range."""
        last = self._ranges[-1] if self._ranges else None
        if last and last.reason == reason and last.ordinal + last.facts == ordinal:
            self._ranges[-1] = Range(last.ordinal, last.facts + facts, reason)
        else:
            self._ranges.append(Range(ordinal, facts, reason))

    def commit(  # noqa: PLR0913 - the fields of one ledger line
        self,
        *,
        tenant: str,
        source: str,
        format_name: str | None,
        vendor: str | None,
        sha256: str,
        size: int,
        ingested: datetime,
    ) -> FileRecord:
        """Make the file durable and visible, and return what the ledger now says of it."""
        parts = self._publish()
        record = FileRecord(
            self.file_id,
            tenant,
            source,
            format_name,
            vendor,
            sha256,
            size,
            self.raw,
            self.rows,
            self.quarantined,
            self.filtered,
            self._state(format_name),
            self.reasons,
            {table: writer.rows for table, writer in sorted(self._writers.items())},
            ingested,
        )
        self._lake.ledger.commit(record, parts, tuple(self._pieces), tuple(self._ranges))
        self.is_committed = True
        self._lake.committed(record)
        return record

    def close(self) -> None:
        """Release the parts, whether they were finished or not."""
        for writer in self._writers.values():
            writer.close()

    def _state(self, format_name: str | None) -> FileState:
        if not self.is_balanced or self.raw != self.rows + self.quarantined + self.filtered:
            return FileState.UNBALANCED
        if self._pieces:
            return FileState.PARTIAL if self.rows else FileState.QUARANTINED
        return FileState.STORED if format_name else FileState.SKIPPED

    def _publish(self) -> tuple[Part, ...]:
        digests = [writer.finish() for writer in self._writers.values()]
        for writer in self._writers.values():
            writer.publish()
        self._lake.place.sync([writer.path for writer in self._writers.values()])
        first = self._lake.first_part
        return tuple(
            Part(first + index, table, self.file_id, writer.rows, digest)
            for index, ((table, writer), digest) in enumerate(zip(self._writers.items(), digests, strict=True))
        )


class LakeWriter:
    """The only writer of a lake while its block runs; on entry it removes what an earlier one left unfinished."""

    def __init__(self, place: Place, ledger: Ledger, disk: Disk, quarantine_key: bytes) -> None:
        self.place = place
        self.ledger = ledger
        self.disk = disk
        self.quarantine_key = quarantine_key
        self.first_part = 0
        self.committed: Callable[[FileRecord], None] = lambda _: None  # hears of every file

    @property
    def spool(self) -> Path:
        """Return the folder for raw bytes on their way, readable by its owner alone and emptied at both ends."""
        return self.place.scratch / SPOOL

    def known(self, file_id: str) -> FileRecord | None:
        """Return what the ledger says of a file; None also where a part of it is gone, so that it is stored anew."""
        record = self.ledger.file(file_id)
        if record is None or not all(self.place.has(part.path) for part in self.ledger.parts_of(file_id)):
            return None
        return record

    @contextlib.contextmanager
    def file(self, file_id: str) -> Iterator[FileDraft]:
        """Return a draft for the block, which is discarded unless it was committed."""
        self.first_part = self.ledger.next_part()
        replaces = self.ledger.file(file_id) is not None
        draft = FileDraft(self, file_id)
        try:
            yield draft
        finally:
            draft.close()
            if replaces or not draft.is_committed:  # otherwise nothing is unlisted: no need to look at every part
                self.place.keep_listed(self.ledger)

    def part_writer(self, table: str, index: int) -> PartWriter:
        """Return the writer of the current file's part number `index`."""
        return PartWriter(self.place, part_path(table, self.first_part + index), table, self.disk)

    @contextlib.contextmanager
    def working(self) -> Iterator[LakeWriter]:
        """Be the only writer and hold the spool for the block."""
        with self.place.writing(self.ledger):
            self._check_key()
            self._empty_spool()
            self.spool.mkdir(mode=0o700)
            try:
                yield self
            finally:
                self._empty_spool()

    def _check_key(self) -> None:
        """Refuse to write under a second key: one identifier would get two pseudonyms."""
        if not self.ledger.bind_key(sealing.fingerprint(self.quarantine_key)):
            raise StorageError.of(
                "another-key",
                f"the lake {self.place.name} was written with another pseudonym key",
                expected="the key that it was made with: with two, one subscriber would have two pseudonyms",
                hint="name the right key file with CELLWRIGHT_KEY_FILE, or write to another lake",
            )

    def _empty_spool(self) -> None:
        if self.spool.exists():
            shutil.rmtree(self.spool)
