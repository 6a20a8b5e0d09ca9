"""Small facts and files for the lake's tests."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa

from cellwright.lake.disk import Disk
from cellwright.lake.record import FileRecord, identity
from cellwright.lake.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cellwright.lake.writer import LakeWriter

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=1)
KEY = bytes(32)


def log_rows(file_id: str, ordinals: Iterable[int]) -> pa.RecordBatch:
    rows = [
        {
            "ordinal": ordinal,
            "body": f"line {ordinal}",
            "dq_flags": [],
            "tenant": "t",
            "source": "s",
            "file_id": file_id,
            "ingest_ts": NOON,
        }
        for ordinal in ordinals
    ]
    return pa.RecordBatch.from_pylist(rows, schema=TABLES["logs"])


def store(writer: LakeWriter, name: str, rows: Iterable[int], raw: int, quarantined: Iterable[int] = ()) -> FileRecord:
    """Store a file of log lines; every ordinal that is neither a row nor quarantined is filtered."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    rows, quarantined = list(rows), list(quarantined)
    file_id = identity("t", digest)
    with writer.file(file_id) as draft:
        draft.raw = raw
        draft.append("logs", log_rows(file_id, rows))
        for ordinal in quarantined:
            draft.quarantine(ordinal, 1, ordinal + 1, "bad-line", "not a line", b"raw line")
        for ordinal in sorted({*range(raw)} - {*rows, *quarantined}):
            draft.leave_out(ordinal, 1, "not-wanted")
        return draft.commit(
            tenant="t", source=name, format_name="lines", vendor=None, sha256=digest, size=9, ingested=NOON
        )


class FailingDisk(Disk):
    """Fails at its n-th step, and counts them."""

    def __init__(self, fails_at: int, error: BaseException) -> None:
        self.steps = 0
        self._fails_at = fails_at
        self._error = error

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self._fails_at:
            raise self._error

    def create(self, path: Path) -> BinaryIO:
        self._step()
        return super().create(path)

    def sync(self, stream: BinaryIO) -> None:
        self._step()
        super().sync(stream)

    def rename(self, source: Path, target: Path) -> None:
        self._step()
        super().rename(source, target)

    def sync_folder(self, folder: Path) -> None:
        self._step()
        super().sync_folder(folder)
