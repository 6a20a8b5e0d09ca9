"""What is done to a whole lake: verified, shortened, exported."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cellwright.errors import StorageError
from cellwright.lake.address import Address
from cellwright.lake.delta import DeltaTables, publish
from cellwright.lake.delta_lake import delta_at, open_lake
from cellwright.lake.folder import AbsentLakeError, Lake
from cellwright.lake.sealing import fingerprint
from cellwright.lake.staged import Commit, StagedLake
from cellwright.plugins import PluginSet
from cellwright.telemetry.quality import scores
from cellwright.telemetry.quality_alarms import raise_alarms
from cellwright.wiring.files import write_atomically
from cellwright.wiring.pseudonyms import quarantine_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cellwright.lake.delta import Published
    from cellwright.lake.record import FileRecord
    from cellwright.lake.verify import Balance
    from cellwright.telemetry.quality import Score, Span
    from cellwright.wiring.settings import Settings


def lake_at(text: str, settings: Settings, base: Path | None = None) -> Path | Address:
    """Return where a lake lies that a user named: a folder, relative to `base`, or an address of an object store.

    Raises UsageError for an address that no lake can be at.
    """
    return Address.read(text, settings.cache / "lakes") or (base or Path()) / text


def lake_opener(place: Path | Address, commit: Commit, settings: Settings, key: bytes) -> Callable[[], Lake]:
    """Return what opens the lake at a place for writing, made when absent, as often as it is asked.

    With Delta tables, rows pass through a lake below the state folder that keeps the ledger and the quarantine of this
    machine. `key` is that of quarantine. Raises StorageError where a lake of the other kind is there.
    """
    if commit is Commit.LEDGER:
        if not _is_lake(place) and delta_at(place) is not None:
            raise _another_kind(place, "Delta tables", "--commit delta, or another place")
        return partial(Lake.open, place, create=True)
    if _is_lake(place):
        raise _another_kind(place, "a lake with a ledger of its own", "another place for Delta tables")
    name = hashlib.sha256(str(place.resolve() if isinstance(place, Path) else place).encode()).hexdigest()[:32]
    return partial(StagedLake.stage, settings.state / "delta" / name, DeltaTables(place, fingerprint(key)))


def _is_lake(place: Path | Address) -> bool:
    try:
        Lake.open(place).close()
    except AbsentLakeError:
        return False
    return True


def _another_kind(place: Path | Address, what: str, expected: str) -> StorageError:
    return StorageError.of("another-commit", f"there are {what} at {place}", expected=expected)


def verify_lake(place: Path | Address) -> tuple[Balance, ...]:
    """Return the recounted balance of every file of a lake."""
    with open_lake(place) as lake:
        return lake.verify()


def moment_before(age_ms: float) -> datetime:
    """Return the time so long ago."""
    return datetime.now(tz=UTC) - timedelta(milliseconds=age_ms)


def forget_before(
    place: Path | Address, files: datetime | None, quarantine: datetime | None
) -> tuple[tuple[FileRecord, ...], int]:
    """Delete files stored before a time, and quarantined input from before another; return both."""
    with open_lake(place) as lake:
        gone = lake.expire(files) if files else ()
        return gone, lake.forget_payloads(quarantine) if quarantine else 0


def quality_of(
    place: Path | Address, span: Span, alarm_below: float | None, settings: Settings
) -> tuple[tuple[Score, ...], int]:
    """Return the scores of all sources, and how many alarms were written for those below a limit."""
    with open_lake(place) as lake:
        found = scores(lake, span)
        low = [] if alarm_below is None else [each for each in found if each.score < alarm_below]
        if not low or alarm_below is None:
            return found, 0
        key = quarantine_key(settings)
        with lake.writer(key) as writer:
            return found, raise_alarms(writer, low, alarm_below, settings.tenant, datetime.now(tz=UTC))


def publish_lake(place: Path | Address, to: Path | Address) -> Published:
    """Add what is new in a lake to Delta tables in a folder or at an address."""
    with open_lake(place) as lake:
        return publish(lake, to)


def export_lake(place: Path | Address, name: str, out: Path) -> None:
    """Write a lake in an installed export format, as a whole or not at all; raise UsageError for an unknown one."""
    exports: PluginSet[Callable[[Lake], Iterator[str]]] = PluginSet("exports")
    export = exports.get(name)
    with open_lake(place) as lake:
        write_atomically(out, export(lake))
