"""Lake: Parquet tables with a ledger; readers see only what the ledger lists."""

from __future__ import annotations

from cellwright.lake.disk import Disk
from cellwright.lake.folder import Lake
from cellwright.lake.record import FileRecord, FileState, QuarantineRecord, TableRecord, identity
from cellwright.lake.verify import Balance, Finding
from cellwright.lake.writer import FileDraft, LakeWriter

__all__ = [
    "Balance",
    "Disk",
    "FileDraft",
    "FileRecord",
    "FileState",
    "Finding",
    "Lake",
    "LakeWriter",
    "QuarantineRecord",
    "TableRecord",
    "identity",
]
