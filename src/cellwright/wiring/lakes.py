"""What is done to a whole lake: verified, shortened, exported."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cellwright.lake import Lake
from cellwright.lake.delta import publish
from cellwright.plugins import PluginSet
from cellwright.telemetry.quality import scores
from cellwright.telemetry.quality_alarms import raise_alarms
from cellwright.wiring.files import write_atomically
from cellwright.wiring.pseudonyms import quarantine_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cellwright.lake import Balance, FileRecord
    from cellwright.lake.delta import Published
    from cellwright.telemetry.quality import Score, Span
    from cellwright.wiring.settings import Settings


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


def quality_of(
    folder: Path, span: Span, alarm_below: float | None, settings: Settings
) -> tuple[tuple[Score, ...], int]:
    """Return the scores of all sources, and how many alarms were written for those below a limit."""
    with Lake.open(folder) as lake:
        found = scores(lake, span)
        low = [] if alarm_below is None else [each for each in found if each.score < alarm_below]
        if not low or alarm_below is None:
            return found, 0
        key = quarantine_key(settings)
        with lake.writer(key) as writer:
            return found, raise_alarms(writer, low, alarm_below, settings.tenant, datetime.now(tz=UTC))


def publish_lake(folder: Path, address: str) -> Published:
    """Add what is new in a lake to Delta tables at an address."""
    with Lake.open(folder) as lake:
        return publish(lake, address)


def export_lake(folder: Path, name: str, out: Path) -> None:
    """Write a lake in an installed export format, as a whole or not at all; raise UsageError for an unknown one."""
    exports: PluginSet[Callable[[Lake], Iterator[str]]] = PluginSet("exports")
    export = exports.get(name)
    with Lake.open(folder) as lake:
        write_atomically(out, export(lake))
