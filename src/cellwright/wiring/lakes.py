"""What is done to a whole lake: verified, shortened, exported."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cellwright.lake import Lake
from cellwright.plugins import PluginSet
from cellwright.wiring.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cellwright.lake import Balance, FileRecord


def verify_lake(folder: Path) -> tuple[Balance, ...]:
    """Return the recounted balance of every file of a lake."""
    with Lake.open(folder) as lake:
        return lake.verify()


def moment_before(age_ms: float) -> datetime:
    """Return the time so long ago."""
    return datetime.now(tz=UTC) - timedelta(milliseconds=age_ms)


def forget_before(
    folder: Path, files: datetime | None, quarantine: datetime | None
) -> tuple[tuple[FileRecord, ...], int]:
    """Delete files stored before a time, and quarantined input from before another; return both."""
    with Lake.open(folder) as lake:
        gone = lake.expire(files) if files else ()
        return gone, lake.forget_payloads(quarantine) if quarantine else 0


def export_lake(folder: Path, name: str, out: Path) -> None:
    """Write a lake in an installed export format, as a whole or not at all; raise UsageError for an unknown one."""
    exports: PluginSet[Callable[[Lake], Iterator[str]]] = PluginSet("exports")
    export = exports.get(name)
    with Lake.open(folder) as lake:
        write_atomically(out, export(lake))
