"""A folder in which others put files, as SFTP servers do: a file is taken once it has stopped to change."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from cellwright.lake.record import FileState
from cellwright.telemetry.sources import Entry, walk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cellwright.telemetry.outcome import MediationResult

_UNDER_WAY: Final = frozenset({".part", ".partial", ".filepart", ".tmp", ".temp", ".swp", ".writing"})
"""Endings that transfer programs give a file until it is whole; hidden files are under way too."""

_Look = tuple[int, int]  # size and time of the last change


class DropFolder:
    """What lies in a folder and has not been taken; remembers what it has seen as long as it lives."""

    def __init__(self, folder: Path, *, deletes: bool) -> None:
        """`deletes`: whether a file is removed once the lake has all that could be read of it."""
        self._folder, self._deletes = folder, deletes
        self._seen: dict[str, _Look] = {}
        self._taken: dict[str, _Look] = {}

    def settled(self) -> tuple[Entry, ...]:
        """Return the files that are as they were at the last look and have not been taken.

        Raises StorageError where the folder is gone or cannot be listed.
        """
        looks: dict[str, _Look] = {}
        entries: list[Entry] = []
        for entry in walk([self._folder], self._folder / ".none"):
            if _is_under_way(entry.name):
                continue
            look = _look(entry.path)
            if look is None:
                continue
            looks[entry.name] = look
            if self._seen.get(entry.name) == look != self._taken.get(entry.name):
                entries.append(entry)
        self._seen = looks
        self._taken = {name: look for name, look in self._taken.items() if name in looks}
        return tuple(entries)

    def done(self, entries: Sequence[Entry], result: MediationResult) -> None:
        """Note that files were mediated; delete those of which nothing went wrong, if that is wanted."""
        wrong = {each.source.partition("!")[0] for each in result.outcomes if each.state is FileState.UNREADABLE}
        for entry in entries:
            look = _look(entry.path)
            if entry.name in wrong or look != self._seen.get(entry.name):
                continue
            if self._deletes:
                entry.path.unlink(missing_ok=True)
            elif look is not None:
                self._taken[entry.name] = look


def _is_under_way(name: str) -> bool:
    return any(part.startswith(".") for part in PurePath(name).parts) or PurePath(name).suffix.lower() in _UNDER_WAY


def _look(path: Path) -> _Look | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
