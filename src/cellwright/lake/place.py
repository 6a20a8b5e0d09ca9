"""Where the parts of a lake lie, and who may write them: a folder of this machine, or an address of an object store.

Paths of parts are relative to the lake: `tables/logs/part-00000001.parquet`.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import pyarrow.dataset as pads
import pyarrow.fs as pafs

from cellwright.lake.bucket import Bucket, Files
from cellwright.lake.disk import Disk, sha256_of
from cellwright.lake.lock import is_being_written, writer_lock
from cellwright.lake.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from cellwright.lake.ledger import Ledger
    from cellwright.lake.remote_ledger import RemoteLedger

_TABLES: Final = "tables"
_CHUNK: Final = 4 * 2**20


class Place(Protocol):
    """What a lake needs of where it lies."""

    name: str  # as messages call it
    scratch: Path  # a folder of this machine for what is on its way
    filesystem: pafs.FileSystem | None  # what reads parts; None: this machine's
    at_once: int  # parts read at the same time

    def at(self, path: str) -> str:
        """Return where the filesystem has a part."""
        ...

    def has(self, path: str) -> bool:
        """Return whether there is such a part."""
        ...

    def digest(self, path: str) -> str:
        """Return the SHA-256 of a part in hexadecimal; raise FileNotFoundError."""
        ...

    def dataset(self, paths: Sequence[str], schema: pa.Schema) -> pads.Dataset:
        """Return parts as one dataset."""
        ...

    def writing(self, ledger: Ledger) -> contextlib.AbstractContextManager[None]:
        """Be the only writer for the block; what an earlier one left unfinished is removed first."""
        ...

    def temporary(self, path: str) -> Path:
        """Return the file to write before a part is published."""
        ...

    def publish(self, temporary: Path, path: str) -> None:
        """Give what was written its name."""
        ...

    def sync(self, paths: Sequence[str]) -> None:
        """Make the names of parts durable."""
        ...

    def remove(self, path: str) -> None:
        """Remove a part or what was to become one, if it is there."""
        ...

    def unlisted(self, listed: set[str]) -> list[str]:
        """Return what lies among the parts and is not listed."""
        ...

    def keep_listed(self, ledger: Ledger) -> None:
        """Remove what lies among the parts and no ledger line lists."""
        ...

    def is_being_written(self, ledger: Ledger) -> bool:
        """Return whether a writer is at work just now."""
        ...


class Folder:
    """A lake in a folder."""

    filesystem = None
    at_once = 1

    def __init__(self, folder: Path, disk: Disk) -> None:
        self.name, self.scratch = str(folder), folder
        self._disk = disk

    def at(self, path: str) -> str:
        """Return where the part lies."""
        return str(self.scratch / path)

    def has(self, path: str) -> bool:
        """Return whether there is such a part."""
        return (self.scratch / path).is_file()

    def digest(self, path: str) -> str:
        """Return the SHA-256 of a part in hexadecimal; raise FileNotFoundError."""
        return sha256_of(self.scratch / path)

    def dataset(self, paths: Sequence[str], schema: pa.Schema) -> pads.Dataset:
        """Return parts as one dataset."""
        return pads.dataset([self.at(path) for path in paths], schema=schema, format="parquet", partitioning=None)

    @contextlib.contextmanager
    def writing(self, ledger: Ledger) -> Iterator[None]:
        """Be the only writer for the block; what an earlier one left unfinished is removed first."""
        with writer_lock(self.scratch, self.name):
            self.keep_listed(ledger)
            yield

    def temporary(self, path: str) -> Path:
        """Return the file to write before a part is published."""
        final = self.scratch / path
        if not final.parent.exists():
            final.parent.mkdir(parents=True)
            self._disk.sync_folder(final.parent.parent)
        return final.with_name(f".{final.name}.tmp")

    def publish(self, temporary: Path, path: str) -> None:
        """Give what was written its name."""
        self._disk.rename(temporary, self.scratch / path)

    def sync(self, paths: Sequence[str]) -> None:
        """Make the names of parts durable."""
        for folder in {(self.scratch / path).parent for path in paths}:
            self._disk.sync_folder(folder)

    def remove(self, path: str) -> None:
        """Remove a part or what was to become one, if it is there."""
        (self.scratch / path).unlink(missing_ok=True)

    def unlisted(self, listed: set[str]) -> list[str]:
        """Return what lies among the parts and is not listed."""
        return [
            name
            for table in sorted(TABLES)
            for path in sorted((self.scratch / _TABLES / table).glob("*"))
            if path.is_file() and (name := path.relative_to(self.scratch).as_posix()) not in listed
        ]

    def keep_listed(self, ledger: Ledger) -> None:
        """Remove what lies among the parts and no ledger line lists."""
        for path in self.unlisted({part.path for part in ledger.parts()}):
            self.remove(path)

    def is_being_written(self, ledger: Ledger) -> bool:  # noqa: ARG002 - as the protocol has it
        """Return whether a writer is at work just now."""
        return is_being_written(self.scratch)


class Remote:
    """A lake in an object store; parts are written on this machine first, then uploaded."""

    at_once = 16

    def __init__(self, bucket: Bucket, cache: Path, ledger: RemoteLedger) -> None:
        self.name, self.scratch = bucket.url, cache
        self.filesystem = pafs.PyFileSystem(Files(bucket))
        self._bucket, self._ledger = bucket, ledger

    def at(self, path: str) -> str:
        """Return the path: the filesystem has the bucket for its root."""
        return path

    def has(self, path: str) -> bool:
        """Return whether there is such a part."""
        try:
            return self._bucket.size(path) > 0
        except FileNotFoundError:
            return False

    def digest(self, path: str) -> str:
        """Return the SHA-256 of a part in hexadecimal; raise FileNotFoundError."""
        digest = hashlib.sha256()
        for chunk in self._bucket.stream(path):
            digest.update(chunk)
        return digest.hexdigest()

    def dataset(self, paths: Sequence[str], schema: pa.Schema) -> pads.Dataset:
        """Return parts as one dataset; none of them is looked at yet."""
        return pads.FileSystemDataset.from_paths(
            list(paths), schema=schema, format=pads.ParquetFileFormat(), filesystem=self.filesystem
        )

    @contextlib.contextmanager
    def writing(self, ledger: Ledger) -> Iterator[None]:
        """Be the only writer for the block; what an earlier one left unfinished is removed first."""
        with writer_lock(self.scratch, self.name), self._ledger.claimed() as is_untidy:
            shutil.rmtree(self.scratch / _TABLES, ignore_errors=True)
            if is_untidy:
                self.keep_listed(ledger)
            yield

    def temporary(self, path: str) -> Path:
        """Return the file to write before a part is published."""
        local = self.scratch / path
        local.parent.mkdir(parents=True, exist_ok=True)
        return local

    def publish(self, temporary: Path, path: str) -> None:
        """Upload what was written; from now on the store holds what perhaps nobody will list."""
        self._ledger.unsure = True
        self._bucket.put(path, temporary)
        temporary.unlink()

    def sync(self, paths: Sequence[str]) -> None:
        """Do nothing: what was uploaded is durable."""

    def remove(self, path: str) -> None:
        """Remove a part, if it is there."""
        self._bucket.delete(path)

    def unlisted(self, listed: set[str]) -> list[str]:
        """Return what lies among the parts and is not listed."""
        return [each.path for each in self._bucket.list(_TABLES) if each.path not in listed]

    def keep_listed(self, ledger: Ledger) -> None:
        """Remove what lies among the parts and no ledger line lists, unless it is a later writer's.

        Nothing is removed while it is unknown whether the log took the last change: the next writer will know.
        """
        if self._ledger.unsure:
            return
        for path in self.unlisted({part.path for part in ledger.parts()}):
            number = Path(path).stem.rpartition("-")[2]
            if number.isdecimal() and int(number) < self._ledger.reserved:
                self.remove(path)

    def is_being_written(self, ledger: Ledger) -> bool:  # noqa: ARG002 - as the protocol has it
        """Return whether a writer is at work just now."""
        return self._ledger.holder is not None
