"""What the ledger says of files, tables and quarantined pieces."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotations where the ledger is a log
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - as above
from enum import StrEnum


class FileState(StrEnum):
    """What became of a file."""

    STORED = "stored"  # every fact is a row or was filtered on purpose
    PARTIAL = "partial"  # some facts are in quarantine
    QUARANTINED = "quarantined"  # no fact became a row
    UNBALANCED = "unbalanced"  # facts are unaccounted for: verify fails
    EXPIRED = "expired"  # was stored once; its rows were deleted when their time was over
    SKIPPED = "skipped"  # of no known format
    UNREADABLE = "unreadable"  # could not be opened, or changed while it was read: not in the ledger


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One raw file: where it came from and how its facts balance. `source` is pseudonymised."""

    file_id: str
    tenant: str
    source: str
    format: str | None
    vendor: str | None
    sha256: str  # of the raw bytes, decompressed
    size: int  # bytes
    raw: int  # facts, counted without the parser
    rows: int
    quarantined: int
    filtered: int
    state: FileState
    reasons: Mapping[str, int]  # facts by quarantine code or filter reason
    rows_by_table: Mapping[str, int]
    ingested: datetime  # UTC


@dataclass(frozen=True, slots=True)
class QuarantineRecord:
    """One quarantined piece, without its content."""

    file_id: str
    source: str
    ordinal: int
    facts: int
    line: int | None
    code: str
    reason: str
    size: int  # bytes of the piece
    kept: int  # of these, kept encrypted


@dataclass(frozen=True, slots=True)
class TableRecord:
    """One table: its parts and rows by the ledger."""

    name: str
    parts: int
    rows: int


def identity(tenant: str, sha256: str, damage: str = "") -> str:
    """Return the file id: the same for the same tenant and content, however the file is named.

    `damage` tells a file cut short from a whole one of the same readable bytes. Letters and 2 to 7, so that no id looks
    like a telephone number.
    """
    digest = hashlib.sha256(f"{tenant}\0{sha256}\0{damage}".encode()).digest()
    return base64.b32encode(digest[:10]).decode().lower()
