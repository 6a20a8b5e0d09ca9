"""One writer at a time, on one machine."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from cellwright.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME = "writer.lock"


@contextlib.contextmanager
def writer_lock(folder: Path, name: str) -> Iterator[None]:
    """Hold the lock of the lake of a name for the block; raise StorageError that says which process holds it."""
    with (folder / _NAME).open("a+b") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StorageError.of(
                "lake-locked",
                f"the lake {name} is being written by process {_holder(folder)}",
                hint="wait until it has finished, or stop it",
            ) from error
        stream.truncate(0)
        stream.write(str(os.getpid()).encode())
        stream.flush()
        yield


def is_being_written(folder: Path) -> bool:
    """Return whether a writer holds the lock just now."""
    try:
        with (folder / _NAME).open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _holder(folder: Path) -> str:
    return (folder / _NAME).read_text(encoding="ascii", errors="replace").strip() or "unknown"
