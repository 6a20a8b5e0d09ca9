"""Raw input between its receipt and the lake: encrypted segments on disk, durable before anything is acknowledged.

A segment is a file of records, each sealed on its own (AES-256-GCM): what a crash tore off at its end was never
acknowledged and is dropped; damage before the end is told. A feed writes one segment at a time, `<number>.open`; once
closed it is `<number>.ready` and waits for mediation, which releases it when the lake has it. What a process left open
when it died is ready for the next. A feed may also keep a note over restarts, sealed likewise: `note.sealed`.
"""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cellwright.errors import StorageError
from cellwright.lake.disk import Disk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_MAGIC: Final = b"CWSPOOL1"
_SALT: Final = struct.Struct("8s8s")  # magic, and the nonce's first eight bytes, drawn for each segment
_LENGTH: Final = struct.Struct(">I")
_COUNTER: Final = struct.Struct(">I")  # the nonce's last four bytes: records of one segment
_NOTE: Final = "note.sealed"
_NONCE: Final = 12
_DISK: Final = Disk()


@dataclass(frozen=True, slots=True)
class Segment:
    """One closed segment."""

    feed: str
    number: int
    path: Path
    size: int  # bytes on disk

    @property
    def name(self) -> str:
        """Return the name under which the lake lists it; its feed stands before the last slash."""
        return f"{self.feed}/{self.number:08d}"


@dataclass(frozen=True, slots=True)
class Content:
    """What a segment holds. `identity` is the same each time it is read, and no other segment's."""

    records: tuple[bytes, ...]
    identity: str
    damaged: int  # bytes that could not be read although they are not the torn end


class Feed:
    """What one listener writes: records go to the open segment, `sync` makes them durable."""

    def __init__(self, folder: Path, name: str, key: bytes) -> None:
        self.name = name
        self.written = 0  # bytes in the open segment
        self.records = 0  # records in it
        self._folder, self._aead = folder, AESGCM(key)
        self._number = max((int(path.stem) for path in folder.iterdir() if path.stem.isdigit()), default=0)
        self._stream: io.FileIO | None = None
        self._salt = b""

    def append(self, records: Sequence[bytes]) -> None:
        """Write records and make them durable; raise StorageError, after which none of them is kept.

        One sync for all: who waits for many pays for one.
        """
        try:
            stream = self._opened()
            start = stream.tell()
            try:
                _write(stream, b"".join(self._sealed(records)))
                os.fsync(stream.fileno())
            except OSError:
                stream.truncate(start)
                self.close()  # the next records get another segment: no nonce is used twice
                raise
        except OSError as error:
            raise unwritable(self._folder, error) from error
        self.written += stream.tell() - start
        self.records += len(records)

    def close(self) -> None:
        """Make the open segment ready for mediation, if there is one."""
        stream, self._stream, self.written, self.records = self._stream, None, 0, 0
        if stream is not None:
            stream.close()
            path = self._path("open")
            path.rename(path.with_suffix(".ready"))
            _DISK.sync_folder(self._folder)

    def note(self) -> bytes:
        """Return what was noted last, nothing where there is no note that opens."""
        try:
            sealed = (self._folder / _NOTE).read_bytes()
            return self._aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], _about(self.name, _NOTE))
        except (OSError, InvalidTag, ValueError):
            return b""

    def keep_note(self, content: bytes) -> None:
        """Keep content over restarts in place of the last note, durable at once; raise StorageError."""
        nonce = secrets.token_bytes(_NONCE)
        temporary = self._folder / f"{_NOTE}.new"
        try:
            temporary.unlink(missing_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with io.FileIO(descriptor, "wb") as stream:
                _write(stream, nonce + self._aead.encrypt(nonce, content, _about(self.name, _NOTE)))
                os.fsync(stream.fileno())
            temporary.replace(self._folder / _NOTE)
            _DISK.sync_folder(self._folder)
        except OSError as error:
            raise unwritable(self._folder, error) from error

    def _opened(self) -> io.FileIO:
        if self._stream is None:
            self._number += 1
            self._salt = secrets.token_bytes(8)
            descriptor = os.open(self._path("open"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._stream = io.FileIO(descriptor, "wb")
            _write(self._stream, _SALT.pack(_MAGIC, self._salt))
            _DISK.sync_folder(self._folder)
        return self._stream

    def _sealed(self, records: Sequence[bytes]) -> Iterator[bytes]:
        for place, record in enumerate(records, self.records):
            box = self._aead.encrypt(self._salt + _COUNTER.pack(place), record, _about(self.name, self._number))
            yield _LENGTH.pack(len(box)) + box

    def _path(self, state: str) -> Path:
        return self._folder / f"{self._number:08d}.{state}"


class Spool:
    """All feeds of one collector below one folder that its owner alone can read."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self._folder, self._key = folder, key
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._feeds: dict[str, Feed] = {}
        for left in sorted(folder.glob("*/*.open")):
            left.rename(left.with_suffix(".ready"))

    def feed(self, name: str) -> Feed:
        """Return the feed of a name: letters, digits and hyphens."""
        if name not in self._feeds:
            (self._folder / name).mkdir(mode=0o700, exist_ok=True)
            self._feeds[name] = Feed(self._folder / name, name, self._key)
        return self._feeds[name]

    def close_segments(self, least: int = 1) -> None:
        """Make every open segment of at least so many bytes ready."""
        for feed in self._feeds.values():
            if feed.written >= least:
                feed.close()

    def ready(self) -> list[Segment]:
        """Return the segments that wait for mediation, by feed and number."""
        return [
            Segment(path.parent.name, int(path.stem), path, path.stat().st_size)
            for path in sorted(self._folder.glob("*/*.ready"))
        ]

    def size(self) -> int:
        """Return the bytes of all segments, open and ready."""
        return sum(path.stat().st_size for path in self._folder.glob("*/[0-9]*"))

    def read(self, segment: Segment) -> Content:
        """Return what a segment holds; memory: all of it."""
        raw = segment.path.read_bytes()
        head = raw[: _SALT.size]
        if len(head) < _SALT.size or not head.startswith(_MAGIC):
            return Content((), _identity(raw, ()), 0 if len(raw) < _SALT.size else len(raw))
        _, salt = _SALT.unpack(head)
        records, end = _records(raw, salt, AESGCM(self._key), _about(segment.feed, segment.number))
        rest = len(raw) - end
        return Content(tuple(records), _identity(head, records), rest if _is_damage(raw, end) else 0)

    def release(self, segment: Segment) -> None:
        """Delete a segment that the lake has."""
        segment.path.unlink()
        _DISK.sync_folder(segment.path.parent)


def _write(stream: io.FileIO, data: bytes) -> None:
    """Write all of `data`: nothing is buffered that a later close could write after all."""
    rest = memoryview(data)
    while rest:
        rest = rest[stream.write(rest) :]


def _records(raw: bytes, salt: bytes, aead: AESGCM, about: bytes) -> tuple[list[bytes], int]:
    """Return the records that open, up to the first that does not, and where that one begins."""
    records, at = list[bytes](), _SALT.size
    while at + _LENGTH.size <= len(raw):
        (length,) = _LENGTH.unpack_from(raw, at)
        box = raw[at + _LENGTH.size : at + _LENGTH.size + length]
        try:
            records.append(aead.decrypt(salt + _COUNTER.pack(len(records)), box, about))
        except (InvalidTag, ValueError):
            break
        at += _LENGTH.size + length
    return records, at


def _is_damage(raw: bytes, end: int) -> bool:
    """Return whether a whole record stands where reading ended: a torn one is shorter than it says."""
    if end + _LENGTH.size > len(raw):
        return False
    length = int.from_bytes(raw[end : end + _LENGTH.size])
    return 0 < length <= len(raw) - end - _LENGTH.size


def _identity(head: bytes, records: Sequence[bytes]) -> str:
    digest = hashlib.sha256(head)
    for record in records:
        digest.update(_LENGTH.pack(len(record)) + record)
    return digest.hexdigest()


def _about(feed: str, file: int | str) -> bytes:
    """Return what is bound to every record of a segment, and to a note, so that none opens in another."""
    return f"{feed}/{file}".encode()


def unwritable(folder: Path, error: OSError) -> StorageError:
    """Return what tells that nothing more can be received."""
    return StorageError.of(
        "spool-unwritable",
        f"the spool {folder} cannot be written",
        cause=error.strerror or type(error).__name__,
        hint="free some space or mend its permissions; senders are told to try again until then",
    )
