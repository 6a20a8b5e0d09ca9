"""A collector over a real lake: what it keeps, and for how long."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cellwright.lake.folder import Lake
from cellwright.lake.record import FileState
from cellwright.telemetry.collector_document import CollectorConfig, FolderSpec, KeepSpec
from cellwright.telemetry.listener import ListenerSpec
from cellwright.wiring.collecting import build
from cellwright.wiring.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path

LISTENER = ListenerSpec("syslog-udp", "syslog-udp", "127.0.0.1", 0)


def collected(folder: Path, keep: KeepSpec) -> Lake:
    """Collect three segments, a line each, and return the lake."""
    settings = replace(read_settings({}, folder), key_file=folder / "key")
    config = CollectorConfig("edge", "lake", "spool", 10**9, 1.0, (), (LISTENER,), (), keep)

    async def run() -> None:
        collector = build(config, folder, settings)
        for number in range(3):
            await collector._intakes[0].keep([b"<13>1 2026-03-01T12:00:00Z h a - - - line %d" % number])
            await collector.flush()
        await collector.close()

    asyncio.run(run())
    return Lake.open(folder / "lake")


def test_segments_become_files_and_their_parts_are_merged_as_time_goes(tmp_path: Path) -> None:
    with collected(tmp_path, KeepSpec(every_s=0.0)) as lake:
        assert [(table.name, table.rows, table.parts) for table in lake.tables()] == [("logs", 3, 1)]
        assert [file.source for file in lake.files()] == [f"collect/syslog-udp/0000000{each}" for each in (1, 2, 3)]
        assert all(balance.ok for balance in lake.verify())


def test_what_is_older_than_it_may_be_is_deleted_by_itself(tmp_path: Path) -> None:
    with collected(tmp_path, KeepSpec(files_ms=0.0, every_s=0.0)) as lake:
        assert lake.tables() == ()
        assert {file.state for file in lake.files()} == {FileState.EXPIRED}
        assert all(balance.ok for balance in lake.verify())


def test_until_the_first_interval_is_over_nothing_is_touched(tmp_path: Path) -> None:
    with collected(tmp_path, KeepSpec(files_ms=0.0)) as lake:
        assert [(table.name, table.rows, table.parts) for table in lake.tables()] == [("logs", 3, 3)]


def test_a_received_line_without_a_year_has_the_nearest_and_the_zone_of_its_sender(tmp_path: Path) -> None:
    settings = replace(read_settings({}, tmp_path), key_file=tmp_path / "key")
    listeners = (LISTENER, replace(LISTENER, name="paris", zone="Europe/Paris"))
    (tmp_path / "drop").mkdir()
    folders = (FolderSpec(str(tmp_path / "drop"), deletes=False),)
    config = CollectorConfig("edge", "lake", "spool", 10**9, 1.0, (), listeners, folders)
    now = datetime.now(tz=UTC).replace(microsecond=0)
    line = f"<13>{now:%b %e %H:%M:%S} h a: b".encode()
    (tmp_path / "drop" / "old.log").write_bytes(line + b"\n")

    async def run() -> None:
        collector = build(config, tmp_path, settings)
        for intake in collector._intakes:
            await intake.keep([line])
        for _ in range(2):  # a file is taken when it no longer changes
            await collector.flush()
        await collector.close()

    asyncio.run(run())
    with Lake.open(tmp_path / "lake") as lake:
        found = lake.query("select source, ts, dq_flags from logs").to_pylist()
    by_feed = {row["source"]: (row["ts"], row["dq_flags"]) for row in found}
    paris = now.replace(tzinfo=ZoneInfo("Europe/Paris")).astimezone(UTC)
    assert by_feed == {
        "collect/syslog-udp": (now, ["year-inferred"]),
        "collect/paris": (paris, ["year-inferred"]),
        "drop": (None, ["no-year"]),
    }
