"""Pieces of files that are not yet whole, on the centre's disk.

Nothing here is the only copy: the stream keeps every message until its file is in the lake. What a receiver that died
left behind is deleted by the next.
"""

from __future__ import annotations

import fcntl
import shutil
from typing import TYPE_CHECKING, Final, Self

from cellwright.errors import StorageError
from cellwright.lake.disk import storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cellwright.telemetry.forward_message import Message

_NAME: Final = ".inbox"
_LOCK: Final = "inbox.lock"


class Inbox:
    """A folder in the lake's that its owner alone can read; one receiver a lake. Use it as a context."""

    def __init__(self, lake: Path) -> None:
        """Raise StorageError when another receiver is at work on the lake."""
        self._lake, self._folder = lake, lake / _NAME
        with storage_errors("written", lake):
            self._lock = (lake / _LOCK).open("wb")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise StorageError.of(
                "already-receiving", f"another process receives files for the lake {lake}", hint="stop it first"
            ) from error
        self.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()
        self._lock.close()

    def clear(self) -> None:
        """Delete everything."""
        with storage_errors("written", self._lake):
            if self._folder.exists():
                shutil.rmtree(self._folder)
            self._folder.mkdir(mode=0o700)

    def put(self, piece: Message) -> None:
        """Keep a piece of a file."""
        path = self._folder / piece.file_id / piece.digest
        with storage_errors("written", self._lake):
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.write_bytes(piece.payload)

    def has(self, file_id: str, digests: Iterable[str]) -> bool:
        """Return whether all of these pieces of a file are here."""
        return all((self._folder / file_id / digest).is_file() for digest in digests)

    def read(self, file_id: str, digests: Iterable[str]) -> bytes:
        """Return pieces of a file, joined."""
        with storage_errors("read", self._lake):
            return b"".join((self._folder / file_id / digest).read_bytes() for digest in digests)

    def drop(self, file_id: str) -> None:
        """Delete all pieces of a file."""
        with storage_errors("written", self._lake):
            shutil.rmtree(self._folder / file_id, ignore_errors=True)
