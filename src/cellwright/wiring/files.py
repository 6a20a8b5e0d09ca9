"""Files in and out: what cannot be read or written is told in a sentence, and nothing is ever half-written."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cellwright.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


@contextlib.contextmanager
def storage_errors(action: str, path: Path) -> Iterator[None]:
    """Turn an OSError into a StorageError that names the action, the path and the system's reason."""
    try:
        yield
    except OSError as error:
        raise StorageError.of(
            "storage",
            f"cannot {action} {path}",
            cause=error.strerror or type(error).__name__,
            hint="check that it exists, its permissions and the free space",
        ) from error


def read_text(path: Path) -> str:
    """Return the UTF-8 text of a file; raise StorageError."""
    with storage_errors("read", path):
        data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StorageError.of(
            "not-utf-8", f"{path} is not UTF-8 text", cause=f"byte {error.start} is {data[error.start]:#04x}"
        ) from error


def write_atomically(path: Path, text: str | Iterable[str]) -> None:
    """Put a text, or its pieces, at `path` in one step: a reader sees the old file or the new one, also after a crash.

    Raises StorageError, also where something that is no ordinary file stands in the way.
    """
    if path.exists() and not path.is_file():
        raise StorageError.of("not-a-file", f"{path} is no ordinary file", expected="a file, or a name that is free")
    with storage_errors("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("w", encoding="utf-8") as stream:
                stream.writelines([text] if isinstance(text, str) else text)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
