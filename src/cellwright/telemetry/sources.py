"""From paths to raw files: folders are walked in order, archives are expanded within limits, damage is named."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol, cast

from cellwright.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from typing_extensions import Buffer

_IN_MEMORY: Final = 8 * 2**20  # bytes of an archive member that need no file
_CHUNK: Final = 2**20
_HEAD: Final = 512
_TAR_MAGIC: Final = slice(257, 262)  # POSIX.1-1988 ustar header
_CUT: Final = (EOFError, OSError, zlib.error, tarfile.TarError, zipfile.BadZipFile, RuntimeError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one source file may expand to."""

    expanded_bytes: int = 16 * 2**30
    members: int = 100_000
    depth: int = 4  # archives in archives


@dataclass(frozen=True, slots=True)
class Entry:
    """A file on disk and the name it goes by: its path from the source's own name on."""

    path: Path
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class RawFile:
    """Raw bytes of one file, uncompressed and seekable.

    `damage` is the kebab-case code of what cut it short, or empty. An archive that cannot be expanded further has
    `readable` False: its bytes are no input of any format.
    """

    name: str
    stream: BinaryIO
    size: int
    sha256: str
    damage: str = ""
    readable: bool = True


class _Readable(Protocol):
    def read1(self, size: int, /) -> bytes: ...


@dataclass(slots=True)
class _Budget:
    """What is left of the limits of one source file, and where expanded bytes go."""

    limits: Limits
    folder: Path
    bytes: int = 0
    members: int = 0

    def copy(self, source: _Readable) -> tuple[BinaryIO, str]:
        """Return the bytes of `source` at their start and what cut them short; a cut keeps the good part."""
        target = cast("BinaryIO", tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(self.folder)))  # noqa: SIM115 - returned
        damage = ""
        try:
            while chunk := source.read1(_CHUNK):
                self.bytes += len(chunk)
                if self.bytes > self.limits.expanded_bytes:
                    damage = "archive-too-large"
                    break
                target.write(chunk)
        except EOFError:
            damage = "archive-truncated"
        except _CUT as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            damage = "archive-damaged"
        target.seek(0)
        return target, damage


def walk(sources: Sequence[Path], exclude: Path) -> tuple[Entry, ...]:
    """Return the regular files under `sources` in order of path, without those under `exclude`, the lake itself.

    Raises StorageError for a source that does not exist and for a folder that cannot be listed.
    """
    absent = [str(source) for source in sources if not (source.is_file() or source.is_dir())]
    if absent:
        raise StorageError.of("no-source", f"there is nothing at {', '.join(absent)}", expected="files or folders")
    kept = exclude.resolve()
    found: dict[Path, Entry] = {}
    for source in sources:
        name = _legible(source.resolve().name)
        for path in _files(source):
            resolved = path.resolve()
            if not resolved.is_relative_to(kept) and path.is_file():
                inner = _legible(path.relative_to(source).as_posix()) if path != source else ""
                found.setdefault(resolved, Entry(path, f"{name}/{inner}" if inner else name, path.stat().st_size))
    return tuple(found.values())


def expand(entry: Entry, spool: Path, limits: Limits) -> Iterator[RawFile]:
    """Yield the raw files in one file on disk: itself, or what gzip, zip and tar archives hold, in their order.

    A yielded stream is closed when the next file is asked for. Raises OSError when the file cannot be read.
    """
    with entry.path.open("rb") as stream:
        yield from _expand(entry.name, stream, "", _Budget(limits, spool), 0)


def _legible(name: str) -> str:
    """Return a file's name as text that every database takes: what is no UTF-8 becomes an escape."""
    return name.encode(errors="backslashreplace").decode()


def feed(name: str) -> str:
    """Return what a file came through, which stands in its rows as their source: its archive, else its folder.

    Files of one feed belong together, as those a collector writes one an interval; a file in neither is its own.
    """
    archive = name.rpartition("!")[0]
    return archive or name.rpartition("/")[0] or name


def lend(stream: BinaryIO) -> BinaryIO:
    """Return `stream` from its start for a reader that may close what it gets."""
    stream.seek(0)
    return io.BufferedReader(_Lent(stream), _CHUNK)


class _Lent(io.RawIOBase):
    """Reads and seeks another stream, and leaves it open."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        """Fill the buffer from the stream."""
        view = memoryview(buffer)
        data = self._stream.read(len(view))
        view[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move the stream."""
        return self._stream.seek(offset, whence)


def _files(source: Path) -> Iterator[Path]:
    if not source.is_dir():
        yield source
        return
    for folder, folders, names in os.walk(source, onerror=_refuse):
        folders.sort()
        yield from (source.__class__(folder, name) for name in sorted(names))


def _refuse(error: OSError) -> None:
    raise StorageError.of(
        "source-unreadable",
        f"the folder {error.filename} cannot be listed",
        cause=error.strerror,
        hint="check its permissions, or name only what can be read",
    ) from error


def _expand(name: str, stream: BinaryIO, damage: str, budget: _Budget, depth: int) -> Iterator[RawFile]:
    stream.seek(0)
    head = stream.read(_HEAD)
    is_tar = head[_TAR_MAGIC] == b"ustar"
    is_packed = head.startswith((b"\x1f\x8b", b"PK\x03\x04", b"PK\x05\x06"))  # RFC 1952; APPNOTE 4.3.7, 4.3.16
    if not (is_tar or is_packed):
        yield _raw_file(name, stream, damage)
    elif depth >= budget.limits.depth:
        yield _raw_file(name, stream, "archive-too-deep", readable=False)
    elif head.startswith(b"\x1f\x8b"):
        yield from _gunzip(name, stream, damage, budget, depth)
    else:
        members = _tar_members if is_tar else _zip_members
        yield from _unpack(name, stream, members(stream), damage, budget, depth)


def _gunzip(name: str, stream: BinaryIO, damage: str, budget: _Budget, depth: int) -> Iterator[RawFile]:
    stream.seek(0)
    with gzip.GzipFile(fileobj=stream, mode="rb") as packed:
        inner, cut = budget.copy(packed)
    with inner:
        if cut == "archive-too-large" or (cut and _is_empty(inner)):
            yield _raw_file(name, stream, cut, readable=False)
        else:
            yield from _expand(name, inner, damage or cut, budget, depth + 1)


def _unpack(  # noqa: PLR0913, PLR0917 - one recursive step of `_expand`
    name: str, stream: BinaryIO, members: Iterator[tuple[str, _Readable]], damage: str, budget: _Budget, depth: int
) -> Iterator[RawFile]:
    """Yield the members, then the archive itself when something of it could not be reached."""
    while True:
        try:
            member = next(members, None)
        except _CUT as error:
            damage = damage or ("archive-truncated" if isinstance(error, EOFError) else "archive-damaged")
            break
        if member is None:
            break
        budget.members += 1
        if budget.members > budget.limits.members:
            damage = "archive-too-many-members"
            break
        inner, cut = budget.copy(member[1])
        with inner:
            if cut == "archive-too-large" or (cut and _is_empty(inner)):
                damage = cut
            else:
                yield from _expand(f"{name}!{_legible(member[0])}", inner, cut, budget, depth + 1)
        if cut == "archive-too-large":
            break
    if damage:
        yield _raw_file(name, stream, damage, readable=False)


def _tar_members(stream: BinaryIO) -> Iterator[tuple[str, _Readable]]:
    stream.seek(0)
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        for member in archive:
            if member.issparse():
                yield member.name, cast("_Readable", archive.extractfile(member))
            elif member.isfile():
                yield member.name, _Stretch(stream, member.offset_data, member.size)
        _check_end(stream, archive.offset)


def _check_end(stream: BinaryIO, at: int) -> None:
    """Raise EOFError or TarError unless the archive ends in a block of zeros, which tarfile does not ask for."""
    stream.seek(at)
    block = stream.read(tarfile.BLOCKSIZE)
    if len(block) < tarfile.BLOCKSIZE:
        raise EOFError
    if any(block):
        raise tarfile.ReadError


@dataclass(slots=True)
class _Stretch:
    """Bytes of a stream from an offset on; where the stream ends early it gives what there is before it says so."""

    stream: BinaryIO
    at: int
    left: int

    def read1(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end; raise EOFError when bytes are missing."""
        self.stream.seek(self.at)
        data = self.stream.read(min(size, self.left))
        if self.left and not data:
            raise EOFError
        self.at += len(data)
        self.left -= len(data)
        return data


def _zip_members(stream: BinaryIO) -> Iterator[tuple[str, _Readable]]:
    with zipfile.ZipFile(stream) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                yield member.filename, _opened(archive, member)


def _opened(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> _Readable:
    """Return the member's stream; one that is encrypted or packed in an unknown way fails when it is read."""
    try:
        return cast("_Readable", archive.open(member))
    except _CUT as error:
        return _Broken(error)


class _Broken(io.RawIOBase):
    """A member that cannot be opened."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def read1(self, _size: int, /) -> bytes:
        """Raise what opening it raised."""
        raise zipfile.BadZipFile from self._error


def _is_empty(stream: BinaryIO) -> bool:
    return stream.seek(0, io.SEEK_END) == 0


def _raw_file(name: str, stream: BinaryIO, damage: str, *, readable: bool = True) -> RawFile:
    stream.seek(0)
    digest = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
    size = stream.tell()
    stream.seek(0)
    return RawFile(name, stream, size, digest, damage, readable)
