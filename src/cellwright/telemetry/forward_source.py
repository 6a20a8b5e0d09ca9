"""A site's lake as what is to be forwarded: its files, each with its rows and what became of its other facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import pyarrow as pa
import pyarrow.dataset as pads

from cellwright.errors import StorageError
from cellwright.lake.disk import sha256_of, storage_errors
from cellwright.lake.folder import Lake
from cellwright.lake.ledger import Ledger
from cellwright.lake.schema import TABLES
from cellwright.telemetry.forward_manifest import FilteredLine, QuarantinedLine
from cellwright.telemetry.forward_outbox import edition_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from cellwright.lake.ledger import Part
    from cellwright.lake.record import FileRecord


@dataclass(frozen=True, slots=True)
class SiteFile:
    """One file of the ledger."""

    record: FileRecord
    quarantined: tuple[QuarantinedLine, ...]
    filtered: tuple[FilteredLine, ...]
    parts: tuple[Part, ...]


class ChangedError(Exception):
    """The file was rewritten while it was read: it is to be read again."""


class DamagedError(StorageError):
    """The lake does not hold what its ledger lists of a file, which is therefore not forwarded."""

    @classmethod
    def about(cls, folder: Path, what: str) -> Self:
        """Return the error that says what is wrong in a lake."""
        hint = "cellwright lake verify says more; mediate the file again"
        return cls.of("part-damaged", f"a file of the lake {folder} is not forwarded: {what}", hint=hint)


class SiteLake:
    """A lake open for forwarding; others may write to it meanwhile. Close it, or use it as a context."""

    def __init__(self, folder: Path) -> None:
        Lake.open(folder).close()
        self.folder = folder
        self._ledger = Ledger(folder)
        self._sound = dict[str, str]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ledger.close()

    def key(self) -> str:
        """Return the fingerprint of the key of the pseudonyms, "" where nothing was written yet."""
        with storage_errors("read", self.folder):
            return self._ledger.key() or ""

    def pending(self, forwarded: Mapping[str, str]) -> list[FileRecord]:
        """Return the files of which this edition was not forwarded, the longest stored first."""
        with storage_errors("read", self.folder):
            files = [each for each in self._ledger.files() if forwarded.get(each.file_id) != edition_of(each)]
        return sorted(files, key=lambda each: (each.ingested, each.file_id))

    def file(self, file_id: str) -> SiteFile:
        """Return what the ledger says of a file now; raise ChangedError when it is just being changed."""
        with storage_errors("read", self.folder):
            record, parts = self._ledger.file(file_id), self._ledger.parts_of(file_id)
            quarantined = tuple(
                QuarantinedLine(each.ordinal, each.facts, each.line, each.code, each.reason)
                for each in self._ledger.quarantine(file_id)
            )
            filtered = tuple(
                FilteredLine(each.ordinal, each.facts, each.reason) for each in self._ledger.filtered(file_id)
            )
        if record is None or not _adds_up(record, quarantined, filtered):
            raise ChangedError
        return SiteFile(record, quarantined, filtered, parts)

    def rows(self, file: SiteFile) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield the rows of a file with their table, in the order of its parts.

        Raises ChangedError when a part was rewritten meanwhile, DamagedError when one is damaged or lacks rows.
        """
        for name in sorted(file.record.rows_by_table):
            found = 0
            for part in file.parts:
                if part.table == name:
                    for batch in self._part(part, file.record.file_id):
                        found += batch.num_rows
                        yield name, batch
            if found != file.record.rows_by_table[name]:
                self._refuse(
                    file, f"it holds {found} rows for {name}, the ledger lists {file.record.rows_by_table[name]}"
                )

    def _part(self, part: Part, file_id: str) -> Iterator[pa.RecordBatch]:
        path = self.folder / part.path
        mine = None if part.file_id else pads.field("file_id") == file_id
        try:
            if self._sound.get(part.path) != part.sha256 and sha256_of(path) != part.sha256:
                raise DamagedError.about(self.folder, f"{part.path} is not the part that was written")
            self._sound[part.path] = part.sha256
            rows = pads.dataset([str(path)], schema=TABLES[part.table], format="parquet", partitioning=None)
            yield from rows.scanner(filter=mine, batch_readahead=1, fragment_readahead=1).to_batches()
        except FileNotFoundError as error:
            raise ChangedError from error
        except (OSError, pa.ArrowException) as error:
            raise DamagedError.about(self.folder, f"{part.path} cannot be read") from error

    def _refuse(self, file: SiteFile, what: str) -> None:
        if self.file(file.record.file_id) != file:
            raise ChangedError
        raise DamagedError.about(self.folder, f"{file.record.source}: {what}")


def _adds_up(record: FileRecord, quarantined: tuple[QuarantinedLine, ...], filtered: tuple[FilteredLine, ...]) -> bool:
    held, left_out = sum(each.facts for each in quarantined), sum(each.facts for each in filtered)
    return (held, left_out) == (record.quarantined, record.filtered)
