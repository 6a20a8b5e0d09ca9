"""The messages in which one file travels: pieces named by their content, and last the manifest that lists them.

A piece carries rows as an Arrow IPC stream compressed with zstd; one row larger than a message is cut. A manifest
larger than a message is cut as well, and an index of its pieces goes in its place. Nothing depends on the order or the
number of arrivals: the digest of a piece says what it holds, and a file is whole when all that is listed is there.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

import msgspec
import pyarrow as pa

from cellwright.lake.schema import TABLES
from cellwright.telemetry.forward_manifest import VERSION, Chunk, Index, Manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LIMIT: Final = 900 * 2**10
"""Bytes of a message at most: servers of NATS and Kafka take 1 MiB with its headers unless they are told otherwise."""
_FILE, _FORMAT, _KIND = "Cellwright-File", "Cellwright-Format", "Cellwright-Kind"
_FILE_ID: Final = re.compile("[a-z2-7]{16}")
_OPTIONS: Final = pa.ipc.IpcWriteOptions(compression="zstd")


class Kind(StrEnum):
    """What a message is."""

    PIECE = "piece"
    MANIFEST = "manifest"
    INDEX = "index"


@dataclass(frozen=True, slots=True)
class Message:
    """One message; the same `id` is the same content."""

    file_id: str
    format: str | None
    kind: Kind
    payload: bytes
    digest: str

    @classmethod
    def of(cls, file_id: str, format_name: str | None, kind: Kind, payload: bytes) -> Message:
        """Return the message with its digest."""
        return cls(file_id, format_name, kind, payload, hashlib.sha256(payload).hexdigest())

    @property
    def id(self) -> str:
        """Return what the server knows a repeated message by."""
        return f"{self.file_id}.{self.kind.value}.{self.digest}"

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers, in plain ASCII."""
        named = {} if self.format is None else {_FORMAT: quote(self.format)}
        return {_FILE: self.file_id, _KIND: self.kind.value} | named


def read_message(headers: Mapping[str, str], payload: bytes) -> Message | None:
    """Return the message that was received, or None where it is none of ours."""
    file_id, kind, named = headers.get(_FILE, ""), headers.get(_KIND, ""), headers.get(_FORMAT)
    if not _FILE_ID.fullmatch(file_id) or kind not in {each.value for each in Kind}:
        return None
    return Message.of(file_id, None if named is None else unquote(named), Kind(kind), payload)


class Packing:
    """Makes the messages of one file, in the order in which they are sent."""

    def __init__(self, file_id: str, format_name: str | None, limit: int = LIMIT) -> None:
        self.chunks: list[Chunk] = []
        self._file_id, self._format, self._limit = file_id, format_name, limit

    def rows(self, table: str, batch: pa.RecordBatch) -> Iterator[Message]:
        """Yield the pieces of rows in the schema `TABLES[table]`; memory: the batch, compressed."""
        if not batch.num_rows:
            return
        data = _encoded(batch)
        if len(data) > self._limit and batch.num_rows > 1:
            step = max(1, batch.num_rows // (len(data) // self._limit + 1))
            for start in range(0, batch.num_rows, step):
                yield from self.rows(table, batch.slice(start, step))
            return
        pieces = tuple(self._pieces(data))
        self.chunks.append(Chunk(table, batch.num_rows, tuple(piece.digest for piece in pieces)))
        yield from pieces

    def last(self, manifest: Manifest) -> Iterator[Message]:
        """Yield what closes the file; it is to be sent when all pieces have arrived."""
        data = msgspec.json.encode(manifest)
        if len(data) <= self._limit:
            yield self._message(Kind.MANIFEST, data)
            return
        pieces = tuple(self._pieces(data))
        yield from pieces
        index = Index(VERSION, tuple(piece.digest for piece in pieces))
        yield self._message(Kind.INDEX, msgspec.json.encode(index))

    def _pieces(self, data: bytes) -> Iterator[Message]:
        for start in range(0, len(data), self._limit):
            yield self._message(Kind.PIECE, data[start : start + self._limit])

    def _message(self, kind: Kind, payload: bytes) -> Message:
        return Message.of(self._file_id, self._format, kind, payload)


def unpacked(manifest: Manifest, chunk: Chunk, data: bytes) -> list[pa.RecordBatch]:
    """Return the rows of a chunk; raise ValueError where they are not what the manifest says they are."""
    if chunk.table not in TABLES:
        msg = "it has rows for a table that this Cellwright does not know: update the older side"
        raise ValueError(msg)
    try:
        with pa.ipc.open_stream(data) as stream:
            if not stream.schema.equals(TABLES[chunk.table]):
                msg = f"its rows for {chunk.table} have another schema: update the older side"
                raise ValueError(msg)
            batches = list(stream)
            for batch in batches:
                batch.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        msg = f"its rows for {chunk.table} cannot be read"
        raise ValueError(msg) from error
    if sum(batch.num_rows for batch in batches) != chunk.rows:
        msg = f"its rows for {chunk.table} are not as many as the manifest says"
        raise ValueError(msg)
    for batch in batches:
        _check_origin(manifest, batch)
    return batches


def _check_origin(manifest: Manifest, batch: pa.RecordBatch) -> None:
    for name, expected in (("file_id", manifest.file.file_id), ("tenant", manifest.file.tenant)):
        if batch[name].unique().to_pylist() not in ([expected], []):
            msg = f"its rows carry another {name} than the manifest"
            raise ValueError(msg)
    if any(batch[field.name].null_count for field in batch.schema if not field.nullable):
        msg = "its rows have nulls where none may be"
        raise ValueError(msg)


def _encoded(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=_OPTIONS) as stream:
        stream.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data
