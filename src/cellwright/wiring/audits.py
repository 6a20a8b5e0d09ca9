"""The audit of a folder: every file opened as what it is, and what of it names somebody."""

from __future__ import annotations

import os
import stat
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cellwright.errors import StorageError
from cellwright.privacy.audit import masked, survivors_in_name
from cellwright.telemetry.sources import Entry, Limits, expand
from cellwright.wiring.audit_readers import survivors_in_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.privacy.audit import Place, Survivor
    from cellwright.privacy.identifiers import Kind
    from cellwright.telemetry.sources import RawFile
    from cellwright.wiring.progress import Advance, Progress

_PLACES: Final = 5  # told of one kind in one file


@dataclass(slots=True)
class Found:
    """How often one kind of identifier survives in a file, and the first places."""

    kind: Kind
    count: int = 0
    places: list[Place] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FileFindings:
    """What survives in one file; its name is masked."""

    file: str
    found: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class Unread:
    """A file, or a part of one, that was not looked into, and why."""

    file: str
    code: str  # kebab-case


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit of a folder found."""

    files: int
    bytes: int
    survivors: tuple[FileFindings, ...]
    allowed: dict[Kind, int]
    unread: tuple[Unread, ...]

    @property
    def count(self) -> int:
        """Return how many identifiers survive."""
        return sum(found.count for each in self.survivors for found in each.found)


def audit_folder(folder: Path, allowed: frozenset[Kind], progress: Progress, limits: Limits | None = None) -> Audit:
    """Return what survives in the files below a folder, or in one file, but for `allowed` kinds.

    Links are followed, each file is read once. Memory does not grow with the size of a file; archives are expanded
    within `limits` in the folder for temporary files. Raises StorageError when there is nothing at `folder`.
    """
    if not (folder.is_dir() or folder.is_file()):
        raise StorageError.of("no-source", f"there is nothing at {masked(str(folder))}", expected="a folder or a file")
    walked = _Walk(folder)
    entries = tuple(walked.entries())
    total = float(sum(entry.size for entry in entries))
    run = _Run(allowed, list(walked.unread))
    with tempfile.TemporaryDirectory(prefix="cellwright-audit-") as spool, progress("audit") as advance:
        for entry in entries:
            run.entry(entry, Path(spool), limits or Limits(), advance, total)
    return Audit(run.files, run.bytes, tuple(run.survivors), dict(run.allowed_counts), tuple(run.unread))


class _Walk:
    """The regular files below a folder, each once, links followed; and what could not be listed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: set[tuple[int, int]] = set()
        self.unread: list[Unread] = []

    def entries(self) -> Iterator[Entry]:
        """Yield the files in order of their paths, named from below the folder on."""
        if self._folder.is_file():
            yield Entry(self._folder, self._folder.name, self._folder.stat().st_size)
            return
        self._is_new(self._folder)
        for place, folders, names in os.walk(self._folder, onerror=self._refused, followlinks=True):
            folders[:] = sorted(each for each in folders if self._is_new(Path(place, each)))
            for name in sorted(names):
                yield from self._file(Path(place, name))

    def _file(self, path: Path) -> Iterator[Entry]:
        if not self._is_new(path):
            return
        try:
            status = path.stat()
        except OSError:
            self._tell(path, "unreadable")
            return
        if stat.S_ISREG(status.st_mode):
            yield Entry(path, self._name(path), status.st_size)
        else:
            self._tell(path, "no-regular-file")

    def _is_new(self, path: Path) -> bool:
        """Return whether the file or folder was not met before, under another name or through a link."""
        try:
            status = path.stat()
        except OSError:
            return True
        identity = (status.st_dev, status.st_ino)
        new = identity not in self._seen
        self._seen.add(identity)
        return new

    def _refused(self, error: OSError) -> None:
        self._tell(Path(str(error.filename)), "folder-unreadable")

    def _tell(self, path: Path, code: str) -> None:
        self.unread.append(Unread(masked(self._name(path)), code))

    def _name(self, path: Path) -> str:
        inner = path.relative_to(self._folder).as_posix() if path.is_relative_to(self._folder) else path.name
        return inner.encode(errors="backslashreplace").decode()


class _Run:
    """The counts of one audit."""

    def __init__(self, allowed: frozenset[Kind], unread: list[Unread]) -> None:
        self.files = 0
        self.bytes = 0
        self.survivors: list[FileFindings] = []
        self.allowed_counts: Counter[Kind] = Counter()
        self.unread = unread
        self._allowed = allowed

    def entry(self, entry: Entry, spool: Path, limits: Limits, advance: Advance, total: float) -> None:
        """Look into a file on disk and what it packs."""
        before = self.bytes
        try:
            for raw in expand(entry, spool, limits):
                self._file(raw, spool)
        except OSError:
            self._tell(entry.name, survivors_in_name(entry.name))
            self.unread.append(Unread(masked(entry.name), "unreadable"))
        self.bytes = before + entry.size
        advance(self.bytes, total)

    def _file(self, raw: RawFile, spool: Path) -> None:
        self.files += 1
        if raw.damage:
            self.unread.append(Unread(masked(raw.name), raw.damage))
        self._tell(raw.name, survivors_in_name(raw.name))
        if raw.readable:
            code = self._tell(raw.name, survivors_in_file(raw.stream, spool))
            if code:
                self.unread.append(Unread(masked(raw.name), code))

    def _tell(self, name: str, survivors: Iterator[Survivor | str]) -> str:
        """Count what survives in a file, and return the code of what stopped the look into it, or nothing."""
        code = ""
        found: dict[Kind, Found] = {}
        for survivor in survivors:
            if isinstance(survivor, str):
                code = survivor
            elif survivor.kind in self._allowed:
                self.allowed_counts[survivor.kind] += 1
            else:
                mine = found.setdefault(survivor.kind, Found(survivor.kind))
                mine.count += 1
                if len(mine.places) < _PLACES:
                    mine.places.append(survivor.place)
        if found:
            self.survivors.append(FileFindings(masked(name), tuple(found.values())))
        return code
