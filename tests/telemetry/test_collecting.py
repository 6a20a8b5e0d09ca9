"""A collector over a real lake: what it keeps, and for how long."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from cellwright.lake import FileState, Lake
from cellwright.telemetry.collector_document import CollectorConfig, KeepSpec
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
