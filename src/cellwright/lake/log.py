"""The ledger of a lake in an object store: a log of numbered objects, each one change, and now and then a checkpoint.

An entry is stored under the next number only where that name is free: whoever comes second learns that the log went on
without it, and nothing of its change is seen. That makes a change atomic, and puts writers in order.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING, Final

import msgspec
import pyarrow as pa

from cellwright.errors import StorageError
from cellwright.lake.ledger import Part, Piece, Range, Rewrite  # noqa: TC001 - as above
from cellwright.lake.record import FileRecord  # noqa: TC001 - as above

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cellwright.lake.bucket import Bucket

FOLDER: Final = "ledger"
_VERSION: Final = 1
_CHUNK: Final = 4 * 2**20


class Stored(msgspec.Struct, frozen=True, tag=True):
    """A file took the place of what was listed of it."""

    file: FileRecord
    parts: tuple[Part, ...]
    pieces: tuple[Piece, ...]
    ranges: tuple[Range, ...]


class Rewritten(msgspec.Struct, frozen=True, tag=True):
    """Parts took the place of others."""

    change: Rewrite


class Forgotten(msgspec.Struct, frozen=True, tag=True):
    """Quarantined input from before a time was dropped."""

    before: datetime


class Bound(msgspec.Struct, frozen=True, tag=True):
    """The lake is written with a key from now on."""

    fingerprint: str


class Claimed(msgspec.Struct, frozen=True, tag=True):
    """A writer began; whoever wrote before has no say any more."""

    holder: str


class Released(msgspec.Struct, frozen=True, tag=True):
    """The writer ended, and left nothing that is not listed."""


Change = Stored | Rewritten | Forgotten | Bound | Claimed | Released


class Entry(msgspec.Struct, frozen=True):
    """One change, when it was made by its writer's clock, and what tells it from an entry of somebody else."""

    version: int
    token: str
    at: datetime
    change: Change


def encode(token: str, at: datetime, change: Change) -> bytes:
    """Return an entry as its object holds it."""
    return msgspec.msgpack.encode(Entry(_VERSION, token, at, change))


def decode(data: bytes, url: str) -> Entry:
    """Return the entry that an object holds; raise StorageError for what is none, or of a later version."""
    try:
        return msgspec.msgpack.decode(data, type=Entry)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise StorageError.of(
            "ledger-damaged",
            f"the ledger of the lake {url} holds an entry that cannot be read",
            expected="a lake that this version or an earlier one wrote",
            hint="update cellwright; if that does not help, restore the objects in ledger/ from a backup",
        ) from error


def entry_path(number: int) -> str:
    """Return the name of an entry; names sort as numbers do."""
    return f"{FOLDER}/log/{number:012d}"


def checkpoint_path(number: int) -> str:
    """Return the name of the checkpoint that holds all changes up to an entry."""
    return f"{FOLDER}/checkpoint/{number:012d}.db.zst"


def number_of(path: str) -> int:
    """Return the number in the name of an entry or checkpoint."""
    return int(path.rpartition("/")[2].partition(".")[0])


def checkpoints(bucket: Bucket) -> list[int]:
    """Return the numbers of the checkpoints there are, the newest last."""
    return [number_of(each.path) for each in bucket.list(f"{FOLDER}/checkpoint")]


def put_checkpoint(bucket: Bucket, number: int, database: Path) -> None:
    """Store a ledger's database as the checkpoint at an entry."""
    packed = database.with_suffix(".zst")
    with pa.CompressedOutputStream(str(packed), "zstd") as stream, database.open("rb") as source:
        for chunk in _chunks(source):
            stream.write(chunk)
    bucket.put(checkpoint_path(number), packed)
    packed.unlink()


def fetch_checkpoint(bucket: Bucket, number: int, database: Path) -> None:
    """Write the database of a checkpoint to a new file."""
    packed = database.with_suffix(".zst")
    packed.unlink(missing_ok=True)
    database.unlink(missing_ok=True)
    with packed.open("xb") as stream:
        stream.writelines(bucket.stream(checkpoint_path(number)))
    with pa.CompressedInputStream(str(packed), "zstd") as source, database.open("xb") as stream:
        for chunk in _chunks(source):
            stream.write(chunk)
    packed.unlink()


def _chunks(source: object) -> Iterator[bytes]:
    while chunk := source.read(_CHUNK):  # type: ignore[attr-defined] # Python's files and Arrow's
        yield chunk
