"""The manifest of a forwarded file: what the site's ledger says of it, and the digests of what it travels in."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads it when the program runs
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import msgspec

if TYPE_CHECKING:
    from cellwright.lake.record import FileRecord

VERSION: Final = 1


class FileLine(msgspec.Struct, frozen=True):
    """The ledger's line of one file."""

    file_id: str
    tenant: str
    source: str
    format: str | None
    vendor: str | None
    sha256: str
    size: int
    raw: int
    rows: int
    quarantined: int
    filtered: int
    state: str
    rows_by_table: dict[str, int]
    ingested: Annotated[datetime, msgspec.Meta(tz=True)]

    @classmethod
    def of(cls, record: FileRecord) -> FileLine:
        """Return the line of a record."""
        values = {name: getattr(record, name) for name in cls.__struct_fields__}
        return cls(**values | {"state": record.state.value, "rows_by_table": dict(record.rows_by_table)})


class QuarantinedLine(msgspec.Struct, frozen=True, array_like=True):
    """Facts in quarantine, without what they were: the sealed input stays at the site."""

    ordinal: int
    facts: int
    line: int | None
    code: str
    reason: str


class FilteredLine(msgspec.Struct, frozen=True, array_like=True):
    """Facts left out on purpose."""

    ordinal: int
    facts: int
    reason: str


class Chunk(msgspec.Struct, frozen=True):
    """Rows of one table: an Arrow IPC stream, whole in one piece or cut into several."""

    table: str
    rows: int
    pieces: tuple[str, ...]  # SHA-256, in order


class Manifest(msgspec.Struct, frozen=True):
    """All that the centre has to know to store a file as the site did."""

    version: int
    key: str  # fingerprint of the key of the pseudonyms
    file: FileLine
    quarantined: tuple[QuarantinedLine, ...]
    filtered: tuple[FilteredLine, ...]
    chunks: tuple[Chunk, ...]

    @property
    def pieces(self) -> frozenset[str]:
        """Return the digests of all pieces with rows."""
        return frozenset(digest for chunk in self.chunks for digest in chunk.pieces)


class Index(msgspec.Struct, frozen=True):
    """The pieces of a manifest that is larger than a message."""

    version: int
    pieces: tuple[str, ...]


class _Versioned(msgspec.Struct):
    version: int


_Document = TypeVar("_Document", _Versioned, Manifest, Index)


def read_manifest(data: bytes) -> Manifest:
    """Return the manifest in `data`; raise ValueError that says what is wrong without quoting it."""
    _check_version(data)
    return _decoded(data, Manifest)


def read_index(data: bytes) -> Index:
    """Return the index in `data`; raise ValueError as `read_manifest`."""
    _check_version(data)
    return _decoded(data, Index)


def _check_version(data: bytes) -> None:
    found = _decoded(data, _Versioned).version
    if found != VERSION:
        msg = f"it is of version {found}, this Cellwright reads version {VERSION}: update the older side"
        raise ValueError(msg)


def _decoded(data: bytes, kind: type[_Document]) -> _Document:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        msg = "it is no manifest"
        raise ValueError(msg) from error
