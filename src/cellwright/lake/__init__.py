"""Lake: Parquet tables with a ledger; readers see only what the ledger lists."""

from __future__ import annotations

from cellwright.lake.address import Address
from cellwright.lake.delta import DeltaTables
from cellwright.lake.delta_lake import delta_at, open_lake
from cellwright.lake.disk import Disk
from cellwright.lake.folder import AbsentLakeError, Lake
from cellwright.lake.record import FileRecord, FileState, QuarantineRecord, TableRecord, identity
from cellwright.lake.staged import Commit, StagedLake
from cellwright.lake.verify import Balance, Finding
from cellwright.lake.writer import FileDraft, LakeWriter

__all__ = [
    "AbsentLakeError",
    "Address",
    "Balance",
    "Commit",
    "DeltaTables",
    "Disk",
    "FileDraft",
    "FileRecord",
    "FileState",
    "Finding",
    "Lake",
    "LakeWriter",
    "QuarantineRecord",
    "StagedLake",
    "TableRecord",
    "delta_at",
    "identity",
    "open_lake",
]
