"""A small disk that fills up while telemetry comes in: nothing acknowledged is lost, nothing is half-written."""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cellwright.cli.main import run
from cellwright.errors import StorageError
from cellwright.lake.folder import Lake
from cellwright.telemetry.collector_document import CollectorConfig
from cellwright.telemetry.listener import ListenerSpec
from cellwright.wiring.collecting import build
from cellwright.wiring.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINE = b"<13>1 2026-03-01T12:00:00Z h a - - - %d %s\n"
LISTENER = ListenerSpec("syslog-udp", "syslog-udp", "127.0.0.1", 0)

pytestmark = pytest.mark.integration


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def filler(number: int) -> bytes:
    """Return text that does not compress."""
    return f"{number * 0x9E3779B97F4A7C15 & (1 << 64) - 1:064b}".encode()


def test_mediation_says_that_the_disk_is_full_and_the_lake_stays_whole(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CELLWRIGHT_KEY_FILE", str(tmp_path / "key"))
    for name, lines in (("a.log", 10), ("b.log", 200_000)):
        (tmp_path / name).write_bytes(b"".join(LINE % (number, filler(number)) for number in range(lines)))
    lake = str(small / "lake")
    assert run(["mediate", str(tmp_path / "a.log"), "--lake", lake]) == 0
    assert run(["mediate", str(tmp_path / "b.log"), "--lake", lake]) == 1
    assert "free some space" in capsys.readouterr().err
    assert run(["lake", "verify", lake]) == 0
    with Lake.open(small / "lake") as opened:
        assert opened.read("logs").num_rows == 10
        parts = len(opened._ledger.parts())
    assert len([path for path in (small / "lake/tables").rglob("*") if path.is_file()]) == parts == 1


def test_a_collector_on_a_full_disk_turns_senders_away_and_keeps_all_it_acknowledged(
    small: Path, tmp_path: Path
) -> None:
    settings = replace(read_settings({}, tmp_path), key_file=tmp_path / "key")
    config = CollectorConfig("edge", str(tmp_path / "lake"), str(small / "spool"), 10**9, 1.0, (), (LISTENER,), ())
    kept = []

    async def collect() -> None:
        collector = build(config, tmp_path, settings)
        intake = collector._intakes[0]
        refused = 0
        for number in range(1000):
            try:
                await intake.keep([LINE % (number, filler(number) * 100)])
                kept.append(number)
            except StorageError:
                refused += 1
                if refused == 3:  # full for good, until mediation makes room
                    await collector.flush()
        assert refused
        await collector.close()

    asyncio.run(collect())
    with Lake.open(tmp_path / "lake") as lake:
        bodies = lake.read("logs", ["body"])["body"].to_pylist()
        assert all(balance.ok for balance in lake.verify())
    assert sorted(int(body.split()[0]) for body in bodies) == kept
    assert [path for path in (small / "spool").rglob("*") if path.is_file()] == []
