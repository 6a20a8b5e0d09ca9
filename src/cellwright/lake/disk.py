"""The few steps by which bytes become durable, and what a user reads when one fails."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from sqlalchemy.exc import SQLAlchemyError

from cellwright.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from cellwright.lake.address import Address

_HINTS: Final = {
    errno.ENOSPC: "free some space or choose another folder, then run the command again",
    errno.EDQUOT: "free some of your quota or choose another folder, then run the command again",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.EACCES: "choose a folder that you may write to",
    errno.EPERM: "choose a folder that you may write to",
}


class Disk:
    """Creates, syncs and renames files; tests pass one that fails at a chosen step."""

    def create(self, path: Path) -> BinaryIO:
        """Return a new file open for writing; raise FileExistsError when there is one."""
        return path.open("xb")

    def sync(self, stream: BinaryIO) -> None:
        """Make what was written durable."""
        stream.flush()
        os.fsync(stream.fileno())

    def rename(self, source: Path, target: Path) -> None:
        """Give a file its final name in one step."""
        source.rename(target)

    def sync_folder(self, folder: Path) -> None:
        """Make the names in a folder durable."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Transit(Disk):
    """For what is on its way to an object store: it need not be durable on this machine."""

    def sync(self, stream: BinaryIO) -> None:
        """Write what is buffered."""
        stream.flush()


@contextlib.contextmanager
def storage_errors(action: str, lake: Path | str | Address) -> Iterator[None]:
    """Turn failures of file system and ledger into a StorageError that says what to do."""
    try:
        yield
    except (OSError, SQLAlchemyError, pa.ArrowException) as error:
        system = error if isinstance(error, OSError) else None
        raise StorageError.of(
            "lake-storage",
            f"the lake {lake} cannot be {action}",
            cause=_cause(error),
            hint=_HINTS.get((system and system.errno) or 0, "check the folder, its permissions and the free space"),
        ) from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _cause(error: Exception) -> str:
    """Return what failed without statements or their parameters, which hold data."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(getattr(error, "orig", None) or type(error).__name__)
